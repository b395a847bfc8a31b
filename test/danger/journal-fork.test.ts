/** Danger: a store that was set back, and another workspace's entries in the place of those that this one has seen. */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { commit } from '../../src/api/commit.ts';
import { repair } from '../../src/api/repair.ts';
import { tag } from '../../src/api/tag.ts';
import { initWorkspace } from '../../src/api/workspace.ts';
import { hasCode } from '../../src/errors.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { snapshotRef } from '../../src/object/ref-name.ts';
import { noise } from '../kit/folder.ts';
import { makeSmallHistory } from '../kit/small-history.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { scratchFolder } from '../kit/small-workspace.ts';
import { entriesOf, expectDamage, open } from './lost-entries.ts';

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

const { entry, expectMended } = entriesOf(() => made);

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
