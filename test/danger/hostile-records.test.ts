/** Records that decode each by itself and do not fit together; and counts that lie about what is there. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import { realDisk } from '../../src/disk/disk.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { blobIdOf } from '../../src/object/blob-id.ts';
import { encodeChunkLists } from '../../src/object/chunk-list.ts';
import type { PackId } from '../../src/object/pack-id.ts';
import { encodeTree, writeName } from '../../src/object/tree.ts';
import type { FileEntry, TreeEntry } from '../../src/object/tree-entry.ts';
import { PackTable } from '../../src/repo/pack-table.ts';
import { readPackTable } from '../../src/repo/read-pack-table.ts';
import type { TreeReader } from '../../src/repo/tree-reader.ts';
import { treeReader } from '../../src/repo/tree-reader.ts';
import { selectPaths } from '../../src/scan/selection.ts';
import { collect } from '../history/collect.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;
beforeAll(async () => {
  made = await makeWorkspace({ files: { a: 'one' } });
  await made.commit('one');
});
afterAll(() => made.cleanup());

const base = { mode: 0o755, mtime: 0n, uid: 0, gid: 0 };
const link = (name: string): TreeEntry => ({ kind: 3, name, ...base, target: '/tmp' });

/** A reader of these blobs alone, and the id of the folder whose parts begin as `names` say. */
function folderOf(
  parts: readonly (readonly TreeEntry[])[],
  names: readonly string[],
): { trees: TreeReader; tree: BlobId } {
  const overlay = new Map<BlobId, Uint8Array>();
  const add = (bytes: Buffer): BlobId => {
    overlay.set(blobIdOf(bytes), bytes);
    return blobIdOf(bytes);
  };
  const writer = new ByteWriter();
  writer.u8(1);
  writer.u8(1);
  writer.uvarint(parts.length);
  for (const [i, entries] of parts.entries()) {
    writeName(writer, names[i] ?? '');
    writer.id(add(encodeTree(entries)));
  }
  return { tree: add(writer.finish()), trees: treeReader(made.workspace.repository.blobs, overlay) };
}

describe('parts of a folder', () => {
  const cases: [string, TreeEntry[][], string[]][] = [
    [
      'a name comes twice',
      [
        [link('a'), link('d')],
        [link('d'), link('e')],
      ],
      ['a', 'd'],
    ],
    ['a part goes beyond the next', [[link('a'), link('x')], [link('d')]], ['a', 'd']],
    ['a part begins with another name', [[link('a')], [link('e')]], ['a', 'd']],
    ['a part is empty', [[], [link('d')]], ['a', 'd']],
  ];
  test.each(cases)('%s: refused', async (_, parts, names) => {
    const { trees, tree } = folderOf(parts, names);
    await expect(trees.folder(tree)).rejects.toThrow(/does not hold the names/);
    await expect(collect(trees.folderParts(tree))).rejects.toThrow(/does not hold the names/);
  });

  test('in order: all their entries', async () => {
    const { trees, tree } = folderOf([[link('a'), link('c')], [link('d')]], ['a', 'd']);
    expect((await trees.folder(tree)).map(({ name }) => name)).toEqual(['a', 'c', 'd']);
  });
});

/** 4096 names of the same list, eight levels deep: 2^96 chunks from nine blobs. */
test('lists that name each other without end are refused before they are read', async () => {
  const overlay = new Map<BlobId, Uint8Array>();
  let id = blobIdOf(Buffer.from('x'));
  let length = 1;
  for (let level = 0; level <= 8; level++) {
    const writer = new ByteWriter();
    writer.u8(1);
    writer.u8(level);
    writer.uvarint(4096);
    for (let i = 0; i < 4096; i++) {
      writer.uvarint(Math.min(length, 2 ** 40));
      writer.id(id);
    }
    const bytes = writer.finish();
    overlay.set(blobIdOf(bytes), bytes);
    id = blobIdOf(bytes);
    length *= 4096;
  }
  const trees = treeReader(made.workspace.repository.blobs, overlay);
  const file: FileEntry = {
    kind: 1,
    name: 'bomb',
    ...base,
    size: 5,
    content: { list: id },
    linkKey: undefined,
    sparse: false,
    unsteady: false,
  };
  await expect(collect(trees.chunks(file))).rejects.toThrow(/does not hold 5 bytes/);
});

test('a list whose chunks do not add up to the size of the file is refused', async () => {
  const chunks = Array.from({ length: 9 }, (_, i) => ({ id: blobIdOf(Buffer.of(i)), length: 10 }));
  const overlay = new Map(encodeChunkLists(chunks).map(({ id, bytes }) => [id, bytes]));
  const [list] = [...overlay.keys()].slice(-1);
  if (list === undefined) throw new Error('no list');
  const trees = treeReader(made.workspace.repository.blobs, overlay);
  const file = (size: number): FileEntry => ({
    kind: 1,
    name: 'f',
    ...base,
    size,
    content: { list },
    linkKey: undefined,
    sparse: false,
    unsteady: false,
  });
  expect(await collect(trees.chunks(file(90)))).toHaveLength(9);
  await expect(collect(trees.chunks(file(91)))).rejects.toThrow(/does not hold 91 bytes/);
});

test('a pack whose size and count in the journal are lies costs no memory', async () => {
  const { repository } = made.workspace;
  const state = repository.state();
  const packs = new Map([...state.packs].map(([id, pack]) => [id, { ...pack, blobs: 2 ** 53 - 1, size: 2 ** 53 - 1 }]));
  packs.set('ff'.repeat(16) as PackId, {
    id: 'ff'.repeat(16) as PackId,
    sha256: '00'.repeat(32),
    size: 2 ** 53 - 1,
    blobs: 2 ** 53 - 1,
  });
  const damaged: string[] = [];
  const table = await readPackTable(repository.backend, { ...state, packs }, (id) => damaged.push(id));
  expect(table).toBeInstanceOf(PackTable);
  expect(damaged.sort()).toEqual([...packs.keys()].sort());
});

test.each([
  '/**/x',
  '../**',
  '{..,a}/b',
  'a/../../b',
])('the pattern %s does not look outside of the workspace', async (pattern) => {
  const found = selectPaths(realDisk, made.root, [pattern], async function* () {});
  await expect(found).rejects.toMatchObject({ code: 'usage' });
});
