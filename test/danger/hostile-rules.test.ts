/** Records that decode each by itself and break a rule together: what a checkout refuses, verify and repair call damaged. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { repair } from '../../src/api/repair.ts';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { BLOB_KIND, blobIdOf } from '../../src/object/blob-id.ts';
import { encodeChunkLists } from '../../src/object/chunk-list.ts';
import { encodeTree, writeName } from '../../src/object/tree.ts';
import type { FileEntry, TreeEntry } from '../../src/object/tree-entry.ts';
import { verifyAll } from '../kit/damage.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';
import type { CraftedBlob } from './crafted.ts';
import { fileEntry, publishTree } from './crafted.ts';

let made: TestWorkspace;
beforeEach(async () => {
  made = await makeWorkspace({ files: { f: 'file' } });
  await made.commit('first');
});
afterEach(() => made.cleanup());

const data = Buffer.alloc(100, 'x');
const blob = (kind: CraftedBlob['kind'], bytes: Buffer): CraftedBlob => ({ kind, bytes });
const tree = (entries: readonly TreeEntry[]): CraftedBlob => blob(BLOB_KIND.tree, encodeTree(entries));
const idOf = ({ bytes }: CraftedBlob): BlobId => blobIdOf(bytes);
const file = fileEntry('f', data);
const chunks = Array.from({ length: 9 }, () => ({ id: blobIdOf(data), length: 100 }));

function withList(size: number, level0: readonly { id: BlobId; length: number }[]): CraftedBlob[] {
  const lists = encodeChunkLists(level0).map(({ bytes }) => blob(BLOB_KIND.chunkList, bytes));
  const list = lists.at(-1);
  if (list === undefined) throw new Error('no list');
  const entry: FileEntry = { ...file, size, content: { list: idOf(list) } };
  return [blob(BLOB_KIND.data, data), ...lists, tree([entry])];
}

/** A folder of two parts. */
function parts(one: readonly string[], two: readonly string[], names: readonly [string, string]): CraftedBlob[] {
  const leaves = [one, two].map((part) => tree(part.map((name) => fileEntry(name, data))));
  const writer = new ByteWriter();
  writer.u8(1);
  writer.u8(1);
  writer.uvarint(2);
  for (const [i, leaf] of leaves.entries()) {
    writeName(writer, names[i] ?? '');
    writer.id(idOf(leaf));
  }
  return [blob(BLOB_KIND.data, data), ...leaves, blob(BLOB_KIND.tree, writer.finish())];
}

const BROKEN: [string, () => CraftedBlob[]][] = [
  [
    'a chunk that is said to be longer than it is',
    () => [
      blob(BLOB_KIND.data, data),
      tree([{ ...file, size: 5000, content: { chunks: [{ id: blobIdOf(data), length: 5000 }] } }]),
    ],
  ],
  [
    'a chunk in a list that is said to be longer',
    () => withList(901, [{ ...chunks[0], length: 101 } as never, ...chunks.slice(1)]),
  ],
  ['a file whose size is not that of its list', () => withList(901, chunks)],
  ['parts that overlap', () => parts(['a', 'x'], ['d', 'y'], ['a', 'd'])],
  ['a part that begins with another name', () => parts(['a'], ['e'], ['a', 'd'])],
];

test.each(BROKEN)('%s: refused by checkout, and damage for verify and repair', async (_what, craft) => {
  const blobs = craft();
  const revision = await publishTree(made.workspace, blobs, idOf(blobs.at(-1) as CraftedBlob));
  const to = `${made.root}/../out`;
  const failed = await checkout(made.workspace, { revision, to }).then(
    ({ failures }) => failures.length,
    ({ code }: { code: string }) => (code === 'corrupt-data' ? 1 : 0),
  );
  expect(failed).toBe(1);
  expect((await verifyAll(made.workspace)).faultCount).toBe(1);
  expect(await repair(made.workspace, { dryRun: true })).toMatchObject({ remains: true });
});

test.each<[string, () => CraftedBlob[]]>([
  ['a list', (): CraftedBlob[] => withList(900, chunks)],
  ['parts', (): CraftedBlob[] => parts(['a', 'c'], ['d', 'y'], ['a', 'd'])],
])('%s as it must be is whole', async (_what, craft) => {
  const blobs = craft();
  await publishTree(made.workspace, blobs, idOf(blobs.at(-1) as CraftedBlob));
  expect((await verifyAll(made.workspace)).faultCount).toBe(0);
});
