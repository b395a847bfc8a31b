/** Danger: trees that decode to something else than was encoded, or two encodings of one folder. */

import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeName } from '../../src/bytes/names.ts';
import { blobIdOf } from '../../src/object/blob-id.ts';
import { decodeTree, encodeTree } from '../../src/object/tree.ts';
import type { TreeEntry } from '../../src/object/tree-entry.ts';
import { decodeParts, encodeFolder } from '../../src/object/tree-parts.ts';
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
  ])('the name %j is refused by writer and reader', (name) => {
    expect(() => encodeTree([emptyFile(name)])).toThrow('a tree cannot hold');
    const bytes = encodeName(name);
    const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7];
    const tail = encodeTree([emptyFile('y')]).subarray(6);
    const damaged = Buffer.concat([Buffer.of(1, 0, 1, 1, ...length), bytes, tail]);
    expect(() => decodeTree(damaged)).toThrow('damaged tree');
  });

  test.each(['.snapignore', 'snap', '.snapshots', 'a.snap', 'snap~10', '...', ' '])('the name %j is fine', (name) => {
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
    expect(() => decodeTree(Buffer.of(2, 0, 0))).toThrow('unknown version 2');
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
