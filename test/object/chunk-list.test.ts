/** Danger: chunk lists that lose, repeat or reorder chunks, or that an edit rewrites as a whole. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { blobIdOf } from '../../src/object/blob-id.ts';
import type { EncodedList } from '../../src/object/chunk-list.ts';
import { decodeChunkList, encodeChunkLists } from '../../src/object/chunk-list.ts';
import type { ChunkRef } from '../../src/object/tree-entry.ts';
import { chunkRefs } from '../kit/arbitrary.ts';
import { attempt, tamper } from '../kit/tamper.ts';

function chunks(count: number): ChunkRef[] {
  return Array.from({ length: count }, (_, i) => ({ id: blobIdOf(Buffer.from(`chunk ${i}`)), length: i + 1 }));
}

/** All data chunks below the top list; checks levels and lengths on the way. */
function expand(lists: readonly EncodedList[]): ChunkRef[] {
  const byId = new Map(lists.map((list) => [list.id, list.bytes]));
  const below = (id: BlobId, level: number | undefined): readonly ChunkRef[] => {
    const list = decodeChunkList(byId.get(id) ?? Buffer.alloc(0));
    if (level !== undefined) expect(list.level).toBe(level);
    if (list.level === 0) return list.refs;
    return list.refs.flatMap((ref) => {
      const inside = below(ref.id, list.level - 1);
      expect(inside.reduce((sum, chunk) => sum + chunk.length, 0)).toBe(ref.length);
      return inside;
    });
  };
  const top = lists.at(-1);
  return top === undefined ? [] : [...below(top.id, undefined)];
}

/** Holds for lists of one segment only. */
const again = (bytes: Buffer): Uint8Array => {
  const { level, refs } = decodeChunkList(bytes);
  const lists = encodeChunkLists(refs);
  const first = lists[0];
  if (first === undefined || lists.length > 1) return bytes;
  return Buffer.concat([first.bytes.subarray(0, 1), Buffer.of(level), first.bytes.subarray(2)]);
};

describe('chunk lists', () => {
  test('give back every chunk in order', () => {
    fc.assert(
      fc.property(
        fc.array(chunkRefs, { minLength: 1, maxLength: 60 }),
        (refs) => void expect(expand(encodeChunkLists(refs))).toEqual(refs),
      ),
    );
  });

  test.each([1, 8, 9, 511, 4096, 4097, 30_000])('%i chunks', (count) => {
    expect(expand(encodeChunkLists(chunks(count)))).toEqual(chunks(count));
  });

  test('equal chunks are cut at the limit, and lists end', () => {
    const same = Array.from({ length: 10_000 }, () => ({ id: '00'.repeat(32) as BlobId, length: 1 }));
    expect(expand(encodeChunkLists(same))).toEqual(same);
  });

  test('a file without chunks has no list', () => {
    expect(() => encodeChunkLists([])).toThrow('needs chunks');
  });

  test('a segment ends after an id whose low nine bits are zero, never with its first chunk', () => {
    const cut = { id: `${'f'.repeat(60)}fe00` as BlobId, length: 1 };
    const other = { id: `${'0'.repeat(60)}01ff` as BlobId, length: 1 };
    const segments = (...refs: ChunkRef[]) =>
      encodeChunkLists(refs)
        .map((list) => decodeChunkList(list.bytes))
        .filter(({ level }) => level === 0)
        .map((list) => list.refs.length);
    expect(segments(cut, other, cut, other)).toEqual([3, 1]);
    expect(segments(cut, cut, cut)).toEqual([2, 1]);
    expect(segments(other, cut)).toEqual([2]);
  });

  describe('a list is refused', () => {
    /** A list of `count` chunks of `length` bytes. */
    const list = (version: number, level: number, count: number, length: number): Buffer => {
      const writer = new ByteWriter();
      writer.u8(version);
      writer.u8(level);
      writer.uvarint(count);
      for (let i = 0; i < count; i++) {
        writer.uvarint(length);
        writer.id('00'.repeat(32));
      }
      return writer.finish();
    };
    test.each([
      ['no chunks', list(1, 0, 0, 1), 'corrupt-data'],
      ['one chunk more than a segment holds', list(1, 0, 4097, 1), 'corrupt-data'],
      ['an empty chunk', list(1, 0, 2, 0), 'corrupt-data'],
      ['a level too high', list(1, 9, 2, 1), 'corrupt-data'],
      ['a later version', list(2, 0, 2, 1), 'unsupported-format'],
      ['more behind it', Buffer.concat([list(1, 0, 2, 1), Buffer.of(0)]), 'corrupt-data'],
    ])('%s', (_, bytes, code) => {
      expect(() => decodeChunkList(bytes)).toThrow(expect.objectContaining({ code }));
    });

    test('a later version: with the hint to update', () => {
      expect(() => decodeChunkList(list(2, 0, 1, 1))).toThrow(
        expect.objectContaining({ hint: expect.stringContaining('newer version') }),
      );
    });

    test.each([
      [0, 1],
      [8, 1],
      [0, 4096],
    ])('not of level %i with %i chunks', (level, count) => {
      expect(decodeChunkList(list(1, level, count, 1))).toMatchObject({ level, refs: { length: count } });
    });
  });

  test('damaged bytes are refused, or are another list in its only encoding', () => {
    fc.assert(
      fc.property(
        fc.array(chunkRefs, { minLength: 1, maxLength: 6 }),
        (refs) => void tamper(encodeChunkLists(refs).at(-1)?.bytes ?? Buffer.alloc(0), again),
      ),
      { numRuns: 20 },
    );
  });

  test('noise is refused, or is a list in its only encoding', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (noise) => {
        const bytes = Buffer.concat([Buffer.of(1, 0), noise]);
        return attempt(bytes, again)?.equals(bytes) ?? true;
      }),
      { numRuns: 1000 },
    );
  });

  test('a chunk changed in the middle renews one list a level', () => {
    const refs = chunks(30_000);
    const before = new Set(encodeChunkLists(refs).map((list) => list.id));
    const edited = refs.with(12_345, { id: blobIdOf(Buffer.from('edited')), length: 5 });
    expect(encodeChunkLists(edited).filter((list) => !before.has(list.id)).length).toBeLessThanOrEqual(3);
  });
});
