/**
 * The properties of test/RELIABILITY.md that need random histories: what gc keeps, and what an index is when it is built
 * again. SNAP_SEED and the printed run replay a failure: SNAP_SEED=… SNAP_RUN=n.
 */
import { Level } from 'level';
import { expect, test } from 'vitest';
import { commit } from '../../src/api/commit.ts';
import { gc } from '../../src/api/gc.ts';
import { reindex } from '../../src/api/reindex.ts';
import { tag } from '../../src/api/tag.ts';
import { openWorkspaceIn } from '../../src/api/workspace.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { processEnvironment } from '../../src/environment.ts';
import { snapshotOfRef } from '../../src/object/ref-name.ts';
import { ENTRY_KIND } from '../../src/object/tree-entry.ts';
import type { Repository } from '../../src/repo/repository.ts';
import { walkTree } from '../../src/repo/tree-diff.ts';
import { amount } from '../kit/amount.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import { fillRandomly } from '../kit/random-folder.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';
import { TIMEOUT, times, whole } from './random-runs.ts';

const HISTORIES = amount({ sample: 1, ordinary: 20, long: 100 });

/** A workspace with a random history of commits, tags and prunings. */
async function withHistory(
  random: () => number,
  check: (work: TestWorkspace, kept: Set<string>) => Promise<void>,
): Promise<void> {
  await using work = await makeWorkspace();
  const kept = new Set<string>();
  for (let step = 0; step < 8; step++) {
    const action = whole(random, 6);
    if (action < 4) {
      fillRandomly(work.root, random);
      const { id } = await commit(work.workspace, { allowEmpty: true });
      if (id !== undefined) kept.add(id);
    } else if (action === 4 && kept.size > 0) {
      const id = [...kept][whole(random, kept.size)] ?? '';
      await tag(work.workspace, `t${step}`, { revision: id, force: true });
    } else if (kept.size > 0) {
      const result = await gc(work.workspace, { rules: { keepLast: 1 + whole(random, 3) }, now: true });
      expect(result).toBeDefined();
      for (const id of kept)
        if (!work.workspace.repository.state().refs.has(`snapshots/${id}` as never)) kept.delete(id);
    }
  }
  await check(work, kept);
}

/** All that refs lead to, walked one object after the other. */
async function reachedIn(repository: Repository): Promise<Set<string>> {
  const reached = new Set<string>();
  for (const name of repository.state().refs.keys()) {
    const id = snapshotOfRef(name);
    if (id === undefined) continue;
    const { tree } = await repository.trees.snapshot(id);
    for (const one of [id, tree]) reached.add(one);
    for await (const { entry } of walkTree(repository.trees, tree)) {
      if (entry.kind === ENTRY_KIND.folder) reached.add(entry.tree);
      if (entry.kind !== ENTRY_KIND.file) continue;
      if ('list' in entry.content) reached.add(entry.content.list);
      for await (const chunk of repository.trees.chunks(entry)) reached.add(chunk.id);
    }
  }
  return reached;
}

test('P8: gc keeps what refs reach, and no pack that holds nothing of it', { timeout: TIMEOUT }, () =>
  times(HISTORIES, (random) =>
    withHistory(random, async ({ workspace }) => {
      await gc(workspace, { rules: { keepLast: 2 }, now: true });
      const { repository } = workspace;
      const reached = await reachedIn(repository);
      const stored = new Set<string>();
      for (const pack of repository.state().packs.keys()) {
        let all = 0;
        let needed = 0;
        for (const block of (await repository.blobs.footer(pack)).blocks) {
          // A blob's share of what its block takes on the disk: a hole of megabytes takes nothing.
          const share = block.storedLength / block.rawLength;
          for (const blob of block.blobs) {
            stored.add(blob.id);
            all += blob.length * share;
            needed += reached.has(blob.id) ? blob.length * share : 0;
          }
        }
        // A quarter of a pack may be garbage before it is written anew; headers and footers are not counted here.
        expect(needed, `pack ${pack} of ${all} bytes`).toBeGreaterThan(all * 0.5);
      }
      expect([...reached].filter((id) => !stored.has(id))).toEqual([]);
    }),
  ),
);

/** Every key and value of an index, folder records left out: those are not rebuilt. */
async function dump(folder: string): Promise<Map<string, string>> {
  const database = new Level<Uint8Array, Uint8Array>(folder, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    compression: false,
  });
  const found = new Map<string, string>();
  for await (const [key, value] of database.iterator())
    if (key[0] !== 0x66) found.set(Buffer.from(key).toString('latin1'), Buffer.from(value).toString('hex'));
  await database.close();
  return found;
}

test('P13: an index that is built again is the one that grew, key by key', { timeout: TIMEOUT }, () =>
  times(HISTORIES, (random) =>
    withHistory(random, async (work) => {
      const packs = work.workspace.repository.state().packs;
      const reached = await reachedIn(work.workspace.repository);
      await work.workspace.close();
      const grown = await dump(`${work.root}/.snap/index`);
      await reindex(work.root);
      const built = await dump(`${work.root}/.snap/index`);
      // Locations in packs that are gone answer nothing, and objects of pruned snapshots are not asked for.
      for (const [key, value] of grown) {
        const gone =
          key[0] === 'b'
            ? !packs.has(value.slice(0, 32) as never)
            : key[0] === 'o' && !reached.has(Buffer.from(key, 'latin1').toString('hex', 2));
        if (gone) grown.delete(key);
      }
      expect([...grown.keys()].sort()).toEqual([...built.keys()].sort());
      for (const [key, value] of built) if (key[0] !== 'b') expect(grown.get(key), key).toBe(value);
      await sameLocations(work.root, grown, built);
      await work.reopen();
    }),
  ),
);

/** Where two locations differ, the blob lies at both. */
async function sameLocations(root: string, grown: Map<string, string>, built: Map<string, string>): Promise<void> {
  const workspace = await openWorkspaceIn(processEnvironment('snap test'), inlineWorkers(realDisk), root);
  try {
    const places = new Set<string>();
    for (const pack of workspace.repository.state().packs.keys())
      for (const block of (await workspace.repository.blobs.footer(pack)).blocks) {
        let offset = 0;
        for (const blob of block.blobs) {
          places.add(`${blob.kind} ${blob.id} ${pack} ${block.offset} ${offset}`);
          offset += blob.length;
        }
      }
    for (const [key, value] of [...grown, ...built]) {
      if (key[0] !== 'b') continue;
      const [id, bytes] = [Buffer.from(key, 'latin1'), Buffer.from(value, 'hex')];
      const place = `${id[1]} ${id.toString('hex', 2)} ${bytes.toString('hex', 0, 16)} ${bytes.readUInt32LE(16)} ${bytes.readUInt32LE(28)}`;
      expect(places.has(place), place).toBe(true);
    }
  } finally {
    await workspace.close();
  }
}
