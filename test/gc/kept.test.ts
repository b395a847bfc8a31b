/** Gc beside others who publish, of stores that are damaged, and by rules: what it must keep, and what it may not trust. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { gc, previewGc } from '../../src/api/gc.ts';
import { tag } from '../../src/api/tag.ts';
import { undo } from '../../src/api/undo.ts';
import { openWorkspace } from '../../src/api/workspace.ts';
import { processEnvironment } from '../../src/environment.ts';
import type { GcOptions, GcResult } from '../../src/gc/gc.ts';
import { gc as gcIn } from '../../src/gc/gc.ts';
import { BLOB_KIND, blobIdOf } from '../../src/object/blob-id.ts';
import { snapshotRef } from '../../src/object/ref-name.ts';
import { encodeTree } from '../../src/object/tree.ts';
import type { EntryDraft } from '../../src/repo/journal.ts';
import { readEntry } from '../../src/repo/journal.ts';
import { packName } from '../../src/repo/layout.ts';
import type { Repository } from '../../src/repo/repository.ts';
import { beginSession } from '../../src/repo/session.ts';
import { setTag } from '../../src/repo/tagging.ts';
import type { Backend } from '../../src/storage/backend.ts';
import { fileEntry, publishTree } from '../danger/crafted.ts';
import { flipBit, packBytes, packPaths, verifyAll } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { makeSmallWorkspace, scratchFolder } from '../kit/small-workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

const scratch = scratchFolder();
let made: SmallWorkspace;
let serial = 0;
beforeEach(async () => {
  made = await makeSmallWorkspace(join(scratch, `work-${++serial}`));
});
afterEach(() => made.close());
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const operations = async (): Promise<string[]> => {
  const found: string[] = [];
  for (let number = 1; ; number++) {
    const next = await readEntry(made.workspace.repository.backend, number);
    if (next === undefined) return found;
    found.push(next.entry.operation);
  }
};
/** Snapshots that each replace the same file, which nothing else needs. */
const series = async (count: number): Promise<void> => {
  for (let i = 1; i <= count; i++) {
    made.write('big', noise(20_000, 2 * i + 1));
    await made.commit(`number ${i}`);
  }
};
const isClean = async (): Promise<void> => expect((await verifyAll(made.workspace)).faults).toEqual([]);
const run = (repository: Repository, more: Partial<GcOptions> = {}): Promise<GcResult> =>
  gcIn(repository, made.workspace.workers, {
    rules: { keepLast: 1 },
    all: false,
    now: true,
    signal: undefined,
    progress: () => undefined,
    exclusively: (work) => made.workspace.exclusively(work),
    ...more,
  });
/** The repository with another way to its store. */
const over = (backend: Partial<Backend>): Repository => {
  const { repository } = made.workspace;
  return { ...repository, backend: { ...repository.backend, ...backend } };
};
/** The repository, with `meddle` before each try to publish an entry of `operation`. */
const meddling = (operation: EntryDraft['operation'], meddle: () => Promise<unknown>): Repository => {
  const { repository } = made.workspace;
  return {
    ...repository,
    publish: async (draft, changes, check) => {
      if (draft.operation === operation) await meddle();
      return repository.publish(draft, changes, check);
    },
  };
};
describe('others who publish', () => {
  const elsewhere = async (work: (repository: Repository) => Promise<unknown>): Promise<void> => {
    const other = await openWorkspace(made.root);
    await work(other.repository);
    await other.close();
  };

  test('before each try make it give up with nothing lost, and it goes on later', async () => {
    await series(3);
    let tries = 0;
    const busy = meddling('prune', () =>
      elsewhere((repository) => setTag(repository, `t${++tries}`, repository.head().snapshot as never, false)),
    );
    await expect(run(busy)).rejects.toMatchObject({ code: 'conflict' });
    expect(tries).toBe(8);
    expect(made.workspace.repository.state().refs.size).toBe(3 + 8);
    expect((await gc(made.workspace, { rules: { keepLast: 1 } })).pruned).toHaveLength(2);
    await isClean();
  });

  test('while it cannot read something do not make it go on for ever', async () => {
    await series(2);
    for (const pack of packPaths(made.store)) rmSync(pack);
    let tries = 0;
    const { repository } = made.workspace;
    const busy = over({
      list: async function* (folder) {
        yield* repository.backend.list(folder);
      },
      get: async (name, range) => {
        if (name.startsWith('packs/') && tries < 20)
          await elsewhere((other) => setTag(other, `t${++tries}`, other.head().snapshot as never, false));
        return repository.backend.get(name, range);
      },
    });
    await expect(run(busy, { rules: {} })).rejects.toMatchObject({ code: 'corrupt-data' });
    expect(tries).toBeLessThan(20 + 1);
  });

  test('right before the sweep make it look again', async () => {
    await series(3);
    let done = false;
    const busy = meddling('sweep', async () => {
      if (done) return;
      done = true;
      await elsewhere((repository) => setTag(repository, 'meanwhile', repository.head().snapshot as never, false));
    });
    await run(busy);
    await isClean();
    expect(made.workspace.repository.state().condemned.size).toBe(0);
  });
});

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

