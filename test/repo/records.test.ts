/** Reading trees, lists and references out of records that somebody else wrote, and comparing trees. */
import { describe, expect, test } from 'vitest';
import type { BlobId, BlobKind } from '../../src/object/blob-id.ts';
import { BLOB_KIND, blobIdOf } from '../../src/object/blob-id.ts';
import { encodeChunkLists } from '../../src/object/chunk-list.ts';
import { encodeTree } from '../../src/object/tree.ts';
import type { ChunkRef, FileEntry, TreeEntry } from '../../src/object/tree-entry.ts';
import { ENTRY_KIND } from '../../src/object/tree-entry.ts';
import { encodeFolder } from '../../src/object/tree-parts.ts';
import { PackTable } from '../../src/repo/pack-table.ts';
import { findReferences } from '../../src/repo/references.ts';
import { diffTrees, walkTree } from '../../src/repo/tree-diff.ts';
import type { TreeReader } from '../../src/repo/tree-reader.ts';
import { treeReader } from '../../src/repo/tree-reader.ts';
import { collect } from '../history/collect.ts';

const META = { mode: 0o644, mtime: 0n, uid: 0, gid: 0 } as const;
const chunk = (i: number): ChunkRef => ({ id: blobIdOf(Buffer.from(`chunk ${i}`)), length: 100 + i });
const file = (name: string, content: FileEntry['content'], size: number): FileEntry => ({
  ...META,
  kind: ENTRY_KIND.file,
  name,
  size,
  sparse: false,
  unsteady: false,
  linkKey: undefined,
  content,
});
const small = (name: string, i: number): FileEntry => file(name, { chunks: [chunk(i)] }, chunk(i).length);
const folder = (name: string, tree: BlobId): TreeEntry => ({ ...META, kind: ENTRY_KIND.folder, name, tree });

