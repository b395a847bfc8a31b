/** Danger: trees that decode to something else than was encoded, or two encodings of one folder. */

import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import { encodeName } from '../../src/bytes/names.ts';
import { blobIdOf } from '../../src/object/blob-id.ts';
import { decodeTree, encodeTree, writeName } from '../../src/object/tree.ts';
import type { TreeEntry } from '../../src/object/tree-entry.ts';
import type { TreePart } from '../../src/object/tree-parts.ts';
import { checkPart, decodeParts, encodeFolder } from '../../src/object/tree-parts.ts';
import { folders } from '../kit/arbitrary.ts';
import { attempt, tamper } from '../kit/tamper.ts';

const again = (bytes: Buffer): Uint8Array => encodeTree(decodeTree(bytes));

function emptyFile(name: string): TreeEntry {
  return {
    kind: 1,
    name,
    mode: 0o644,
    mtime: 0n,
    uid: 0,
    gid: 0,
    size: 0,
    content: { chunks: [] },
    linkKey: undefined,
    sparse: false,
    unsteady: false,
  };
}

function manyFiles(count: number): TreeEntry[] {
  return Array.from({ length: count }, (_, i) => emptyFile(`file ${String(i).padStart(6, '0')}`));
}

describe('trees', () => {
  test('decode what was encoded', () => {
    fc.assert(
      fc.property(folders, (entries) => {
        expect(decodeTree(encodeTree(entries))).toEqual(entries);
      }),
      { numRuns: 300 },
    );
  });

  test('damaged bytes are refused, or are another tree in its only encoding', () => {
    fc.assert(
      fc.property(folders, (entries) => void tamper(encodeTree(entries), again)),
      { numRuns: 15 },
    );
  });

  test('noise is refused, or is a tree in its only encoding', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        const bytes = Buffer.concat([Buffer.of(1, 0), noise]);
        return attempt(bytes, again)?.equals(bytes) ?? true;
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    '',
    '.',
    '..',
    'a/b',
    'a\0b',
    '.snap',
    '.SNAP',
    '.Snap. ',
    '.snap::$DATA',
    'SNAP~1',
    '.s\u200cnap',
    '.\u017fnap',
    'x'.repeat(4097),
    `${'é'.repeat(2048)}x`,
    'snap~9',
    '.ſnap',
  ])('the name %j is refused by writer and reader', (name) => {
    expect(() => encodeTree([emptyFile(name)])).toThrow('a tree cannot hold');
    const bytes = encodeName(name);
    const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7];
    const tail = encodeTree([emptyFile('y')]).subarray(6);
    const damaged = Buffer.concat([Buffer.of(1, 0, 1, 1, ...length), bytes, tail]);
    expect(() => decodeTree(damaged)).toThrow('damaged tree');
  });

  test.each([
    '.snapignore',
    'snap',
    '.snapshots',
    'a.snap',
    'snap~10',
    'snap~0',
    'snap~',
    'xsnap~1',
    '.snap~1',
    '...',
    ' ',
    'x'.repeat(4096),
    'é'.repeat(2048),
    's',
    'p',
  ])('the name %j is fine', (name) => {
    expect(decodeTree(encodeTree([emptyFile(name)]))[0]?.name).toBe(name);
  });

  test('unsorted and repeated names are refused', () => {
    expect(() => encodeTree([emptyFile('b'), emptyFile('a')])).toThrow('unsorted');
    expect(() => encodeTree([emptyFile('a'), emptyFile('a')])).toThrow('unsorted');
    const sorted = encodeTree([emptyFile('a'), emptyFile('b')]);
    const swapped = Buffer.from(
      sorted.toString('latin1').replace('a', '?').replace('b', 'a').replace('?', 'b'),
      'latin1',
    );
    expect(() => decodeTree(swapped)).toThrow('not sorted');
  });

  test('another version is refused as such', () => {
    expect(() => decodeTree(Buffer.of(2, 0, 0))).toThrow(
      expect.objectContaining({
        code: 'unsupported-format',
        message: expect.stringContaining('unknown version 2'),
        hint: expect.stringContaining('newer version'),
      }),
    );
  });
});

/** The entry of a tree with one entry, altered behind its name. */
const altered = (entry: TreeEntry, alter: (writer: ByteWriter) => void): Buffer => {
  const head = new ByteWriter();
  head.u8(1);
  head.u8(0);
  head.uvarint(1);
  head.u8(entry.kind);
  writeName(head, entry.name);
  alter(head);
  return head.finish();
};
const owned = (writer: ByteWriter, mode = 0, uid = 0, gid = 0): void => {
  writer.uvarint(mode);
  writer.i64(0n);
  writer.uvarint(uid);
  writer.uvarint(gid);
};
const chunked = (writer: ByteWriter, flags: number, size: number, lengths: readonly number[]): void => {
  owned(writer);
  writer.u8(flags);
  writer.uvarint(size);
  writer.uvarint(lengths.length);
  for (const length of lengths) {
    writer.uvarint(length);
    writer.id('00'.repeat(32));
  }
};

