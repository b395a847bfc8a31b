/** An index that is filled from many packs: bounded in what is held at a time, and never claiming what it lacks. */
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import type { IndexChanges } from '../../src/index/blob-index.ts';
import { MemoryIndex } from '../../src/index/memory-index.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { BLOB_KIND } from '../../src/object/blob-id.ts';
import type { PackRecord } from '../../src/object/journal-entry.ts';
import type { PackId } from '../../src/object/pack-id.ts';
import type { StoreState } from '../../src/object/store-state.ts';
import { EMPTY_STATE } from '../../src/object/store-state.ts';
import { encodeBlockHeader } from '../../src/pack/pack-format.ts';
import { PackWriter } from '../../src/pack/pack-writer.ts';
import { catchUp } from '../../src/repo/catch-up.ts';
import { packName } from '../../src/repo/layout.ts';
import type { Backend } from '../../src/storage/backend.ts';
import { newWorkspace } from './one-workspace.ts';

const { failing, open } = newWorkspace();
const BLOBS = 70_000;

/** A pack whose footer tells of many blobs; only that is read of it. */
async function packOfMany(backend: Backend): Promise<{ record: PackRecord; first: BlobId }> {
  const id = randomBytes(16).toString('hex') as PackId;
  const path = `${backend.stagingFolder()}/${id}.pack`;
  const writer = new PackWriter(failing.disk, id, path);
  const header = { codec: 0, rawLength: BLOBS + 4, storedLength: 0, directoryLength: 4 };
  const ids = randomBytes(32 * BLOBS).toString('hex');
  const blobs = Array.from({ length: BLOBS }, (_, i) => ({
    kind: BLOB_KIND.data,
    id: ids.slice(64 * i, 64 * i + 64) as BlobId,
    length: 1,
  }));
  writer.append({ header, bytes: encodeBlockHeader(header), blobs });
  const { record } = await writer.seal();
  await backend.publish(path, packName(id));
  return { record, first: blobs[0]?.id as BlobId };
}

test('few footers are held at a time, and the state comes with the last', async () => {
  const { backend } = (await open()).repository;
  const packs = [await packOfMany(backend), await packOfMany(backend), await packOfMany(backend)];
  const state: StoreState = {
    ...EMPTY_STATE,
    number: 1,
    packs: new Map(packs.map(({ record }) => [record.id, record])),
  };
  const index = new MemoryIndex();
  const writes: IndexChanges[] = [];
  const write = index.write.bind(index);
  index.write = (changes) => {
    writes.push(changes);
    return write(changes);
  };
  await catchUp(backend, index, state, [], state);
  expect(writes.map(({ packs: some = [] }) => some.length).every((count) => count <= 1)).toBe(true);
  expect(writes.findIndex((changes) => changes.state !== undefined)).toBe(writes.length - 1);
  expect(index.state).toBe(state);
  for (const { record, first } of packs) expect(index.find(BLOB_KIND.data, first)?.pack).toBe(record.id);
});
