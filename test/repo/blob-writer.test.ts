import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { BlobId } from '../../src/object/blob-id.ts';
import { BLOB_KIND, blobIdOf } from '../../src/object/blob-id.ts';
import type { PackRecord } from '../../src/object/journal-entry.ts';
import type { StoreState } from '../../src/object/store-state.ts';
import { EMPTY_STATE } from '../../src/object/store-state.ts';
import { BlobReader } from '../../src/repo/blob-reader.ts';
import { BlobWriter } from '../../src/repo/blob-writer.ts';
import { indexFromFooters } from '../../src/repo/pack-footers.ts';
import { readBack } from '../../src/repo/read-back.ts';
import type { Backend } from '../../src/storage/backend.ts';
import { fileBackend } from '../../src/storage/file-backend.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import { flipBit, packPaths } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import { environmentWith, FailingDisk, newRoots } from './failing-disk.ts';

const roots = newRoots();
const failing = new FailingDisk();
const environment = environmentWith({ disk: failing.disk });
let store: string;
let backend: Backend;

beforeEach(() => {
  store = join(roots.root, 'store');
  mkdirSync(store, { recursive: true });
  backend = fileBackend(failing.disk, store, environment.uniqueName);
});
afterEach(() => {
  failing.hook = undefined;
});

const writer = (packBytes: number, known: ReadonlySet<string> = new Set()): BlobWriter =>
  new BlobWriter({
    environment,
    backend,
    workers: inlineWorkers(failing.disk),
    isKnown: (kind, id) => known.has(`${kind} ${id}`),
    level: 'fast',
    packBytes,
    placed: () => undefined,
  });
/** `count` trees of some hundred kilobytes: what they hold does not matter here. */
const blobs = (count: number, bytes = 300_000): { id: BlobId; bytes: Buffer }[] =>
  Array.from({ length: count }, (_, i) => noise(bytes, 2 * i + 1)).map((one) => ({ id: blobIdOf(one), bytes: one }));
const readers = async (packs: readonly PackRecord[]): Promise<BlobReader> => {
  const state: StoreState = { ...EMPTY_STATE, packs: new Map(packs.map((pack) => [pack.id, pack])) };
  return new BlobReader(backend, await indexFromFooters(backend, state), () => state);
};
const staged = (): string[] => (existsSync(`${store}/tmp`) ? readdirSync(`${store}/tmp`) : []);
const published = (): string[] => (existsSync(`${store}/packs`) ? packPaths(store) : []);

test('what is stored is in the packs that are returned, as large as asked for, and nothing is left staged', async () => {
  const out = writer(600_000);
  const all = blobs(9);
  expect(out.hasNew).toBe(false);
  for (const { id, bytes } of all) {
    expect(out.store(BLOB_KIND.tree, id, bytes)).toBe(true);
    expect(out.hasNew).toBe(true);
    await out.ready();
  }
  expect(staged().length + published().length, 'a megabyte is packed at once, not kept for the end').toBeGreaterThan(0);
  const packs = await out.finish();
  expect(packs.length).toBeGreaterThan(1);
  expect(out.newBytes).toBe(9 * 300_000);
  expect(out.storedBytes).toBeGreaterThan(out.newBytes);
  const reader = await readers(packs);
  for (const { id, bytes } of all) expect((await reader.read(BLOB_KIND.tree, id)).equals(bytes)).toBe(true);
  expect(packs.reduce((sum, pack) => sum + pack.blobs, 0)).toBe(9);
  expect(staged()).toEqual([]);
});

test('a blob is stored once, and never if it is known', async () => {
  const [one, two] = blobs(2, 1000) as [{ id: BlobId; bytes: Buffer }, { id: BlobId; bytes: Buffer }];
  const out = writer(1_000_000, new Set([`${BLOB_KIND.tree} ${two.id}`]));
  expect(out.store(BLOB_KIND.tree, two.id, two.bytes)).toBe(false);
  expect(await out.finish()).toEqual([]);
  expect(out.store(BLOB_KIND.tree, one.id, one.bytes)).toBe(true);
  expect(out.store(BLOB_KIND.tree, one.id, one.bytes)).toBe(false);
  expect(out.claim(BLOB_KIND.tree, one.id)).toBe(false);
  expect(out.store(BLOB_KIND.data, two.id, two.bytes), 'another kind is another blob').toBe(true);
  expect((await out.finish()).map((pack) => pack.blobs)).toEqual([2]);
});

test('buffers are kept for the next reading, two at most, and only large ones', () => {
  const out = writer(1_000_000);
  for (const size of [100, 65_536, 200_000, 300_000]) out.giveBack(new ArrayBuffer(size));
  expect([out.spareBuffer(), out.spareBuffer(), out.spareBuffer()].map((one) => one?.byteLength)).toEqual([
    200_000,
    65_536,
    undefined,
  ]);
});

describe('after a failure', () => {
  test.each([
    ['ENOSPC', 'write', 'no-space'],
    ['EIO', 'syncLater', 'io'],
    ['EDQUOT', 'rename', 'no-space'],
    ['EACCES', 'open', 'permission'],
  ] as const)('%s of %s stops everything, and giving up leaves nothing staged', async (errno, call, code) => {
    const out = writer(1_000_000);
    failing.hook = (name, path) => (name === call && path.endsWith('.pack') ? errno : undefined);
    const all = blobs(12);
    const work = async (): Promise<unknown> => {
      for (const { id, bytes } of all) {
        out.store(BLOB_KIND.tree, id, bytes);
        await out.ready();
      }
      return out.finish();
    };
    await expect(work()).rejects.toMatchObject({ code });
    await expect(out.finish(), 'it does not get well again').rejects.toMatchObject({ code });
    failing.hook = undefined;
    await out.abandon();
    expect(staged()).toEqual([]);
  });

  test('the first error is the one that is told', async () => {
    const out = writer(500_000);
    let errors = 0;
    failing.hook = (name, path) =>
      name === 'write' && path.endsWith('.pack') ? (errors++ === 0 ? 'ENOSPC' : 'EIO') : undefined;
    for (const { id, bytes } of blobs(12)) out.store(BLOB_KIND.tree, id, bytes);
    await expect(out.finish()).rejects.toMatchObject({ code: 'no-space' });
    await expect(out.ready()).rejects.toMatchObject({ code: 'no-space' });
    await out.abandon();
    expect(errors, 'nothing is written after it').toBe(1);
  });

  test('giving up while packing is under way writes no more', async () => {
    const out = writer(500_000);
    for (const { id, bytes } of blobs(8)) out.store(BLOB_KIND.tree, id, bytes);
    await out.abandon();
    expect([...published(), ...staged()]).toEqual([]);
    await expect(out.finish()).rejects.toMatchObject({ code: 'interrupted' });
  });
});

test('a new pack is read back before anybody relies on it', async () => {
  const out = writer(1_000_000);
  for (const { id, bytes } of blobs(1)) out.store(BLOB_KIND.tree, id, bytes);
  const [record] = (await out.finish()) as [PackRecord];
  await readBack(backend, record);
  await expect(readBack(backend, { ...record, size: record.size - 1 })).rejects.toMatchObject({ code: 'io' });
  const [path = ''] = packPaths(store);
  flipBit(path, 5000);
  await expect(readBack(backend, record)).rejects.toMatchObject({
    code: 'io',
    hint: expect.stringContaining('Nothing was removed'),
  });
  await backend.remove(`packs/${record.id.slice(0, 2)}/${record.id}.pack`);
  await expect(readBack(backend, record)).rejects.toMatchObject({ code: 'corrupt-data', context: { pack: record.id } });
});