describe('what no writer writes is refused', () => {
  const f = emptyFile('f');
  const cases: [string, Buffer][] = [
    ['permissions of 13 bits', altered(f, (w) => owned(w, 0o10000))],
    ['an owner of 33 bits', altered(f, (w) => owned(w, 0, 2 ** 32))],
    ['a group of 33 bits', altered(f, (w) => owned(w, 0, 0, 2 ** 32))],
    ['an unknown flag', altered(f, (w) => chunked(w, 16, 0, []))],
    ['nine inline chunks', altered(f, (w) => chunked(w, 0, 9, Array(9).fill(1)))],
    ['an empty chunk', altered(f, (w) => chunked(w, 0, 1, [1, 0]))],
    ['too few bytes for the size', altered(f, (w) => chunked(w, 0, 3, [1, 1]))],
    ['too many bytes for the size', altered(f, (w) => chunked(w, 0, 1, [1, 1]))],
    ['kind 8', altered({ ...f, kind: 8 } as unknown as TreeEntry, (w) => owned(w))],
    ['kind 0', altered({ ...f, kind: 0 } as unknown as TreeEntry, (w) => owned(w))],
    ['more entries than bytes', Buffer.of(1, 0, 0x7f, 1)],
    ['an unknown type', Buffer.of(1, 2, 0)],
  ];
  test.each(cases)('%s', (_, bytes) => {
    expect(() => decodeTree(bytes)).toThrow(expect.objectContaining({ code: 'corrupt-data' }));
  });

  test('not the largest that is allowed', () => {
    const most = { ...f, mode: 0o7777, uid: 2 ** 32 - 1, gid: 2 ** 32 - 1, sparse: true, unsteady: true };
    expect(decodeTree(encodeTree([most]))).toEqual([most]);
    expect(decodeTree(altered(f, (w) => chunked(w, 0, 8, Array(8).fill(1))))[0]).toMatchObject({ size: 8 });
  });

  test('times beyond 64 bits are the nearest that fits', () => {
    const times = [-(2n ** 63n) - 1n, -(2n ** 63n), 2n ** 63n - 1n, 2n ** 63n];
    expect(times.map((mtime) => decodeTree(encodeTree([{ ...f, mtime }]))[0]?.mtime)).toEqual([
      -(2n ** 63n),
      -(2n ** 63n),
      2n ** 63n - 1n,
      2n ** 63n - 1n,
    ]);
  });
});

describe('lists of parts', () => {
  const list = (names: readonly string[], count = names.length): Buffer => {
    const writer = new ByteWriter();
    writer.u8(1);
    writer.u8(1);
    writer.uvarint(count);
    for (const name of names) {
      writeName(writer, name);
      writer.id('00'.repeat(32));
    }
    return writer.finish();
  };

  test('two or more, sorted', () => {
    expect(decodeParts(list(['a', 'b']))?.map(({ firstName }) => firstName)).toEqual(['a', 'b']);
    expect(decodeParts(encodeTree([]))).toBeUndefined();
  });

  test.each([
    ['none', list([])],
    ['one', list(['a'])],
    ['unsorted', list(['b', 'a'])],
    ['a name twice', list(['a', 'a'])],
    ['a name that no tree holds', list(['..', 'a'])],
    ['more than there are bytes', list(['a', 'b'], 2 ** 40)],
    ['more than there are', list(['a', 'b'], 3)],
    ['fewer than there are', list(['a', 'b', 'c'], 2)],
  ])('%s: refused', (_, bytes) => {
    expect(() => decodeParts(bytes)).toThrow(expect.objectContaining({ code: 'corrupt-data' }));
  });

  const part = (firstName: string): TreePart => ({ firstName, tree: blobIdOf(Buffer.from(firstName)) });
  const files = (...names: string[]): TreeEntry[] => names.map(emptyFile);
  const cases: [boolean, string | undefined, string[]][] = [
    [true, undefined, ['b']],
    [true, undefined, ['b', 'z']],
    [true, 'd', ['b', 'c']],
    [false, 'c', ['b', 'c']],
    [false, 'c', ['b', 'd']],
    [false, 'd', []],
    [false, undefined, []],
    [false, undefined, ['a']],
    [false, 'd', ['c']],
  ];
  test.each(cases)('the part from "b" fits: %s, with the next from %s and entries %j', (fits, next, names) => {
    const check = () => checkPart(part('b'), next === undefined ? undefined : part(next), files(...names));
    if (fits) check();
    else expect(check).toThrow(expect.objectContaining({ code: 'corrupt-data' }));
  });
});

describe('large folders', () => {
  test('4096 entries are a leaf, 4097 are parts', () => {
    expect(encodeFolder(manyFiles(4096))).toHaveLength(1);
    expect(encodeFolder(manyFiles(4097)).length).toBeGreaterThan(2);
  });

  test('parts hold all entries in order, and end where the names say', () => {
    const entries = manyFiles(20_000);
    const trees = encodeFolder(entries);
    const parts = decodeParts(trees.at(-1)?.bytes ?? Buffer.alloc(0)) ?? [];
    const byId = new Map(trees.map((tree) => [tree.id, tree.bytes]));
    const leaves = parts.map((part) => decodeTree(byId.get(part.tree) ?? Buffer.alloc(0)));
    expect(leaves.flat()).toEqual(entries);
    expect(leaves.map((leaf) => leaf[0]?.name)).toEqual(parts.map((part) => part.firstName));
    for (const leaf of leaves.slice(0, -1))
      expect(leaf.length === 4096 || (crc32(encodeName(leaf.at(-1)?.name ?? '')) & 0x3ff) === 0).toBe(true);
    for (const tree of trees) expect(blobIdOf(tree.bytes)).toBe(tree.id);
  });

  test('one new file renews one part, or two, and the list', () => {
    const entries = manyFiles(20_000);
    const before = new Set(encodeFolder(entries).map((tree) => tree.id));
    const after = encodeFolder([
      ...entries.slice(0, 7000),
      emptyFile('file 006999 and a half'),
      ...entries.slice(7000),
    ]);
    expect(after.filter((tree) => !before.has(tree.id)).length).toBeLessThanOrEqual(3);
  });
});
