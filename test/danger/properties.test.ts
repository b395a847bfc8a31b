/**
 * The properties of test/RELIABILITY.md that need random folders; those of random histories are in
 * properties-history.test.ts. P1 to P3 are in test/chunk for small sizes, P5 in test/object, test/pack and the fuzz targets,
 * P11 in test/gc/retention-properties.test.ts, P14 in model.test.ts. SNAP_SEED and the printed run replay a failure:
 * SNAP_SEED=… SNAP_RUN=n.
 */
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { diff } from '../../src/api/diff.ts';
import { defaultChunkParams } from '../../src/chunk/chunk-params.ts';
import { createCutter } from '../../src/chunk/cutter.ts';
import { gearTable } from '../../src/chunk/gear-table.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { blobIdOf } from '../../src/object/blob-id.ts';
import { entryNameFault } from '../../src/object/entry-name.ts';
import type { TreeEntry } from '../../src/object/tree-entry.ts';
import { ENTRY_KIND, sameContent, sameMetadata } from '../../src/object/tree-entry.ts';
import type { Repository } from '../../src/repo/repository.ts';
import { walkTree } from '../../src/repo/tree-diff.ts';
import { amount, SEED } from '../kit/amount.ts';
import { fingerprint, noise } from '../kit/folder.ts';
import { fillRandomly } from '../kit/random-folder.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';
import { RUNS, TIMEOUT, times, whole } from './random-runs.ts';

let made: TestWorkspace;

beforeAll(async () => {
  made = await makeWorkspace();
});
afterAll(() => made.cleanup());

const INSERTIONS = 20;

test('P1, P2, P4 at the sizes that stores have: an insertion makes few chunks new', { timeout: TIMEOUT }, async () => {
  const cutter = createCutter(defaultChunkParams, gearTable());
  const { minBytes, maxBytes } = defaultChunkParams;
  const idsOf = (file: Buffer): BlobId[] => {
    const ids: BlobId[] = [];
    for (let start = 0; start < file.length; ) {
      const length = cutter.cut(file, start, file.length, true);
      const isLast = start + length === file.length;
      if (length > maxBytes || (length < minBytes && !isLast) || length === 0)
        throw new Error(`a chunk of ${length} bytes`);
      ids.push(blobIdOf(file.subarray(start, start + length)));
      start += length;
    }
    return ids;
  };
  let file: Buffer = Buffer.alloc(0);
  let old = new Set<BlobId>();
  const over: number[] = [];
  await times(amount({ sample: 5, ordinary: 200, long: 2000 }), (random) => {
    // What an insertion does depends on the file around it: no file speaks for all.
    if (over.length % INSERTIONS === 0) {
      file = noise(12_000_000, 1 + whole(random, 1e9));
      old = new Set(idsOf(file));
    }
    const at = whole(random, file.length);
    const inserted = noise([1, 10, 1000, 70_000, 500_000][whole(random, 5)] ?? 1, 1 + whole(random, 1e9));
    const fresh = idsOf(Buffer.concat([file.subarray(0, at), inserted, file.subarray(at)])).filter(
      (id) => !old.has(id),
    );
    over.push(fresh.length - inserted.length / minBytes);
  });
  // Two masks two bits apart need more chunks to fall into step than one mask: 1 half of the time; of 6,000 insertions into
  // three files 27 took more than 7, and none more than 9.
  over.sort((a, b) => a - b);
  expect(over[Math.floor(over.length / 2)], `SNAP_SEED=${SEED}`).toBeLessThanOrEqual(3);
  expect(over[Math.floor(over.length * 0.99)], `SNAP_SEED=${SEED}`).toBeLessThanOrEqual(over.length < 100 ? 12 : 9);
});

test('P6, P7: what is committed comes back, and a second commit stores nothing', { timeout: TIMEOUT }, async () => {
  const to = resolve(made.root, '../out');
  await times(RUNS, async (random) => {
    fillRandomly(made.root, random);
    const { id } = await commit(made.workspace, { message: 'random', allowEmpty: true });
    if (id === undefined) throw new Error('no snapshot');
    const before = fingerprint(made.root);
    const packs = made.workspace.repository.state().packs.size;
    for (const rescan of [false, true])
      expect((await commit(made.workspace, { rescan })).id, rescan ? 'rescan' : 'again').toBeUndefined();
    expect(made.workspace.repository.state().packs.size).toBe(packs);
    const result = await checkout(made.workspace, { revision: id, to });
    expect(result.failures).toEqual([]);
    expect(fingerprint(to)).toEqual(before);
    rmSync(to, { recursive: true });
  });
});

