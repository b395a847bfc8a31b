/**
 * Danger: a frame header that makes a decoder take memory, or that means something else to another decoder.
 */
import { describe, expect, it } from 'vitest';
import { readZstdFrame } from '../../src/compress/zstd-frame.ts';
import { hasCode } from '../../src/errors.ts';

const magic = [0x28, 0xb5, 0x2f, 0xfd];
/** The last block, raw, three bytes. */
const abc = [0x19, 0, 0, 0x61, 0x62, 0x63];

describe('zstd frame', () => {
  it.each([
    ['one byte of size', [0x20, 3, ...abc], 3],
    ['two bytes of size', [0x60, 0, 0, ...abc], 256],
    ['four bytes of size and a window', [0x80, 0x48, 3, 0, 0, 0, ...abc], 3],
    ['eight bytes of size', [0xe0, 3, 0, 0, 0, 0, 0, 0, 0, ...abc], 3],
    ['a checksum', [0x24, 3, ...abc, 1, 2, 3, 4], 3],
    ['two blocks, one of a repeated byte', [0x20, 6, 0x1a, 0, 0, 0x7a, ...abc], 6],
  ])('with %s is read', (_, rest, contentBytes) => {
    expect(readZstdFrame(Uint8Array.from([...magic, ...rest])).contentBytes).toBe(contentBytes);
  });

  it.each([
    ['no content size', [0x00, 0x48, ...abc]],
    ['a dictionary', [0x21, 3, ...abc]],
    ['a reserved bit', [0x28, 3, ...abc]],
    ['a window of 2 GiB', [0x80, 0xa8, 3, 0, 0, 0, ...abc]],
    ['a reserved block type', [0x20, 3, 0x1f, 0, 0, 0x61, 0x62, 0x63]],
    ['a block over 128 KiB', [0x20, 3, 0x09, 0, 0x10, ...new Array<number>(131_073).fill(0)]],
    ['no last block', [0x20, 3, 0x18, 0, 0, 0x61, 0x62, 0x63]],
    ['a cut-off checksum', [0x24, 3, ...abc, 1, 2]],
    ['a byte too many', [0x20, 3, ...abc, 0]],
    ['a byte too few', [0x20, 3, ...abc.slice(0, -1)]],
    ['more content than its blocks can hold', [0xa0, 1, 0, 2, 0, ...abc]],
    ['a size beyond 2^53', [0xe0, 0, 0, 0, 0, 0, 0, 0, 0xff, ...abc]],
  ])('with %s is refused', (_, rest) => {
    expect(isRefused([...magic, ...rest])).toBe(true);
  });

  it('of another format is refused', () => {
    expect(isRefused([0x50, 0x2a, 0x4d, 0x18, 0x20, 3, ...abc])).toBe(true);
    expect(isRefused([])).toBe(true);
  });
});

function isRefused(bytes: readonly number[]): boolean {
  try {
    readZstdFrame(Uint8Array.from(bytes));
  } catch (error) {
    if (hasCode(error, 'corrupt-data')) return true;
    throw error;
  }
  return false;
}