/** A store that is a map; it knows what was read. */
class Blobs {
  readonly stored = new Map<BlobId, Buffer>();
  readonly reads: BlobId[] = [];
  readonly trees: TreeReader = treeReader({ read: async (_kind: BlobKind, id: BlobId) => this.#read(id) });

  put(bytes: Buffer): BlobId {
    const id = blobIdOf(bytes);
    this.stored.set(id, bytes);
    return id;
  }

  tree(...entries: TreeEntry[]): BlobId {
    return encodeFolder(entries)
      .map(({ bytes }) => this.put(bytes))
      .at(-1) as BlobId;
  }

  #read(id: BlobId): Buffer {
    this.reads.push(id);
    return this.stored.get(id) ?? Buffer.alloc(0);
  }
}

describe('chunk lists', () => {
  const blobs = new Blobs();
  const many = Array.from({ length: 3000 }, (_, i) => chunk(i));
  const total = (refs: readonly ChunkRef[]): number => refs.reduce((sum, ref) => sum + ref.length, 0);
  const encoded = encodeChunkLists(many).map(({ bytes }) => blobs.put(bytes));
  const top = encoded.at(-1) as BlobId;
  const list = (level: number, refs: readonly ChunkRef[]): BlobId => {
    const [one] = encodeChunkLists(refs.slice(0, 2));
    const bytes = Buffer.from(one?.bytes ?? Buffer.alloc(0));
    bytes[1] = level;
    return blobs.put(bytes);
  };

  test('of several levels give the chunks in order', async () => {
    expect(blobs.stored.get(top)?.[1], 'the level of the top list').toBeGreaterThan(0);
    expect(await collect(blobs.trees.chunks(file('f', { list: top }, total(many))))).toEqual(many);
  });

  test('that do not hold the bytes of the file, or are of another level than they must be, are damage', async () => {
    await expect(collect(blobs.trees.chunks(file('f', { list: top }, total(many) + 1)))).rejects.toMatchObject({
      code: 'corrupt-data',
      message: expect.stringContaining(`does not hold ${total(many) + 1} bytes`),
    });
    const below = list(0, [chunk(1), chunk(2)]);
    const length = chunk(1).length + chunk(2).length;
    const above = list(2, [
      { id: below, length },
      { id: below, length },
    ]);
    await expect(collect(blobs.trees.chunks(file('f', { list: above }, 2 * length)))).rejects.toMatchObject({
      code: 'corrupt-data',
      message: expect.stringContaining('level 0 where 1 belongs'),
    });
  });
});

test('parts of a large folder that do not follow each other are damage', async () => {
  const blobs = new Blobs();
  const parts = encodeFolder(Array.from({ length: 9000 }, (_, i) => small(`file ${String(i).padStart(4, '0')}`, i)));
  const top = Buffer.from(parts.at(-1)?.bytes ?? Buffer.alloc(0));
  for (const { bytes } of parts) blobs.put(bytes);
  const [first, second] = parts.map(({ id }) => Buffer.from(id, 'hex')) as [Buffer, Buffer];
  expect((await blobs.trees.folder(blobs.put(top))).length).toBe(9000);
  second.copy(top, top.indexOf(first));
  await expect(blobs.trees.folder(blobs.put(top))).rejects.toMatchObject({ code: 'corrupt-data' });
});

describe('paths in trees', () => {
  const blobs = new Blobs();
  const inner = blobs.tree(small('x', 1));
  const root = blobs.tree(folder('a', inner), small('f', 2));

  test('lead to entries; nothing lies below a file', async () => {
    const at = (path: string): Promise<TreeEntry | undefined> => blobs.trees.entryAt(root, path.split('/'));
    expect((await at('a/x'))?.name).toBe('x');
    expect((await at('a'))?.kind).toBe(ENTRY_KIND.folder);
    for (const path of ['b', 'a/y', 'f/x', 'a/x/y']) expect(await at(path), path).toBeUndefined();
    expect(await blobs.trees.entryAt(root, [])).toBeUndefined();
  });

  test('walks give folders before what is in them', async () => {
    const paths: string[] = [];
    for await (const { path } of walkTree(blobs.trees, root)) paths.push(path);
    expect(paths).toEqual(['a', 'a/x', 'f']);
  });
});

describe('differences of trees', () => {
  const blobs = new Blobs();
  const differences = async (before: BlobId | undefined, after: BlobId | undefined): Promise<string[]> => {
    const lines: string[] = [];
    const side = (tree: BlobId | undefined) => ({ trees: blobs.trees, tree });
    for await (const { path, before: old, after: now } of diffTrees(side(before), side(after)))
      lines.push(`${old === undefined ? '+' : now === undefined ? '-' : '~'} ${path}`);
    return lines;
  };
  const deep = blobs.tree(small('x', 1), small('y', 2));

  test('of equal trees are none, and nothing is read', async () => {
    const root = blobs.tree(folder('d', deep), small('f', 3));
    blobs.reads.length = 0;
    expect(await differences(root, root)).toEqual([]);
    expect(await differences(undefined, undefined)).toEqual([]);
    expect(blobs.reads).toEqual([]);
    const changed = blobs.tree(folder('d', deep), small('f', 4));
    expect(await differences(root, changed)).toEqual(['~ f']);
    expect(blobs.reads, 'the equal folder is not read').not.toContain(deep);
  });

  test('against nothing are everything, folders first', async () => {
    const root = blobs.tree(folder('d', deep), small('f', 3));
    expect(await differences(undefined, root)).toEqual(['+ d', '+ d/x', '+ d/y', '+ f']);
    expect(await differences(root, undefined)).toEqual(['- d', '- d/x', '- d/y', '- f']);
  });

  test('are merged by the bytes of names, whichever side ends first', async () => {
    const left = blobs.tree(small('b', 1), small('d', 2), small('\udcff', 5));
    const right = blobs.tree(small('a', 1), small('b', 9), small('c', 3), small('ä', 4));
    expect(await differences(left, right)).toEqual(['+ a', '~ b', '+ c', '- d', '+ ä', '- \udcff']);
    expect(await differences(right, left)).toEqual(['- a', '~ b', '- c', '+ d', '- ä', '+ \udcff']);
  });

  test('a folder in the place of a file is both, and what is in it', async () => {
    const before = blobs.tree(small('d', 1));
    const after = blobs.tree(folder('d', deep));
    expect(await differences(before, after)).toEqual(['~ d', '+ d/x', '+ d/y']);
    expect(await differences(after, before)).toEqual(['~ d', '- d/x', '- d/y']);
  });

  test('a file that joins or leaves a group of hard links differs', async () => {
    const linked = { ...small('f', 1), linkKey: '0123456789abcdef' } as unknown as FileEntry;
    const key = { ...linked, linkKey: Buffer.from('0123456789abcdef', 'hex').toString('hex') } as FileEntry;
    expect(await differences(blobs.tree(small('f', 1)), blobs.tree(key))).toEqual(['~ f']);
  });
});

describe('references of what is no record', () => {
  const found = (kind: BlobKind, bytes: Buffer): number => {
    let count = 0;
    findReferences(kind, bytes, () => count++);
    return count;
  };

  test('of another version are of a newer program, of another type or kind are damage', () => {
    expect(() => found(BLOB_KIND.tree, Buffer.of(2, 0, 0))).toThrow(
      expect.objectContaining({ code: 'unsupported-format' }),
    );
    expect(() => found(BLOB_KIND.chunkList, Buffer.of(2, 0, 0))).toThrow(
      expect.objectContaining({ code: 'unsupported-format' }),
    );
    expect(() => found(BLOB_KIND.tree, Buffer.of(1, 2, 0))).toThrow(expect.objectContaining({ code: 'corrupt-data' }));
    const tree = Buffer.from(encodeTree([small('f', 1)]));
    tree[3] = 99;
    expect(() => found(BLOB_KIND.tree, tree)).toThrow(expect.objectContaining({ code: 'corrupt-data' }));
    expect(() => found(BLOB_KIND.tree, Buffer.of(1, 0, ...Array(9).fill(0x80)))).toThrow('does not make sense');
    expect(() => found(BLOB_KIND.tree, Buffer.alloc(0))).toThrow('does not make sense');
  });

  test('data refers to nothing, whatever it holds', () => {
    expect(found(BLOB_KIND.data, encodeTree([small('f', 1)]))).toBe(0);
  });
});

test('a copy that is none lies in no pack', () => {
  const table = new PackTable();
  expect(table.find(BLOB_KIND.data, Buffer.alloc(32), 0)).toBe(-1);
  expect(() => table.packOf(-1)).toThrow(RangeError);
});
