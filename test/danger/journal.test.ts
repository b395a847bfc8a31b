/**
 * Danger: an entry of the journal that is lost, damaged, or another one than was seen. It is noticed before anything is
 * read from a wrong state or published on one.
 */
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { commit } from '../../src/api/commit.ts';
import { gc } from '../../src/api/gc.ts';
import { reindex } from '../../src/api/reindex.ts';
import { tag } from '../../src/api/tag.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import { initWorkspace, openWorkspaceIn } from '../../src/api/workspace.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { processEnvironment } from '../../src/environment.ts';
import { hasCode } from '../../src/errors.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { snapshotRef } from '../../src/object/ref-name.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import { flipBit, verifyAll } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { makeSmallWorkspace, scratchFolder } from '../kit/small-workspace.ts';
import { snap } from '../kit/snap.ts';
import { storeHashes } from '../kit/store-damage.ts';

const folder = scratchFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let base: SmallWorkspace;
let made: SmallWorkspace;
let ids: BlobId[];

/** Entry 1 makes the store, 2 to 5 are commits. */
beforeAll(async () => {
  base = await makeSmallWorkspace(join(folder, 'base'));
  ids = [];
  for (const n of [1, 2, 3, 4]) {
    base.write(`file ${n}`, noise(3000, n));
    base.write('notes', `the text of ${n}\n`.repeat(50));
    ids.push(await base.commit(`commit ${n}`, n === 2 ? 'v2' : undefined));
  }
});
beforeEach(async () => {
  made = await base.copy();
});
afterEach(() => made.close());

const entry = (number: number): string => join(made.store, 'journal', `${String(number).padStart(12, '0')}.json`);
const entryCount = (): number => readdirSync(join(made.store, 'journal')).length;
const open = (root: string): Promise<Workspace> =>
  openWorkspaceIn(processEnvironment('snap test'), inlineWorkers(realDisk), root);
const withoutIndex = async (): Promise<void> => {
  await made.workspace.close();
  rmSync(join(made.root, '.snap/index'), { recursive: true });
};

/** Reading goes on, nothing is published, and every command says so by its exit code. */
async function expectDamage(workspace: Workspace, what: RegExp): Promise<void> {
  expect(workspace.repository.damage?.message).toMatch(what);
  const before = storeHashes(workspace.repository.backend.location);
  await expect(commit(workspace, { message: 'on top' })).rejects.toMatchObject({ code: 'corrupt-data' });
  await expect(gc(workspace, { now: true })).rejects.toMatchObject({ code: 'corrupt-data' });
  expect((await verifyAll(workspace)).faults[0]).toMatchObject({ what: 'journal' });
  expect(storeHashes(workspace.repository.backend.location)).toEqual(before);
}

describe('a hole', () => {
  test.each([2, 3, 4])('entry %d is gone: seen without the index, and nobody takes its number', async (number) => {
    await withoutIndex();
    rmSync(entry(number));
    rmSync(join(made.root, '.snap/HEAD'));
    await made.reopen();
    await expectDamage(made.workspace, new RegExp(`entry ${number} is missing`));
    expect(entryCount()).toBe(4);
  });

  test('that comes about while a command is at work: its number is not taken', async () => {
    const { repository } = made.workspace;
    cpSync(entry(5), entry(7));
    const draft = { operation: 'tag', note: '' } as const;
    await expect(repository.publish(draft, {}, () => draft)).rejects.toMatchObject({ code: 'corrupt-data' });
    expect(entryCount()).toBe(6);
  });

  test.each([
    ['a folder', (path: string) => mkdirSync(path)],
    ['cut off', (path: string) => writeFileSync(path, '{')],
  ])('an entry that is %s ends with exit code 20', async (_what, put) => {
    await made.workspace.close();
    rmSync(entry(3));
    put(entry(3));
    rmSync(join(made.root, '.snap/index'), { recursive: true });
    for (const args of [['log'], ['verify'], ['commit', '-m', 'on top'], ['gc'], ['reindex']])
      expect(snap(['-C', made.root, ...args]), args.join(' ')).toMatchObject({ code: 20 });
    rmSync(entry(3), { recursive: true });
    await made.reopen();
  });

  test.skipIf(process.getuid?.() === 0)('so does one that nobody may read', async () => {
    await made.workspace.close();
    chmodSync(entry(5), 0);
    expect(snap(['-C', made.root, 'log'])).toMatchObject({ code: 20 });
    expect(snap(['-C', made.root, 'commit', '-m', 'on top'])).toMatchObject({ code: 20 });
    chmodSync(entry(5), 0o600);
    await made.reopen();
  });
});

