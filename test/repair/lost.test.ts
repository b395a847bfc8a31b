/** What is lost, what that costs, and from where it may come back: files, quarantine, packs of the dead, the index. */
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { status } from '../../src/api/history.ts';
import { repair } from '../../src/api/repair.ts';
import { tag } from '../../src/api/tag.ts';
import { undo } from '../../src/api/undo.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { BLOB_KIND } from '../../src/object/blob-id.ts';
import { readPicture, samePicture } from '../kit/crash/stage.ts';
import { flipBit, packPaths, verifyAll } from '../kit/damage.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { scratchFolder } from '../kit/small-workspace.ts';
import { makeTwoSnapshots, twoSnapshots } from './two-snapshots.ts';

const folder = scratchFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let base: SmallWorkspace;
let made: SmallWorkspace;
let first: BlobId;
let second: BlobId;

beforeAll(async () => {
  ({ base, first, second } = await makeTwoSnapshots(join(folder, 'base')));
});
beforeEach(async () => {
  made = await base.copy();
});
afterEach(() => made.close());

const { store, expectAll, emptyFolder, chunkOf, placeOf, spoil } = twoSnapshots(() => made);

describe('what is lost', () => {
  test('one chunk costs one file; dropped when asked, and brought back by undo', async () => {
    const path = await spoil(first, 'data/a');
    emptyFolder();
    await made.reopen();
    const result = await repair(made.workspace);
    expect(result).toMatchObject({ lostBlobs: 1, remains: true });
    expect(result.hits?.listed).toEqual([{ path: 'data/a', snapshots: [second, first] }]);
    expect(result.packs).toMatchObject([
      { state: 'damaged', fate: 'replaced', quarantine: `quarantine/${basename(path)}` },
    ]);
    const { faults, missingBlobs } = await verifyAll(made.workspace);
    expect({ faults: faults.length, missingBlobs }).toEqual({ faults: 1, missingBlobs: 1 });

    const plan = await repair(made.workspace, { dryRun: true, dropDamaged: true });
    expect(plan.dropped.map(({ from, paths }) => ({ from, paths }))).toEqual([
      { from: second, paths: ['data/a'] },
      { from: first, paths: ['data/a'] },
    ]);
    const { dropped, entry } = await repair(made.workspace, { dropDamaged: true });
    expect(dropped).toEqual(plan.dropped);
    await made.reopen();
    expect((await verifyAll(made.workspace)).faults).toEqual([]);
    const { repository } = made.workspace;
    const now = new Map(dropped.map(({ from, to }) => [from, to]));
    expect(repository.head().snapshot).toBe(now.get(second));
    expect(repository.state().refs.get('tags/v1' as never)).toBe(now.get(first));
    for (const { from, to } of dropped) {
      if (to === null) throw new Error('a snapshot is gone');
      const expected = new Map(made.pictures.get(from));
      expected.delete('data/a');
      expect(samePicture(await readPicture(repository, to), expected)).toBe(true);
      const snapshot = await repository.trees.snapshot(to);
      expect(snapshot.meta).toEqual({ 'snap.repaired-from': from });
      expect(snapshot.skipped).toEqual([{ path: 'data/a', reason: 'lost from the store' }]);
      expect(snapshot.totals.files).toBe([...expected.values()].filter((what) => what !== 'folder').length);
    }
    // Ancestry goes on from the one in the place of the parent.
    expect((await status(made.workspace)).head).toBeDefined();
    await checkout(made.workspace, { revision: 'HEAD~1' });
    expect(repository.head().snapshot).toBe(now.get(first));
    await checkout(made.workspace, { revision: now.get(second) ?? '' });

    await undo(made.workspace, { operation: `j${entry}` });
    expect(repository.state().refs.get('tags/v1' as never)).toBe(first);
    expect((await repair(made.workspace)).lostBlobs).toBe(1);
    await expect(undo(made.workspace, { operation: `j${(entry ?? 0) - 1}` })).rejects.toMatchObject({
      code: 'refused',
    });
  });

  test('a file with the content that comes back later heals it, by commit or by repair', async () => {
    await spoil(first, 'data/a');
    const bytes = readFileSync(join(made.root, 'data/a'));
    rmSync(join(made.root, 'data/a'));
    expect((await repair(made.workspace)).lostBlobs).toBe(1);
    made.write('elsewhere', bytes);
    await commit(made.workspace, { message: 'it is here' });
    expect((await verifyAll(made.workspace)).faults).toEqual([]);
    await expectAll([first, second]);
  });

  test('a chunk is fetched from whatever file has it, and that is said', async () => {
    await spoil(first, 'data/a');
    renameSync(join(made.root, 'data/a'), join(made.root, 'moved'));
    const plan = await repair(made.workspace, { dryRun: true });
    const result = await repair(made.workspace);
    for (const { recovered } of [plan, result])
      expect(recovered).toMatchObject([{ kind: BLOB_KIND.data, from: 'folder', place: 'moved' }]);
    expect((await verifyAll(made.workspace)).faults).toEqual([]);
    await expectAll([first, second]);
  });

  test('a good copy of a pack in quarantine is used', async () => {
    const [large = ''] = packPaths(store());
    const copy = join(made.root, '../copy');
    copyFileSync(large, copy);
    await spoil(first, 'data/a');
    emptyFolder();
    await repair(made.workspace);
    copyFileSync(copy, join(store(), 'quarantine/from the other disk.pack'));
    const result = await repair(made.workspace);
    expect(result).toMatchObject({ recoveredCount: 1, lostBlobs: 0, remains: false });
    expect(result.recovered[0]).toMatchObject({ from: 'store', place: 'quarantine/from the other disk.pack' });
    expect((await verifyAll(made.workspace)).faults).toEqual([]);
    await expectAll([first, second]);
  });

  test('a missing pack stays listed while something of it is lost; put back, all is well', async () => {
    const [large = ''] = packPaths(store());
    const aside = join(made.root, '../aside');
    renameSync(large, aside);
    emptyFolder();
    await made.reopen();
    const result = await repair(made.workspace);
    expect(result.packs).toMatchObject([{ state: 'missing', fate: 'left' }]);
    expect(result.remains).toBe(true);
    renameSync(aside, large);
    expect((await repair(made.workspace)).remains).toBe(false);
    expect((await verifyAll(made.workspace)).faults).toEqual([]);
    await expectAll([first, second]);
  });

  test('trees and snapshots come back from the index; without it, trees come from the folder', async () => {
    for (const [kind, id] of [
      [BLOB_KIND.snapshot, second],
      [BLOB_KIND.tree, (await made.workspace.repository.trees.snapshot(second)).tree],
    ] as const) {
      const { path, payload } = await placeOf(kind, id);
      flipBit(path, payload + 3);
    }
    const result = await repair(made.workspace);
    expect(result.remains).toBe(false);
    expect(result.recovered.some(({ from }) => from === 'index')).toBe(true);
    await made.workspace.close();
    rmSync(join(made.root, '.snap/index'), { recursive: true });
    await made.reopen();
    await expectAll([first, second]);
  });

  test('a snapshot whose record is nowhere goes with --drop-damaged, with its tags', async () => {
    await tag(made.workspace, 'gone');
    const { path, payload } = await placeOf(BLOB_KIND.snapshot, second);
    await made.workspace.close();
    flipBit(path, payload + 3);
    rmSync(join(made.root, '.snap/index'), { recursive: true });
    await made.reopen();
    const { dropped, remains } = await repair(made.workspace, { dropDamaged: true });
    expect(remains).toBe(false);
    expect(dropped).toEqual([{ from: second, to: null, paths: [] }]);
    expect([...made.workspace.repository.state().refs.values()]).toEqual([first, first]);
    expect(made.workspace.repository.head().snapshot).toBeNull();
    expect((await verifyAll(made.workspace)).faults).toEqual([]);
    await made.commit('goes on');
  });
});

test('a pack of a commit that died before its entry is a source too', async () => {
  const { path } = await placeOf(1, await chunkOf(first, 'data/a'));
  const other = join(store(), 'packs/ff');
  mkdirSync(other, { recursive: true });
  copyFileSync(path, join(other, `${'f'.repeat(32)}.pack`));
  await spoil(first, 'data/a');
  emptyFolder();
  const result = await repair(made.workspace);
  expect(result).toMatchObject({ remains: false, recoveredCount: 1 });
  expect(statSync(join(other, `${'f'.repeat(32)}.pack`)).isFile()).toBe(true);
  await expectAll([first, second]);
});
