import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { commit } from '../../src/api/commit.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import type { BlobLocation } from '../../src/index/blob-index.ts';
import { MemoryIndex } from '../../src/index/memory-index.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { BLOB_KIND, blobIdOf } from '../../src/object/blob-id.ts';
import type { PackId } from '../../src/object/pack-id.ts';
import { BLOCK_HEADER_BYTES } from '../../src/pack/pack-format.ts';
import { BlobReader } from '../../src/repo/blob-reader.ts';
import { BlobWriter } from '../../src/repo/blob-writer.ts';
import { journalName, packName } from '../../src/repo/layout.ts';
import { indexFromFooters } from '../../src/repo/pack-footers.ts';
import type { Backend } from '../../src/storage/backend.ts';
import { flipBit } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import { FailingDisk, newRoots, openAt, shrink } from './failing-disk.ts';

const roots = newRoots();
const failing = new FailingDisk();
const COUNT = 20;
const CHUNKS = Array.from({ length: COUNT }, (_, i) => noise(30_000, 2 * i + 1));
const idOf = (i: number): BlobId => blobIdOf(CHUNKS[i] ?? Buffer.alloc(0));
let root: string;
let store: string;
let workspace: Workspace;

/** Three files of one chunk each. */
beforeEach(async () => {
  root = await roots.init();
  store = join(root, '.snap/store');
  shrink(root, 65_536, 65_536);
  workspace = await openAt(root, { disk: failing.disk });
  for (const [i, bytes] of CHUNKS.slice(0, 3).entries()) writeFileSync(join(root, `f${i}`), bytes);
  await commit(workspace);
});
afterEach(async () => {
  failing.hook = undefined;
  await workspace.close();
});

const read = (i: number): Promise<Buffer> => workspace.repository.blobs.read(BLOB_KIND.data, idOf(i));
const whereIs = (i: number): Promise<BlobLocation> => workspace.repository.blobs.locate(BLOB_KIND.data, idOf(i));
const pathOf = (pack: PackId): string => join(store, packName(pack));
/** Stores chunks each in a new pack, as gc does when it moves them; `other` is another process of the workspace. */
const storeAgain = async (...chunks: number[]): Promise<void> => {
  const other = await openAt(root);
  const { repository, workers } = other;
  const { environment, backend } = repository;
  const options = { environment, backend, workers, isKnown: () => false, level: 'off', packBytes: 1 } as const;
  const writer = new BlobWriter({ ...options, placed: () => undefined });
  for (const i of chunks) {
    writer.store(BLOB_KIND.data, idOf(i), CHUNKS[i] ?? Buffer.alloc(0));
    await writer.drain();
  }
  const packs = await writer.finish();
  const draft = { operation: 'repair', note: 'moved', packs } as const;
  await repository.publish(draft, {}, () => draft);
  await other.close();
};

test('a blob that was moved since the journal was read is found in its new pack', async () => {
  const { pack } = await whereIs(0);
  const { number } = workspace.repository.state();
  await storeAgain(0);
  rmSync(pathOf(pack));
  expect((await read(0)).equals(CHUNKS[0] ?? Buffer.alloc(0))).toBe(true);
  expect(workspace.repository.state().number, 'what is published rests on what was known').toBe(number);
});

test('a lost blob is named with its kind; a lost pack with its id', async () => {
  const { pack } = await whereIs(1);
  rmSync(pathOf(pack));
  await expect(read(1)).rejects.toMatchObject({ code: 'corrupt-data', context: { pack } });
  await expect(workspace.repository.blobs.read(BLOB_KIND.tree, idOf(1))).rejects.toMatchObject({
    code: 'corrupt-data',
    message: `the tree ${idOf(1)} is missing from the store`,
    context: { kind: 'tree', blob: idOf(1) },
  });
  await expect(workspace.repository.blobs.footer(pack)).rejects.toMatchObject({
    code: 'corrupt-data',
    context: { pack },
  });
});

test('a bad reading is not kept: the next one is a new one', async () => {
  const { pack, blockOffset, offset } = await whereIs(2);
  const at = blockOffset + BLOCK_HEADER_BYTES + offset + 5000;
  flipBit(pathOf(pack), at);
  await expect(read(2)).rejects.toMatchObject({ code: 'corrupt-data' });
  flipBit(pathOf(pack), at);
  expect((await read(2)).equals(CHUNKS[2] ?? Buffer.alloc(0))).toBe(true);
});

