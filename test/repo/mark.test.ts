import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { commit } from '../../src/api/commit.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import type { BlobLocation } from '../../src/index/blob-index.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { BLOB_KIND } from '../../src/object/blob-id.ts';
import { BLOCK_HEADER_BYTES } from '../../src/pack/pack-format.ts';
import { BlobWriter } from '../../src/repo/blob-writer.ts';
import type { EntryDraft } from '../../src/repo/journal.ts';
import { packName } from '../../src/repo/layout.ts';
import type { MarkFault } from '../../src/repo/mark.ts';
import { Marker } from '../../src/repo/mark.ts';
import type { PackTable } from '../../src/repo/pack-table.ts';
import { readPackTable } from '../../src/repo/read-pack-table.ts';
import type { Backend } from '../../src/storage/backend.ts';
import { collect } from '../history/collect.ts';
import { flipBit } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import { FailingDisk, newRoots, openAt, shrink } from './failing-disk.ts';

const roots = newRoots();
const failing = new FailingDisk();
let root: string;
let workspace: Workspace;
let id: BlobId;
let tree: BlobId;
/** Of the file's bytes, of the tree and of the record: each in a pack of its own. */
let places: { readonly data: BlobLocation; readonly tree: BlobLocation; readonly record: BlobLocation };

beforeEach(async () => {
  root = await roots.init();
  shrink(root, 65_536, 1024);
  workspace = await openAt(root, { disk: failing.disk });
  rmSync(join(root, '.snapignore'));
  writeFileSync(join(root, 'f'), noise(20_000, 3));
  for (let i = 0; i < 60; i++) writeFileSync(join(root, `f${i}`), `small ${i}`);
  id = (await commit(workspace, { meta: { note: noise(900, 5).toString('hex') } })).id as BlobId;
  const { blobs, trees } = workspace.repository;
  ({ tree } = await trees.snapshot(id));
  const [file] = await trees.folder(tree);
  const [chunk] = file?.kind === 1 ? await collect(trees.chunks(file)) : [];
  places = {
    data: await blobs.locate(BLOB_KIND.data, chunk?.id ?? ('' as never)),
    tree: await blobs.locate(BLOB_KIND.tree, tree),
    record: await blobs.locate(BLOB_KIND.snapshot, id),
  };
});
afterEach(async () => {
  failing.hook = undefined;
  await workspace.close();
});

const pathOf = ({ pack }: BlobLocation): string => join(root, '.snap/store', packName(pack));
const table = (): Promise<PackTable> =>
  readPackTable(workspace.repository.backend, workspace.repository.state(), () => undefined);
const harm = (place: BlobLocation): void =>
  flipBit(pathOf(place), place.blockOffset + BLOCK_HEADER_BYTES + Math.min(place.offset + 20, place.storedLength - 20));
const faultsOf = async (packs: PackTable, backend: Backend = workspace.repository.backend): Promise<MarkFault[]> => {
  const faults: MarkFault[] = [];
  await new Marker({ backend, table: packs, fault: (fault) => faults.push(fault) }).mark([id]);
  return faults;
};

test('each blob lies where it is asked for', () => {
  expect(new Set([places.data.pack, places.tree.pack, places.record.pack]).size).toBe(3);
});

test('what is missing is told as itself, not as a fault of what needs it', async () => {
  rmSync(pathOf(places.tree));
  const marker = new Marker({ backend: workspace.repository.backend, table: await table() });
  await expect(marker.mark([id])).rejects.toMatchObject({
    code: 'corrupt-data',
    message: `the tree ${tree} cannot be read: it is missing from the store`,
    context: { kind: 'tree', blob: tree },
    hint: expect.stringContaining('Nothing was removed'),
  });
});