type Entries = Map<string, TreeEntry>;

async function entriesOf(repository: Repository, id: BlobId): Promise<Entries> {
  const entries: Entries = new Map();
  const { tree } = await repository.trees.snapshot(id);
  for await (const { path, entry } of walkTree(repository.trees, tree)) entries.set(path, entry);
  return entries;
}

test('P12: what diff tells, done to the one snapshot, gives the other', { timeout: TIMEOUT }, async () => {
  await times(RUNS, async (random) => {
    const ids: BlobId[] = [];
    for (let n = 0; n < 2; n++) {
      fillRandomly(made.root, random);
      const { id } = await commit(made.workspace, { allowEmpty: true });
      if (id !== undefined) ids.push(id);
    }
    const [from, to] = ids;
    if (from === undefined || to === undefined) throw new Error('no snapshot');
    for (const [a, b] of [
      [from, to],
      [to, from],
    ] as const)
      await checkDiff(a, b, random() < 0.5);
  });
});

/** Paths of all but folders: one that is new or gone shows in what is in it. */
function contents(entries: Entries): string[] {
  return [...entries]
    .filter(([, { kind }]) => kind !== ENTRY_KIND.folder)
    .map(([path]) => path)
    .sort();
}

async function checkDiff(from: BlobId, to: BlobId, renames: boolean): Promise<void> {
  const { repository } = made.workspace;
  const entries = await entriesOf(repository, from);
  const wanted = await entriesOf(repository, to);
  const told = await diff(made.workspace, { from, to, renames, metadata: true, foldFolders: false });
  const changes = [];
  for await (const change of told.changes) changes.push(change);
  told.close();
  // First all that goes, then all that comes: a folder that was renamed takes along what is in it.
  const coming: Entries = new Map();
  for (const { kind, path, from: old, before, after } of changes) {
    if (kind === 'removed') expect(entries.delete(path), `${path} was there`).toBe(true);
    if (kind !== 'renamed' || old === undefined) continue;
    expect(entries.delete(old), `${old} was there`).toBe(true);
    if (before?.kind !== ENTRY_KIND.folder || after?.kind !== ENTRY_KIND.folder) continue;
    for (const [inside, entry] of [...entries]) {
      if (!inside.startsWith(`${old}/`)) continue;
      entries.delete(inside);
      coming.set(path + inside.slice(old.length), entry);
    }
  }
  for (const [path, entry] of coming) entries.set(path, entry);
  for (const { kind, path, after } of changes) if (kind !== 'removed' && after !== undefined) entries.set(path, after);
  const shown = changes.map(({ kind, path, from: old }) => `${kind} ${old ?? ''} ${path}`).join('\n');
  expect(contents(entries), shown).toEqual(contents(wanted));
  for (const [path, entry] of wanted) {
    const isFolder = entry.kind === ENTRY_KIND.folder;
    const ours = entries.get(path);
    if (isFolder && ours === undefined) continue;
    // The time and the tree of a folder are no change by themselves.
    const same =
      ours !== undefined &&
      ours.kind === entry.kind &&
      (isFolder ? ours.mode === entry.mode : sameContent(ours, entry) && sameMetadata(ours, entry));
    expect(same, path).toBe(true);
  }
}

test('P10: a name that a tree may hold stays in its folder', () => {
  const parts = ['.', '..', '/', '\0', '.snap', 'S', 'a', ' ', ':', '\u200c', '\udcff', '~1', '\\'];
  return times(RUNS * 100, (random) => {
    const name = Array.from({ length: 1 + whole(random, 4) }, () => parts[whole(random, parts.length)]).join('');
    if (entryNameFault(name) !== undefined) return;
    const path = resolve('/root/folder', name);
    expect(path.slice(0, path.lastIndexOf('/'))).toBe('/root/folder');
    expect(/^\.snap[. ]*(?::|$)/i.test(name)).toBe(false);
  });
});
