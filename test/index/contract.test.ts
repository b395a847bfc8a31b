/** What both implementations of the index answer, and when. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { BlobIndex } from '../../src/index/blob-index.ts';
import { openLevelIndex } from '../../src/index/level-index.ts';
import { MemoryIndex } from '../../src/index/memory-index.ts';
import { BLOB_KIND, blobIdOf } from '../../src/object/blob-id.ts';
import type { PackId } from '../../src/object/pack-id.ts';
import { EMPTY_STATE } from '../../src/object/store-state.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

async function levelIndex(): Promise<BlobIndex> {
  const folder = mkdtempSync(join(tmpdir(), 'snap-index-'));
  folders.push(folder);
  const index = await openLevelIndex(folder, 'a store');
  if (index === 'locked') throw new Error('locked');
  return index;
}

const pack = '0123456789abcdef0123456789abcdef' as PackId;
const other = 'ffffffffffffffffffffffffffffffff' as PackId;
const id = blobIdOf(Buffer.from('x'));
const blobs = [
  { kind: BLOB_KIND.data, id: blobIdOf(Buffer.from('before')), length: 6 },
  { kind: BLOB_KIND.data, id, length: 1 },
];
const block = { offset: 32, codec: 0, rawLength: 20, storedLength: 20, directoryLength: 13, blobs };
const record = { id: pack, size: 100, sha256: blobIdOf(Buffer.from('pack')), blobs: 2 };
const location = { pack, blockOffset: 32, storedLength: 20, rawLength: 20, offset: 6, length: 1 };

describe.each([
  ['LevelDB', levelIndex],
  ['memory', async () => new MemoryIndex()],
])('%s', (_, open) => {
  test('prepared blobs are answered once the state has their pack', async () => {
    const index = await open();
    await index.prepare([{ pack, block }]);
    expect(index.find(BLOB_KIND.data, id)).toBeUndefined();
    await index.write({ state: { ...EMPTY_STATE, packs: new Map([[other, { ...record, id: other }]]) } });
    expect(index.find(BLOB_KIND.data, id)).toBeUndefined();
    await index.write({ state: { ...EMPTY_STATE, packs: new Map([[pack, record]]) } });
    expect(index.find(BLOB_KIND.data, id)).toEqual(location);
    await index.close();
  });

  test('a blob is found by kind and id; of a pack that is removed, no more', async () => {
    const index = await open();
    await index.write({
      packs: [{ id: pack, footer: { blocks: [block] } }],
      state: { ...EMPTY_STATE, packs: new Map([[pack, record]]) },
    });
    expect(index.find(BLOB_KIND.data, id)).toEqual(location);
    expect(index.find(BLOB_KIND.tree, id)).toBeUndefined();
    await index.write({ removedPacks: [pack], state: EMPTY_STATE });
    expect(index.find(BLOB_KIND.data, id)).toBeUndefined();
    await index.close();
  });

  test('of a pack that the state has no more nothing is answered, though nobody removed it', async () => {
    const index = await open();
    const packs = [{ id: pack, footer: { blocks: [block] } }];
    await index.write({ packs, state: { ...EMPTY_STATE, packs: new Map([[pack, record]]) } });
    // As after a base that a repair wrote: what was swept before it is in no entry.
    await index.write({ state: { ...EMPTY_STATE, packs: new Map([[other, { ...record, id: other }]]) } });
    expect(index.find(BLOB_KIND.data, id)).toBeUndefined();
    await index.close();
  });
});