describe('a fork: the store was set back, and another workspace wrote on it', () => {
  let beside: string;

  /** A's newest entries are lost with their packs, or an older copy of the store is put back; then B commits. */
  async function fork(withPacks: boolean, extra = 0): Promise<BlobId> {
    beside = `${made.root}-beside`;
    await initWorkspace(beside, { store: made.store });
    await made.workspace.close();
    const copy = `${made.root}-copy`;
    cpSync(made.store, copy, { recursive: true });
    await made.reopen();
    made.write('only here', noise(4000, 99));
    const lost = await made.commit('acknowledged, and lost');
    await made.workspace.close();
    if (withPacks) cpSync(join(made.store, 'packs'), join(copy, 'packs'), { recursive: true });
    rmSync(made.store, { recursive: true });
    cpSync(copy, made.store, { recursive: true });
    rmSync(copy, { recursive: true });
    const other = await open(beside);
    for (let n = 0; n <= extra; n++) {
      writeFileSync(join(beside, `of B ${n}`), noise(2000, 50 + n));
      await commit(other, { message: `of B ${n}` });
    }
    await other.close();
    return lost;
  }

  test.each([
    ['with the packs', true, 0],
    ['without them', false, 0],
    ['and the journal is longer again', true, 3],
  ])('it is damage, %s', async (_what, withPacks, extra) => {
    const lost = await fork(withPacks, extra);
    await made.reopen();
    await expectDamage(made.workspace, /entry 6 is another one/);
    expect(made.workspace.repository.head().snapshot).toBe(lost);
    expect(made.workspace.repository.state().refs.has(snapshotRef(lost))).toBe(true);
  });

  test('HEAD sees it without the index', async () => {
    await fork(true);
    rmSync(join(made.root, '.snap/index'), { recursive: true });
    await made.reopen();
    await expectDamage(made.workspace, /entry 6 is another one/);
  });

  test('a HEAD of an earlier version, without a hash, stays valid', async () => {
    const path = join(made.root, '.snap/HEAD');
    const text = readFileSync(path, 'utf8');
    expect(text).toMatch(/^[0-9a-f]{64} 5 [0-9a-f]{64}\n$/);
    writeFileSync(path, `${text.split(' ').slice(0, 2).join(' ')}\n`);
    await made.reopen();
    expect(made.workspace.repository.damage).toBeUndefined();
    made.write('more', 'more');
    await made.commit('on top');
    expect(readFileSync(path, 'utf8')).toMatch(/^[0-9a-f]{64} 6 [0-9a-f]{64}\n$/);
  });

  test('a process that is at work is told when it reads on', async () => {
    const { repository } = made.workspace;
    rmSync(entry(5));
    cpSync(entry(4), entry(5));
    await expect(repository.refresh()).rejects.toSatisfy((error) => hasCode(error, 'corrupt-data'));
    await expect(tag(made.workspace, 'v9')).rejects.toMatchObject({ code: 'corrupt-data' });
  });
});

describe('reindex', () => {
  test('keeps an index that knows more than the journal', async () => {
    rmSync(entry(3));
    await made.workspace.close();
    await expect(reindex(made.root)).rejects.toMatchObject({ code: 'corrupt-data' });
    await expect(reindex(made.root, { acceptStore: true })).rejects.toMatchObject({ code: 'corrupt-data' });
    await made.reopen();
    for (const id of ids) expect(made.workspace.repository.state().refs.has(snapshotRef(id))).toBe(true);
  });

  test('an older store that was put back on purpose is accepted when that is said', async () => {
    rmSync(entry(5));
    await made.workspace.close();
    const plain = snap(['-C', made.root, 'reindex']);
    expect(plain).toMatchObject({ code: 20, stderr: expect.stringMatching(/snap repair.*reindex --accept-store/s) });
    expect(snap(['-C', made.root, 'reindex', '--accept-store'])).toMatchObject({ code: 0 });
    await made.reopen();
    const { repository } = made.workspace;
    expect(repository.damage).toBeUndefined();
    expect(repository.head().snapshot).toBe(ids[2]);
    made.write('on top', 'of the older one');
    await made.commit('on top');
    expect((await verifyAll(made.workspace)).faults).toEqual([]);
  });
});

test('a flipped bit in an entry is found by the next one', async () => {
  flipBit(entry(3), readFileSync(entry(3)).indexOf('"note":"') + 9);
  await withoutIndex();
  await made.reopen();
  await expectDamage(made.workspace, /entry 4 does not fit/);
});
