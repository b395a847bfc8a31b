/** Repair: what is mended, from where, what is lost, and what stays untouched. Kinds of damage are in test/danger/repair.test.ts. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { gc } from '../../src/api/gc.ts';
import { status } from '../../src/api/history.ts';
import { repair } from '../../src/api/repair.ts';
import { tag } from '../../src/api/tag.ts';
import { undo } from '../../src/api/undo.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import { initWorkspace, openWorkspaceIn } from '../../src/api/workspace.ts';
import { commit as commitIn } from '../../src/commit/commit.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { processEnvironment } from '../../src/environment.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { BLOB_KIND } from '../../src/object/blob-id.ts';
import { ENTRY_KIND } from '../../src/object/tree-entry.ts';
import { everything } from '../../src/scan/selection.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import { readPicture, samePicture } from '../kit/crash/stage.ts';
import { flipBit, packPaths, verifyAll } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { makeSmallWorkspace, scratchFolder } from '../kit/small-workspace.ts';
import type { Ran } from '../kit/snap.ts';
import { snap } from '../kit/snap.ts';
import { storeHashes } from '../kit/store-damage.ts';

const COMMIT = {
  message: 'meanwhile',
  origin: 'commit',
  selection: everything,
  exclude: [],
  meta: {},
  tag: undefined,
  allowEmpty: false,
  rescan: false,
  compression: undefined,
  signal: undefined,
  progress: () => undefined,
} as const;

const folder = scratchFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let base: SmallWorkspace;
let made: SmallWorkspace;
let first: BlobId;
let second: BlobId;
const store = (): string => made.store;

/** Two snapshots in two packs: raw and compressed blocks, a chunk list, folders. */
beforeAll(async () => {
  base = await makeSmallWorkspace(join(folder, 'base'));
  base.write('data/a', noise(6_000, 1));
  base.write('data/deep/text', 'some text\n'.repeat(500));
  base.write('notes', 'text\n'.repeat(100));
  base.write('long', noise(80_000, 7));
  first = await base.commit('first', 'v1');
  base.write('data/b', noise(9_000, 5));
  base.write('notes', 'other\n'.repeat(100));
  second = await base.commit('second');
});
beforeEach(async () => {
  made = await base.copy();
});
afterEach(() => made.close());

const expectAll = async (ids: readonly BlobId[]): Promise<void> => {
  for (const id of ids) {
    const picture = await readPicture(made.workspace.repository, id);
    expect(samePicture(picture, made.pictures.get(id) ?? new Map()), `snapshot ${id}`).toBe(true);
  }
};
const emptyFolder = (): void => {
  for (const name of readdirSync(made.root)) if (name !== '.snap') rmSync(join(made.root, name), { recursive: true });
};
const chunkOf = async (snapshot: BlobId, path: string): Promise<BlobId> => {
  const { trees } = made.workspace.repository;
  const entry = await trees.entryAt((await trees.snapshot(snapshot)).tree, path.split('/'));
  if (entry?.kind !== ENTRY_KIND.file) throw new Error(`${path} is no file`);
  const [chunk] = await trees.chunks(entry);
  if (chunk === undefined) throw new Error(`${path} is empty`);
  return chunk.id;
};
/** Where the payload of the block of a blob lies. */
const placeOf = async (kind: 1 | 2 | 3 | 4, id: BlobId): Promise<{ path: string; payload: number; start: number }> => {
  const { pack, blockOffset, offset } = await made.workspace.repository.blobs.locate(kind, id);
  const path = join(store(), 'packs', pack.slice(0, 2), `${pack}.pack`);
  return { path, payload: blockOffset + 24, start: blockOffset + 24 + offset };
};
/** Flips a bit of the bytes of the first chunk of a file, which is stored raw. */
const spoil = async (snapshot: BlobId, path: string): Promise<string> => {
  const place = await placeOf(1, await chunkOf(snapshot, path));
  flipBit(place.path, place.start + 100);
  return place.path;
};

describe('a store that is whole', () => {
  test('keeps every byte', async () => {
    const before = storeHashes(store());
    for (const dryRun of [true, false, false]) {
      const result = await repair(made.workspace, { dryRun, dropDamaged: !dryRun });
      expect(result).toMatchObject({ packs: [], recoveredCount: 0, lostBlobs: 0, dropped: [], remains: false });
      expect(result.entry).toBeUndefined();
      expect(storeHashes(store())).toEqual(before);
    }
  });

  test('even when it has no snapshot yet', async () => {
    await using empty = await makeSmallWorkspace(join(folder, 'empty'));
    expect(await repair(empty.workspace)).toMatchObject({ packs: [], remains: false });
  });
});

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

