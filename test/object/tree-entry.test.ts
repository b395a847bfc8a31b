/** Danger: two entries taken for the same that are not: a change that no commit stores, or no checkout undoes. */
import { describe, expect, test } from 'vitest';
import { blobIdOf } from '../../src/object/blob-id.ts';
import type { FileEntry, TreeEntry } from '../../src/object/tree-entry.ts';
import { contentKey, entrySize, linkGroup, sameContent, sameMetadata, sameTime } from '../../src/object/tree-entry.ts';

const id = (text: string) => blobIdOf(Buffer.from(text));
const base = { name: 'n', mode: 0o644, mtime: 5000n, uid: 1, gid: 2 };
const file = (changes: Partial<FileEntry> = {}): FileEntry => ({
  kind: 1,
  ...base,
  size: 3,
  content: { chunks: [{ id: id('a'), length: 1 }] },
  linkKey: undefined,
  sparse: false,
  unsteady: false,
  ...changes,
});
const two = [
  { id: id('a'), length: 1 },
  { id: id('b'), length: 2 },
];
const folder = (tree: string): TreeEntry => ({ kind: 2, ...base, tree: id(tree) });
const link = (target: string): TreeEntry => ({ kind: 3, ...base, target });
const special = (kind: 4 | 5 | 6 | 7, major: number, minor: number): TreeEntry => ({ kind, ...base, major, minor });

/** No two of them hold the same. */
const DIFFERENT: readonly TreeEntry[] = [
  file(),
  file({ size: 4 }),
  file({ content: { chunks: [] } }),
  file({ content: { chunks: two } }),
  file({ content: { chunks: two.toReversed() } }),
  file({ content: { chunks: [two[0], { id: id('c'), length: 2 }].flatMap((chunk) => chunk ?? []) } }),
  file({ content: { list: id('a') } }),
  file({ content: { list: id('b') } }),
  folder('a'),
  folder('b'),
  link('a'),
  link('b'),
  special(4, 0, 0),
  special(5, 0, 0),
  special(5, 1, 0),
  special(5, 0, 1),
  special(6, 0, 0),
  special(7, 0, 0),
];

describe('content', () => {
  test('is the same as its own, under any name, mode and time', () => {
    for (const entry of DIFFERENT)
      expect(sameContent(entry, { ...structuredClone(entry), name: 'm', mode: 0, mtime: 0n, uid: 8, gid: 9 })).toBe(
        true,
      );
  });

  test('is never the same as another', () => {
    for (const [i, a] of DIFFERENT.entries())
      for (const [j, b] of DIFFERENT.entries()) if (i !== j) expect(sameContent(a, b), `${i} and ${j}`).toBe(false);
  });

  test('only files have a size', () => {
    expect(DIFFERENT.map(entrySize)).toEqual([3, 4, 3, 3, 3, 3, 3, 3, ...Array.from({ length: 10 }, () => 0)]);
  });
});

describe('metadata', () => {
  test.each([{ mode: 0o600 }, { uid: 9 }, { gid: 9 }, { mtime: 6000n }])('%o is another', (change) => {
    expect(sameMetadata(file(), file(change))).toBe(false);
    expect(sameMetadata(file(change), file(change))).toBe(true);
  });

  test.each([
    [0n, true],
    [999n, true],
    [-999n, true],
    [1000n, false],
    [-1000n, false],
    [10n ** 18n, false],
  ])('times %i ns apart are the same: %s', (difference, same) => {
    expect(sameTime(7n + difference, 7n)).toBe(same);
    expect(sameMetadata(file({ mtime: 7n + difference }), file({ mtime: 7n }))).toBe(same);
  });
});

describe('the names of one file', () => {
  test('a file without a link key has one name', () => {
    expect(linkGroup(file())).toBeUndefined();
  });

  test('the same key with other bytes is another file', () => {
    const groups = [
      file({ linkKey: '00'.repeat(8) }),
      file({ linkKey: '01'.repeat(8) }),
      file({ linkKey: '00'.repeat(8), size: 4 }),
      file({ linkKey: '00'.repeat(8), content: { chunks: two } }),
      file({ linkKey: '00'.repeat(8), content: { list: id('c') } }),
    ].map(linkGroup);
    expect(new Set(groups).size).toBe(groups.length);
    expect(groups).not.toContain(undefined);
    expect(linkGroup(file({ linkKey: '00'.repeat(8), name: 'm' }))).toBe(groups[0]);
  });

  test('the key of a content is its chunks in order, or its list', () => {
    expect(contentKey(file({ content: { chunks: two } }))).toBe(id('a') + id('b'));
    expect(contentKey(file({ content: { list: id('c') } }))).toBe(id('c'));
    expect(contentKey(file({ content: { chunks: [] } }))).toBe('');
  });
});
