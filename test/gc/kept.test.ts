/** What gc must keep: by rules, as the last copy, as where another workspace is, and as what was saved by itself. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { gc, previewGc } from '../../src/api/gc.ts';
import { tag } from '../../src/api/tag.ts';
import { undo } from '../../src/api/undo.ts';
import { BLOB_KIND, blobIdOf } from '../../src/object/blob-id.ts';
import { snapshotRef } from '../../src/object/ref-name.ts';
import { encodeTree } from '../../src/object/tree.ts';
import type { EntryDraft } from '../../src/repo/journal.ts';
import { setTag } from '../../src/repo/tagging.ts';
import { fileEntry, publishTree } from '../danger/crafted.ts';
import { packPaths, verifyAll } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { makeSmallWorkspace, scratchFolder } from '../kit/small-workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';
import { smallSeries } from './small-series.ts';

const scratch = scratchFolder();
let made: SmallWorkspace;
let serial = 0;
beforeEach(async () => {
  made = await makeSmallWorkspace(join(scratch, `work-${++serial}`));
});
afterEach(() => made.close());
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const { series, isClean } = smallSeries(() => made);

test('of two copies of a blob the one in a pack that stays is enough, and the index learns where it is', async () => {
  // Less than the smallest chunk: one blob.
  const shared = noise(1000, 77);
  made.write('shared', shared);
  made.write('dead', noise(40_000, 5));
  await made.commit('first');
  // As of a workspace that did not know of the first one.
  const more = noise(20_000, 79);
  const tree = encodeTree([fileEntry('copy', shared), fileEntry('more', more)]);
  const blobs = [
    ...[shared, more].map((bytes) => ({ kind: BLOB_KIND.data, bytes })),
    { kind: BLOB_KIND.tree, bytes: tree },
  ];
  await setTag(made.workspace.repository, 'copy', await publishTree(made.workspace, blobs, blobIdOf(tree)), false);
  rmSync(join(made.root, 'dead'));
  await made.commit('second');
  const holders = (): string[] => packPaths(made.store).filter((path) => readFileSync(path).includes(shared));
  const copy = packPaths(made.store).filter((path) => readFileSync(path).includes(more));
  expect(holders()).toEqual(expect.arrayContaining(copy));
  expect(holders()).toHaveLength(2);
  expect((await gc(made.workspace, { rules: { keepLast: 1 }, now: true })).pruned).toHaveLength(1);
  expect(holders()).toEqual(copy);
  const { faults, structure } = await verifyAll(made.workspace);
  expect([faults, structure.index]).toEqual([[], expect.objectContaining({ missing: 0, wrong: 0 })]);
  const to = `${made.root}-out`;
  expect((await checkout(made.workspace, { revision: 'HEAD', to })).failures).toEqual([]);
  expect(readFileSync(join(to, 'shared')).equals(shared)).toBe(true);
});

describe('retention', () => {
  test('by the rules of config.toml: within an age, under a size, by tiers', async () => {
    await series(4);
    const config = join(made.root, '.snap/config.toml');
    const rules = '[gc]\nkeep-under = "1 GB"\ntiers = "7d:all"\nkeep-within = "1d"';
    writeFileSync(config, readFileSync(config, 'utf8').replace('[gc]', rules));
    await made.reopen();
    expect((await gc(made.workspace)).pruned).toEqual([]);
    const later = new Date(Date.now() + 30 * 86_400_000);
    await made.reopen({ now: () => later });
    made.write('big', 'small');
    await made.commit('a month later');
    expect((await gc(made.workspace)).pruned).toHaveLength(4);
    await isClean();
  });

  test('judges days in the zone of each snapshot, west of Greenwich too', async () => {
    // 22:30 and 23:30 of one day in New York, which are two days in Greenwich; and the next morning.
    const times = ['2026-03-01T03:30:00Z', '2026-03-01T04:30:00Z', '2026-03-01T15:00:00Z'];
    for (const [i, time] of times.entries()) {
      await made.reopen({ now: () => new Date(time), zoneMinutes: () => -300 });
      made.write('f', `${i}`);
      await made.commit(`number ${i}`);
    }
    const { verdicts } = await previewGc(made.workspace, { rules: { keepDaily: 2 } });
    expect(verdicts.map(({ keep, snapshot }) => [snapshot.message, keep])).toEqual([
      ['number 2', true],
      ['number 1', true],
      ['number 0', false],
    ]);
  });

  test('of a workspace whose first commit was taken back protects no HEAD', async () => {
    await series(1);
    await tag(made.workspace, 'kept');
    await undo(made.workspace);
    await undo(made.workspace);
    expect(made.workspace.repository.head().snapshot).toBeNull();
    const { pruned, sweptPacks } = await gc(made.workspace, { rules: { keepLast: 1 }, now: true });
    expect(pruned).toEqual([]);
    expect(sweptPacks).toBe(1);
    expect(packPaths(made.store)).toEqual([]);
  });
});

describe('after a repair that took the snapshot of another workspace away, that workspace is at', () => {
  /** The reasons for which the snapshot that took its place, or would have, is kept when only one is. */
  const reasonsAfter = async (inItsPlace: boolean): Promise<readonly string[]> => {
    const other = await makeWorkspace({ store: made.store, files: { g: 'g' } });
    try {
      made.write('f', 'f');
      await made.commit('base');
      const lost = await other.commit('damaged');
      const tree = encodeTree([]);
      await made.workspace.repository.refresh();
      const repaired = await publishTree(made.workspace, [{ kind: BLOB_KIND.tree, bytes: tree }], blobIdOf(tree));
      const draft: EntryDraft = {
        operation: 'repair',
        note: '',
        workspace: made.workspace.repository.workspaceId,
        refs: [{ name: snapshotRef(lost), from: lost, to: null }],
        grafts: inItsPlace ? { [lost]: repaired } : {},
      };
      await made.workspace.repository.publish(draft, {}, () => draft);
      made.write('f', 'newest');
      await made.commit('newest');
      const { verdicts } = await previewGc(made.workspace, { rules: { keepLast: 1 } });
      return verdicts.find(({ id }) => id === repaired)?.reasons ?? [];
    } finally {
      await other.cleanup();
    }
  };

  test('what took its place: that is kept as its HEAD', async () => {
    expect(await reasonsAfter(true)).toEqual(['HEAD']);
  });

  test('none, if nothing took its place', async () => {
    expect(await reasonsAfter(false)).toEqual(['no rule']);
  });
});

test('keep-under prunes no autosave of the last week, and says by how much it is over with it', async () => {
  await series(3);
  made.write('big', noise(30_000, 77));
  await checkout(made.workspace, { revision: 'HEAD~1' });
  const { pruned } = await gc(made.workspace, { rules: { keepUnder: 75_000 }, now: true });
  expect(pruned.map(({ snapshot }) => snapshot.message)).toEqual(['number 1']);
  const { overBytes } = await gc(made.workspace, { rules: { keepUnder: 60_000 }, now: true });
  expect(overBytes).toBeGreaterThan(0);
  await isClean();
});