describe('what cannot be trusted', () => {
  test('a damaged pack frees nothing in the preview, and nothing of it is removed', async () => {
    await series(2);
    await tag(made.workspace, 'v', { revision: 'HEAD~1' });
    const [pack = ''] = packPaths(made.store);
    flipBit(pack, statSync(pack).size - 20);
    const preview = previewGc(made.workspace, { rules: { keepLast: 1 } });
    await expect(preview).rejects.toMatchObject({ code: 'corrupt-data' });
    expect(statSync(pack).size).toBeGreaterThan(0);
  });

  test('a damaged pack that waits to be swept counts neither as free nor as used, and stays', async () => {
    await series(3);
    const other = beginSession(processEnvironment('another'), made.workspace.repository.backend);
    const { waiting, condemnedPacks } = await gc(made.workspace, { rules: { keepLast: 1 } });
    expect(waiting).toMatchObject({ reason: 'sessions', packs: condemnedPacks });
    other.end();
    const damaged = [...made.workspace.repository.state().condemned];
    expect(damaged).toHaveLength(condemnedPacks);
    const paths = damaged.map((id) => join(made.store, packName(id)));
    expect((await previewGc(made.workspace)).freeBytes).toBe(paths.reduce((sum, path) => sum + statSync(path).size, 0));
    for (const path of paths) flipBit(path, statSync(path).size - 20);
    await made.reopen();
    expect(await previewGc(made.workspace)).toMatchObject({ freeBytes: 0, storeBytes: packBytes(made.store) });
    const result = await gc(made.workspace, { now: true });
    expect(result).toMatchObject({ sweptPacks: 0, freedBytes: 0 });
    expect(result.damaged.map(({ pack }) => pack).sort()).toEqual(damaged.sort());
    for (const path of paths) expect(existsSync(path)).toBe(true);
  });

  test('an index with another state than the journal stops gc', async () => {
    await series(2);
    const { repository } = made.workspace;
    const other: Repository = { ...repository, state: () => ({ ...repository.state(), refs: new Map() }) };
    await expect(run(other)).rejects.toMatchObject({ code: 'corrupt-data' });
    expect(await operations()).not.toContain('prune');
  });

  test('a journal entry that is missing in the middle stops gc', async () => {
    await series(3);
    rmSync(join(made.store, 'journal', readdirSync(join(made.store, 'journal')).sort()[1] ?? ''));
    await expect(gc(made.workspace, { rules: { keepLast: 1 } })).rejects.toMatchObject({ code: 'corrupt-data' });
    expect(packPaths(made.store)).toHaveLength(3);
  });

  test.each([1, 2, 3])('a block that reads wrong once is read again: the read number %i of it', async (which) => {
    made.write('live', noise(3000, 1));
    made.write('dead', noise(20_000, 3));
    await made.commit('both');
    rmSync(join(made.root, 'dead'));
    await made.commit('one');
    const { backend } = made.workspace.repository;
    const live = noise(3000, 1);
    let reads = 0;
    const flaky = over({
      get: async (name, range) => {
        const bytes = await backend.get(name, range);
        const found = bytes?.indexOf(live) ?? -1;
        if (bytes !== undefined && found >= 0 && range !== undefined && ++reads === which)
          bytes[found] = (bytes[found] ?? 0) ^ 1;
        return bytes;
      },
    });
    expect(await run(flaky)).toMatchObject({ damaged: [], rewrittenPacks: 1 });
    expect(reads).toBeGreaterThanOrEqual(which);
    await isClean();
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