test('a disk that cannot read some sectors of a pack: the rest is read, and nothing is asked of them again', async () => {
  const { path, start } = await placeOf(1, await chunkOf(first, 'long'));
  // What the same block holds and only the first snapshot has.
  made.write('old notes', 'text\n'.repeat(100));
  await made.workspace.close();
  const paths = new Map<number, string>();
  const disk = {
    ...realDisk,
    open: (name: string, flags: number, mode?: number): number => {
      const fd = realDisk.open(name, flags, mode);
      paths.set(fd, name);
      return fd;
    },
    read: (fd: number, buffer: Uint8Array, offset: number, length: number, position: number | null): number => {
      if (paths.get(fd) === path && position !== null && position <= start + 50 && position + length > start)
        throw Object.assign(new Error('EIO: bad sector'), { code: 'EIO' });
      return realDisk.read(fd, buffer, offset, length, position);
    },
  };
  const environment = { ...processEnvironment('snap test'), disk };
  const workspace = await openWorkspaceIn(environment, inlineWorkers(disk), made.root);
  const result = await repair(workspace);
  expect(result).toMatchObject({ remains: false, packs: [{ state: 'damaged', fate: 'replaced' }] });
  expect(existsSync(join(store(), result.packs[0]?.quarantine ?? 'none'))).toBe(true);
  expect((await verifyAll(workspace)).faults).toEqual([]);
  await workspace.close();
  await made.reopen();
  await expectAll([first, second]);
});

test('others who publish meanwhile are taken into account', async () => {
  await spoil(first, 'data/a');
  rmSync(join(made.root, 'data/a'));
  const { repository } = made.workspace;
  const beside = await openWorkspaceIn(processEnvironment('snap test'), inlineWorkers(realDisk), made.root);
  const { publish } = repository;
  let calls = 0;
  Object.assign(repository, {
    publish: async (...args: Parameters<typeof publish>) => {
      // Another command stores the lost bytes at the last moment.
      if (calls++ === 0) {
        made.write('again', noise(6_000, 1));
        await commitIn(beside.repository, beside.workers, COMMIT);
      }
      return publish(...args);
    },
  });
  const result = await repair(made.workspace);
  await beside.close();
  expect(calls).toBe(2);
  expect(result).toMatchObject({ lostBlobs: 0, remains: false });
  await made.reopen();
  expect((await verifyAll(made.workspace)).faults).toEqual([]);
  await expectAll([first, second]);
});

describe('the journal', () => {
  test('damaged, and a pack too: both are mended in one run', async () => {
    await spoil(first, 'data/a');
    flipBit(join(store(), 'journal/000000000002.json'), 30);
    const before = storeHashes(store());
    const plan = await repair(made.workspace, { dryRun: true });
    expect(plan).toMatchObject({
      journal: [{ what: 'journal', entry: 2 }],
      packs: [{ state: 'damaged' }],
      remains: true,
    });
    expect(plan.mend).toMatchObject({ source: 'index', base: 3, isExact: true });
    expect(storeHashes(store())).toEqual(before);
    const result = await repair(made.workspace);
    expect(result).toMatchObject({ mend: { base: 3, entry: 4 }, lostBlobs: 0, remains: false, entry: 5 });
    expect(result.mend?.quarantined).toEqual(['quarantine/000000000002.json']);
    await made.reopen();
    expect((await verifyAll(made.workspace)).faults).toEqual([]);
    await expectAll([first, second]);
  });

  test('a damaged checkpoint is written anew, and so is a missing one', async () => {
    const { repository } = made.workspace;
    while (repository.state().number < 258) {
      const draft = { operation: 'tag', note: 'to fill the journal' } as const;
      await repository.publish(draft, {}, () => draft);
    }
    const path = join(store(), 'checkpoints/000000000256.state');
    const right = readFileSync(path);
    flipBit(path, 300);
    expect(await repair(made.workspace, { dryRun: true })).toMatchObject({ checkpoints: [256], remains: true });
    expect(readFileSync(path).equals(right)).toBe(false);
    expect(await repair(made.workspace)).toMatchObject({ checkpoints: [256], remains: false });
    expect(readFileSync(path).equals(right)).toBe(true);
    expect(existsSync(join(store(), 'quarantine/000000000256.state'))).toBe(true);
    rmSync(path);
    expect(await repair(made.workspace)).toMatchObject({ checkpoints: [256], remains: false });
    expect(readFileSync(path).equals(right)).toBe(true);
    expect(await repair(made.workspace)).toMatchObject({ checkpoints: [], remains: false });
  }, 30_000);
});

