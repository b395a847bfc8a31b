import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { commit } from '../../src/api/commit.ts';
import { gc } from '../../src/api/gc.ts';
import { reindex } from '../../src/api/reindex.ts';
import { repair } from '../../src/api/repair.ts';
import { tag } from '../../src/api/tag.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import { initWorkspace, openWorkspaceIn } from '../../src/api/workspace.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { processEnvironment } from '../../src/environment.ts';
import { hasCode } from '../../src/errors.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { snapshotRef } from '../../src/object/ref-name.ts';
import { encodeState } from '../../src/object/store-state.ts';
import { mendJournal, planMend } from '../../src/repair/mend-journal.ts';
import { Overtaken } from '../../src/repair/publish.ts';
import { pastOperations } from '../../src/repo/operation-history.ts';
import { checkStore } from '../kit/checker/check-store.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import { readPicture, samePicture } from '../kit/crash/stage.ts';
import { flipBit, verifyAll } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import { makeSmallHistory } from '../kit/small-history.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { scratchFolder } from '../kit/small-workspace.ts';
import { snap } from '../kit/snap.ts';
import { storeHashes } from '../kit/store-damage.ts';

const folder = scratchFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let base: SmallWorkspace;
let made: SmallWorkspace;
let ids: BlobId[];