test('what the disk has lost is damage; another error is told as one, also while footers and journal are looked through', async () => {
  const { pack } = await whereIs(0);
  failing.hook = (call, path) => (call === 'read' && path === pathOf(pack) ? 'ESTALE' : undefined);
  await expect(read(0)).rejects.toMatchObject({ code: 'io' });
  const unknown = blobIdOf(Buffer.from('nowhere'));
  await expect(workspace.repository.blobs.locate(BLOB_KIND.data, unknown)).rejects.toMatchObject({ code: 'io' });
  failing.hook = (call, path) => (call === 'open' && path.includes('/journal/') ? 'EMFILE' : undefined);
  await expect(workspace.repository.blobs.locate(BLOB_KIND.data, unknown)).rejects.toMatchObject({ code: 'io' });
  failing.hook = (call, path) => (call === 'read' && path === pathOf(pack) ? 'EIO' : undefined);
  await expect(read(0)).rejects.toMatchObject({ code: 'corrupt-data', context: { pack } });
});

test('a journal that is damaged further on does not hinder reading what is known', async () => {
  const { number } = workspace.repository.state();
  writeFileSync(join(store, journalName(number + 1)), 'torn');
  const { backend, state } = workspace.repository;
  const reader = new BlobReader(backend, new MemoryIndex(), state);
  expect((await reader.read(BLOB_KIND.data, idOf(1))).equals(CHUNKS[1] ?? Buffer.alloc(0))).toBe(true);
  await expect(reader.read(BLOB_KIND.data, blobIdOf(Buffer.from('x')))).rejects.toMatchObject({
    message: expect.stringContaining('is missing from the store'),
  });
});

test('what the index keeps of a tree is taken only if it is that tree', async () => {
  const { repository } = workspace;
  const { tree } = await repository.trees.snapshot(repository.head().snapshot as BlobId);
  const stored = await repository.blobs.readStored(BLOB_KIND.tree, tree);
  const index = await indexFromFooters(repository.backend, repository.state());
  Object.assign(index, { object: () => Buffer.from('another') });
  const reader = new BlobReader(repository.backend, index, repository.state);
  expect((await reader.read(BLOB_KIND.tree, tree)).equals(stored)).toBe(true);
});

test('an index from footers leaves damaged packs out and tells of them', async () => {
  await storeAgain(1);
  await workspace.repository.refresh();
  const { pack } = await whereIs(0);
  const path = pathOf(pack);
  flipBit(path, readFileSync(path).length - 1);
  const told: string[] = [];
  const index = await indexFromFooters(workspace.repository.backend, workspace.repository.state(), (id, { code }) =>
    told.push(`${id} ${code}`),
  );
  expect(told).toEqual([`${pack} corrupt-data`]);
  expect(index.find(BLOB_KIND.data, idOf(0))).toBeUndefined();
  expect(index.find(BLOB_KIND.data, idOf(1))).toMatchObject({ length: 30_000, offset: 0 });
});

test('neighbours are decoded once; of many blocks only the last ones are kept', async () => {
  await storeAgain(...CHUNKS.keys());
  const { repository } = workspace;
  await repository.refresh();
  const fetched: string[] = [];
  const backend: Backend = {
    ...repository.backend,
    get: (name, range) => {
      fetched.push(name);
      return repository.backend.get(name, range);
    },
  };
  const reader = new BlobReader(backend, repository.index, repository.state);
  const readAll = async (from: number, to: number): Promise<number> => {
    fetched.length = 0;
    for (let i = from; i < to; i++)
      expect((await reader.read(BLOB_KIND.data, idOf(i))).equals(CHUNKS[i] ?? Buffer.alloc(0))).toBe(true);
    return new Set(fetched).size;
  };
  expect(await readAll(0, COUNT)).toBe(COUNT);
  expect(await readAll(COUNT - 10, COUNT), 'the last are still there').toBe(0);
  expect(await readAll(0, 1), 'the first is gone by now').toBe(1);
});