test('an index that misplaces blobs is told better', async () => {
  const { repository } = made.workspace;
  const id = await chunkOf(first, 'data/a');
  const { pack } = await repository.blobs.locate(1, id);
  const footer = await repository.blobs.footer(pack);
  const wrong = { blocks: footer.blocks.map((block) => ({ ...block, offset: block.offset + 7 })) };
  await repository.index.write({ packs: [{ id: pack, footer: wrong }] });
  expect((await verifyAll(made.workspace)).faultCount).toBeGreaterThan(0);
  const before = storeHashes(store());
  expect((await repair(made.workspace)).indexBlobs).toBeGreaterThan(0);
  expect(storeHashes(store())).toEqual(before);
  expect((await verifyAll(made.workspace)).faults).toEqual([]);
  await expectAll([first, second]);
});

test('in a shared store, the HEAD of another workspace follows to the snapshot that was written anew', async () => {
  const beside = join(folder, 'beside');
  await initWorkspace(beside, { store: store() });
  const open = (): Promise<Workspace> =>
    openWorkspaceIn(processEnvironment('snap test'), inlineWorkers(realDisk), beside);
  const other = await open();
  await checkout(other, { revision: second });
  await other.close();
  rmSync(join(beside, 'data/a'));
  await spoil(first, 'data/a');
  rmSync(join(made.root, 'data/a'));
  const { dropped } = await repair(made.workspace, { dropDamaged: true });
  const again = await open();
  const { id } = await commit(again, { message: 'nothing has changed' });
  const head = again.repository.head().snapshot;
  await again.close();
  expect(head).toBe(dropped.find(({ from }) => from === second)?.to);
  expect(id).toBeUndefined();
});

test('gc after a repair leaves the quarantine alone', async () => {
  const path = await spoil(first, 'data/a');
  await repair(made.workspace);
  const kept = storeHashes(store()).get(`quarantine/${basename(path)}`);
  expect(kept).toBeDefined();
  await gc(made.workspace, { now: true });
  expect(storeHashes(store()).get(`quarantine/${basename(path)}`)).toBe(kept);
  expect((await verifyAll(made.workspace)).faults).toEqual([]);
});

test('the command: plan, mended, and what remains, each with its exit code', async () => {
  const run = (...args: string[]): Ran => snap(['-C', made.root, 'repair', ...args]);
  await spoil(first, 'data/a');
  await made.workspace.close();
  const plan = run('--dry-run');
  expect(plan).toMatchObject({ code: 20, stdout: expect.stringContaining('found') });
  expect(plan.stdout).toContain('nothing was changed');
  const mended = run();
  expect(mended).toMatchObject({ code: 0, stdout: expect.stringContaining('from data/a') });
  expect(run('--json')).toMatchObject({ code: 0 });
  expect(JSON.parse(run('--json').stdout)).toMatchObject({ type: 'repair', packs: [], remains: false, entry: null });
  await made.reopen();
  await spoil(first, 'data/a');
  await made.workspace.close();
  rmSync(join(made.root, 'data/a'));
  const lost = run();
  expect(lost.code).toBe(20);
  expect(lost.stdout).toMatch(/lost +1 blob: 1 path in 2 snapshots\n {3}data\/a {3}in /);
  expect(run('--drop-damaged')).toMatchObject({ code: 0, stdout: expect.stringContaining('without 1 path') });
  await made.reopen();
});

test('the pack to look for in another copy is named, also after it was taken out, and by verify', async () => {
  const run = (...args: string[]): string => snap(['-C', made.root, ...args]).stdout;
  const pack = basename(await spoil(first, 'data/a'), '.pack');
  await made.workspace.close();
  rmSync(join(made.root, 'data/a'));
  const advice = /(the packs? named above) into the folder quarantine/;
  const named = new RegExp(`which a repair took out:\\n {3}pack ${pack} {3}\\(j\\d+, today [\\d:]+\\)`);
  const taken = run('repair');
  expect(taken).toContain(`damaged  pack ${pack}`);
  expect(taken).not.toMatch(named);
  expect(advice.exec(taken)?.[1]).toBe('the pack named above');
  for (const again of [run('repair'), run('verify')]) {
    expect(again).toMatch(named);
    expect(advice.exec(again)?.[1]).toBe('the pack named above');
  }
  run('repair', '--drop-damaged');
  run('undo');
  expect(run('repair')).toMatch(named);
  expect(JSON.parse(run('verify', '--json'))).toMatchObject({ formerPacks: [{ pack }] });
  await made.reopen();
});