test('a pack that is lost after its footer was read, and a block that is damaged, are named by place', async () => {
  const packs = await table();
  harm(places.tree);
  const [damaged] = await faultsOf(packs);
  expect(damaged).toMatchObject({
    kind: BLOB_KIND.tree,
    id: tree,
    place: { pack: places.tree.pack, offset: places.tree.blockOffset },
  });
  rmSync(pathOf(places.tree));
  expect(await faultsOf(packs)).toMatchObject([
    { id: tree, reason: `pack ${places.tree.pack} is missing from the store` },
  ]);
  await expect(new Marker({ backend: workspace.repository.backend, table: packs }).mark([id])).rejects.toMatchObject({
    message: expect.stringContaining(`(pack ${places.tree.pack}, block at ${places.tree.blockOffset})`),
  });
});

test('a block that was read badly once is no damage', async () => {
  const { backend } = workspace.repository;
  let bad = 0;
  const once: Backend = {
    ...backend,
    get: async (name, range) => {
      const bytes = await backend.get(name, range);
      if (name !== packName(places.tree.pack) || bytes === undefined || bad++ > 0) return bytes;
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
      return bytes;
    },
  };
  expect(await faultsOf(await table(), once)).toEqual([]);
  expect(bad).toBe(2);
});

test('a disk that does not give a block is a fault of it; a disk that forbids it is an error', async () => {
  const packs = await table();
  failing.hook = (call, path) => (call === 'read' && path === pathOf(places.tree) ? 'EIO' : undefined);
  expect(await faultsOf(packs)).toMatchObject([{ id: tree, reason: expect.stringContaining('EIO') }]);
  failing.hook = (call, path) => (call === 'open' && path === pathOf(places.tree) ? 'EACCES' : undefined);
  await expect(faultsOf(packs)).rejects.toMatchObject({ code: 'permission' });
  await expect(table(), 'a footer').rejects.toMatchObject({ code: 'permission' });
  failing.hook = (call, path) => (call === 'read' && path === pathOf(places.tree) ? 'EIO' : undefined);
  expect((await table()).packs, 'without that footer').toHaveLength(packs.packs.length - 1);
});

test('a footer that was read badly once is no damage; one that is damaged is told of once', async () => {
  const { backend, state } = workspace.repository;
  let bad = 1;
  const spoiling: Backend = {
    ...backend,
    get: async (name, range) => {
      const bytes = await backend.get(name, range);
      if (name === packName(places.tree.pack) && bytes !== undefined && bad-- > 0)
        bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      return bytes;
    },
  };
  const damaged: string[] = [];
  const read = (): Promise<PackTable> => readPackTable(spoiling, state(), (pack) => damaged.push(pack));
  const whole = await read();
  expect(damaged).toEqual([]);
  bad = 2;
  expect((await read()).size).toBeLessThan(whole.size);
  expect(damaged).toEqual([places.tree.pack]);
});

test('of two copies the one in a pack that stays is chosen', async () => {
  const { repository, workers } = workspace;
  const { environment, backend } = repository;
  const options = { environment, backend, workers, isKnown: () => false, level: 'off', packBytes: 1024 } as const;
  const writer = new BlobWriter({ ...options, placed: () => undefined });
  writer.store(BLOB_KIND.tree, tree, await repository.blobs.read(BLOB_KIND.tree, tree));
  const packs = await writer.finish();
  const chosen = async (): Promise<string> => {
    const packTable = await table();
    return packTable.packOf(packTable.findId(BLOB_KIND.tree, tree)).id;
  };
  const publish = async (draft: EntryDraft): Promise<string> => {
    await repository.publish(draft, {}, () => draft);
    return chosen();
  };
  expect(await publish({ operation: 'repair', note: '', packs })).toBe(places.tree.pack);
  expect(await publish({ operation: 'condemn', note: '', condemned: [places.tree.pack] })).toBe(packs[0]?.id);
});

test('a signal stops the walk', async () => {
  const signal = AbortSignal.abort(new Error('enough'));
  const marker = new Marker({ backend: workspace.repository.backend, table: await table(), signal });
  await expect(marker.mark([id])).rejects.toThrow('enough');
});