beforeAll(async () => {
  ({ base, ids } = await makeSmallHistory(join(folder, 'base')));
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

  test('that this workspace has read past: verify, gc and repair tell of it, and gc says what to do', async () => {
    rmSync(entry(3));
    await made.reopen();
    expect(made.workspace.repository.damage).toBeUndefined();
    await expect(gc(made.workspace, { now: true })).rejects.toMatchObject({
      code: 'corrupt-data',
      message: 'journal entry 3 is missing, and a later one is there',
      hint: expect.stringContaining('snap repair'),
    });
    expect((await verifyAll(made.workspace)).faults[0]).toMatchObject({ what: 'journal', entry: 3 });
    expect(await repair(made.workspace)).toMatchObject({ remains: false, mend: { isExact: true } });
    await gc(made.workspace, { now: true });
  });

  test('several entries in a row are gone: nobody who has not seen them takes their numbers', async () => {
    await withoutIndex();
    for (const number of [2, 3, 4]) rmSync(entry(number));
    rmSync(join(made.root, '.snap/HEAD'));
    await made.reopen();
    await expectDamage(made.workspace, /entry 2 is missing/);
  });

  test('several entries in a row are lost: everyone goes on from the base, also who comes new', async () => {
    const bystander = `${made.root}-bystander`;
    await initWorkspace(bystander, { store: made.store });
    await made.reopen();
    // All that the bystander has not seen, and the end.
    for (const number of [2, 3, 4, 5, 6]) rmSync(entry(number), { force: true });
    await made.reopen();
    expect(await repair(made.workspace)).toMatchObject({ remains: false });
    const { state } = made.workspace.repository;
    await withoutIndex();
    await made.reopen();
    expect(made.workspace.repository.damage).toBeUndefined();
    expect(encodeState(made.workspace.repository.state())).toEqual(encodeState(state()));
    const comer = `${made.root}-comer`;
    await initWorkspace(comer, { store: made.store });
    for (const root of [bystander, comer]) {
      const workspace = await open(root);
      expect(workspace.repository.damage, root).toBeUndefined();
      for (const id of ids) expect(workspace.repository.state().refs.has(snapshotRef(id))).toBe(true);
      writeFileSync(join(root, 'own'), root);
      await commit(workspace, { message: 'own' });
      await workspace.close();
    }
    await made.reopen();
    expect((await verifyAll(made.workspace)).faults).toEqual([]);
    expect(checkStore(made.store)).toEqual([]);
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

  test.each([
    ['with the packs', true, 0, true],
    ['with the packs, without the index', true, 0, false],
    ['without the packs: the folder still has the files', false, 3, true],
  ])('repair brings what is lost back beside what was written since, %s', async (_what, withPacks, extra, withIndex) => {
    const lost = await fork(withPacks, extra);
    const others = await open(beside);
    const theirs = others.repository.head().snapshot as BlobId;
    await others.close();
    if (!withIndex) rmSync(join(made.root, '.snap/index'), { recursive: true });
    await made.reopen();
    const result = await repair(made.workspace);
    expect(result).toMatchObject({ remains: false, mend: { base: undefined, snapshots: [lost] } });
    expect(made.workspace.repository.head().snapshot).toBe(lost);
    await expectMended([...ids, lost]);
    expect(made.workspace.repository.state().refs.has(snapshotRef(theirs))).toBe(true);
    const again = await open(beside);
    expect(again.repository.damage).toBeUndefined();
    expect(again.repository.head().snapshot).toBe(theirs);
    await commit(again, { message: 'goes on' });
    await again.close();
  });

  test('the pack and the files are gone: it is said what is lost, nothing vanishes silently', async () => {
    const lost = await fork(false);
    rmSync(join(made.root, 'only here'));
    await made.reopen();
    expect(await repair(made.workspace)).toMatchObject({
      remains: true,
      mend: { snapshots: [lost] },
      hits: { paths: 1 },
    });
    expect(await repair(made.workspace, { dropDamaged: true })).toMatchObject({ remains: false });
    await expectMended(ids);
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

/** Everything that was acknowledged is there, the store is sound for everybody, and a second repair changes nothing. */
async function expectMended(expected: readonly BlobId[], remains = false): Promise<void> {
  await made.reopen();
  const { repository } = made.workspace;
  expect(repository.damage).toBeUndefined();
  for (const id of expected)
    expect(samePicture(await readPicture(repository, id), made.pictures.get(id) ?? new Map()), id).toBe(true);
  for (const id of expected) expect(repository.state().refs.has(snapshotRef(id)), id).toBe(true);
  expect((await verifyAll(made.workspace)).faults).toEqual([]);
  expect(checkStore(made.store)).toEqual([]);
  const before = storeHashes(made.store);
  expect((await repair(made.workspace)).remains).toBe(remains);
  expect(storeHashes(made.store)).toEqual(before);
  for await (const operation of pastOperations(repository)) expect(operation.id).toBeDefined();
  made.write('on top', noise(500, 77));
  const top = await made.commit('on top');
  await gc(made.workspace, { now: true });
  expect((await verifyAll(made.workspace)).faults).toEqual([]);
  expect(checkStore(made.store)).toEqual([]);
  for (const id of [...expected, top])
    expect(samePicture(await readPicture(repository, id), made.pictures.get(id) ?? new Map()), id).toBe(true);
  // Somebody who knows nothing of it.
  const fresh = `${made.root}-fresh`;
  await initWorkspace(fresh, { store: made.store });
  const other = await open(fresh);
  expect(other.repository.damage).toBeUndefined();
  expect(encodeState(other.repository.state())).toEqual(encodeState(repository.state()));
  await other.close();
}

const HARMS: readonly [string, (number: number) => void][] = [
  ['gone', (number) => rmSync(entry(number))],
  ['cut off', (number) => writeFileSync(entry(number), readFileSync(entry(number)).subarray(0, 200))],
  ['flipped', (number) => flipBit(entry(number), readFileSync(entry(number)).indexOf('"note":"') + 9)],
  [
    'a folder',
    (number) => {
      rmSync(entry(number));
      mkdirSync(entry(number));
    },
  ],
];

describe.each(HARMS)('repair of an entry that is %s', (what, harm) => {
  describe.each([1, 2, 3, 4, 5])('number %d', (number) => {
    test.each(['index', 'HEAD', 'nothing'] as const)('with %s', async (left) => {
      await made.workspace.close();
      if (left !== 'index') rmSync(join(made.root, '.snap/index'), { recursive: true });
      if (left === 'nothing') rmSync(join(made.root, '.snap/HEAD'));
      harm(number);
      // Nobody can know then that there was one, or that it was another one.
      const isUnknown = left === 'nothing' && number === 5 && (what === 'gone' || what === 'flipped');
      await made.reopen();
      const before = storeHashes(made.store);
      const plan = await repair(made.workspace, { dryRun: true });
      expect(storeHashes(made.store)).toEqual(before);
      expect(plan.remains).toBe(!isUnknown);
      const done = await repair(made.workspace);
      expect(done.remains).toBe(false);
      if (isUnknown) return;
      expect(done.mend).toMatchObject({
        source: left === 'index' && what !== 'flipped' ? 'index' : expect.any(String),
      });
      // Of a tag in a lost entry only the index knows.
      if (left === 'index') expect(made.workspace.repository.state().refs.has('tags/v2' as never)).toBe(true);
      if (left !== 'nothing') expect(made.workspace.repository.head().snapshot).toBe(ids[3]);
      await expectMended(ids);
    });
  });
});

test('the commands: told, planned, mended, and told that it was, each with its exit code', async () => {
  await withoutIndex();
  writeFileSync(entry(3), '');
  const run = (...args: string[]): ReturnType<typeof snap> => snap(['-C', made.root, ...args]);
  expect(run('log')).toMatchObject({ code: 20, stderr: expect.stringContaining('snap repair') });
  const plan = run('repair', '--dry-run');
  expect(plan).toMatchObject({
    code: 20,
    stdout: expect.stringContaining('a base would stand for the entries up to 5'),
  });
  expect(JSON.parse(run('repair', '-n', '--json').stdout)).toMatchObject({ mend: { base: 5, isExact: false } });
  const done = run('repair');
  expect(done).toMatchObject({ code: 0, stderr: '' });
  expect(done.stdout).toMatch(/snapshot [0-9a-f]{10} is in the log again\n.*tags of it may be missing/);
  expect(done.stdout).toContain('quarantine/000000000003.json');
  expect(run('verify', '--data')).toMatchObject({ code: 0, stdout: expect.stringContaining('replaced by a base') });
  expect(run('log').stdout.trim().split('\n')).toHaveLength(4);
  expect(run('op', 'log').code).toBe(0);
  expect(run('reindex').code).toBe(0);
  expect(run('undo', 'j6')).toMatchObject({ code: 1, stderr: expect.stringContaining('cannot be undone') });
  await made.reopen();
});

describe('others of a shared store', () => {
  let beside: string;
  const attach = async (): Promise<void> => {
    beside = `${made.root}-beside`;
    await initWorkspace(beside, { store: made.store });
    cpSync(join(made.root, 'notes'), join(beside, 'notes'));
    const other = await open(beside);
    await commit(other, { message: 'of B' });
    await other.close();
  };

  test.each([2, 3, 4, 5, 6])('who knew the state before goes on after a repair of entry %d', async (number) => {
    await attach();
    await made.reopen();
    rmSync(entry(number));
    await made.reopen();
    await repair(made.workspace);
    const other = await open(beside);
    // The end has other numbers now: it has to look for itself that nothing is missing.
    if (number === 6) expect(await repair(other)).toMatchObject({ remains: false, mend: { entry: undefined } });
    expect(other.repository.damage).toBeUndefined();
    const { snapshot } = other.repository.head();
    expect(snapshot).not.toBeNull();
    expect(encodeState(other.repository.state())).toEqual(encodeState(made.workspace.repository.state()));
    writeFileSync(join(beside, 'more'), 'more');
    await commit(other, { message: 'goes on' });
    await gc(other, { rules: { keepLast: 2 }, now: true });
    expect((await verifyAll(other)).faults).toEqual([]);
    await other.close();
    await made.reopen();
    expect(made.workspace.repository.head().snapshot).toBe(ids[3]);
    expect(made.workspace.repository.state().refs.has(snapshotRef(ids[3] as BlobId))).toBe(true);
  });

  test('what only another one knows comes back with its own repair', async () => {
    await attach();
    await withoutIndex();
    // The tag was in it.
    rmSync(entry(3));
    await made.reopen();
    const { mend } = await repair(made.workspace);
    expect(mend).toMatchObject({ isExact: false, base: 6, snapshots: [ids[1]], tags: [] });
    const other = await open(beside);
    expect(other.repository.damage?.message).toMatch(/entry 7 does not fit/);
    expect(await repair(other)).toMatchObject({ remains: false, mend: { tags: ['tags/v2'] } });
    await other.close();
    await expectMended(ids);
    expect(made.workspace.repository.state().refs.has('tags/v2' as never)).toBe(true);
  });

  test('somebody who takes the number first is not written over', async () => {
    await attach();
    await made.reopen();
    rmSync(entry(6));
    await made.reopen();
    const plan = await planMend(made.workspace.repository, undefined);
    if (plan === undefined) throw new Error('no plan');
    const fresh = `${made.root}-third`;
    await initWorkspace(fresh, { store: made.store });
    writeFileSync(join(fresh, 'third'), 'third');
    const third = await open(fresh);
    const { id } = await commit(third, { message: 'of C' });
    await third.close();
    await expect(mendJournal(made.workspace.repository, plan)).rejects.toBeInstanceOf(Overtaken);
    expect(await repair(made.workspace)).toMatchObject({ remains: false });
    expect(made.workspace.repository.state().refs.has(snapshotRef(id as BlobId))).toBe(true);
    await expectMended(ids);
  });
});

test('a flipped bit in an entry is found by the next one', async () => {
  flipBit(entry(3), readFileSync(entry(3)).indexOf('"note":"') + 9);
  await withoutIndex();
  await made.reopen();
  await expectDamage(made.workspace, /entry 4 does not fit/);
});
