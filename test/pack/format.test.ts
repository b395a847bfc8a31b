/** Danger: headers, directories and footers that lie: of other lengths, places, counts or versions than what is there. */
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { PackId } from '../../src/object/pack-id.ts';
import type { FooterBlock } from '../../src/pack/pack-format.ts';
import {
  BLOCK_HEADER_BYTES,
  BLOCK_RAW_BYTES_MAX,
  checkPackHeader,
  decodeBlockDirectory,
  decodeBlockHeader,
  decodeFooter,
  encodeBlockHeader,
  encodeFooter,
  encodePackHeader,
  footerLength,
  TRAILER_BYTES,
} from '../../src/pack/pack-format.ts';
import { changed, damage, data, PACK } from './packs.ts';

const later = expect.objectContaining({ code: 'unsupported-format', hint: expect.stringContaining('newer version') });

describe('the header of a pack', () => {
  const header = encodePackHeader(PACK);
  test('is the whole of its 32 bytes', () => {
    checkPackHeader(header, PACK);
    checkPackHeader(Buffer.concat([header, Buffer.of(1)]), PACK);
    for (let at = 0; at < header.length; at++)
      expect(() => checkPackHeader(changed(header, at, (header[at] ?? 0) ^ 1), PACK), `byte ${at}`).toThrow(damage);
    expect(() => checkPackHeader(header.subarray(0, 31), PACK)).toThrow(damage);
    expect(() => checkPackHeader(header, 'ff'.repeat(16) as PackId)).toThrow();
  });
});

describe('the header of a block', () => {
  const header = { codec: 0, rawLength: 10, storedLength: 20, directoryLength: 10 };
  /** A header with a right checksum. */
  const sealed = (change: (bytes: Buffer) => void): Buffer => {
    const bytes = encodeBlockHeader(header);
    change(bytes);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 20)), 20);
    return bytes;
  };
  test('has its limits', () => {
    const most = { ...header, rawLength: BLOCK_RAW_BYTES_MAX, storedLength: BLOCK_RAW_BYTES_MAX };
    expect(decodeBlockHeader(encodeBlockHeader(most), 'block')).toEqual(most);
    for (const wrong of [
      { rawLength: BLOCK_RAW_BYTES_MAX + 1 },
      { storedLength: BLOCK_RAW_BYTES_MAX + 1 },
      { directoryLength: 11 },
    ])
      expect(() => decodeBlockHeader(encodeBlockHeader({ ...header, ...wrong }), 'block')).toThrow(
        'impossible lengths',
      );
  });

  test.each([5, 6, 7])('byte %i is a flag of a later version', (at) => {
    expect(() =>
      decodeBlockHeader(
        sealed((bytes) => void bytes.writeUInt8(1, at)),
        'block',
      ),
    ).toThrow(later);
  });

  test('shorter than it is, or with another mark: none', () => {
    const whole = encodeBlockHeader(header);
    expect(() => decodeBlockHeader(whole.subarray(0, BLOCK_HEADER_BYTES - 1), 'block')).toThrow('begin like a block');
    expect(() =>
      decodeBlockHeader(
        sealed((bytes) => void bytes.write('SBLX')),
        'block',
      ),
    ).toThrow('begin like a block');
  });
});

test('a directory of more blobs than bytes is refused before they are made', () => {
  expect(() => decodeBlockDirectory(Buffer.of(0xff, 0xff, 0xff, 0x7f, 1, 1), 'block')).toThrow('more blobs than bytes');
  expect(() => decodeBlockDirectory(Buffer.of(1, 5, 1), 'block')).toThrow(later);
  expect(() => decodeBlockDirectory(Buffer.of(1, 1, 1, 1), 'block')).toThrow('too many');
});

describe('a footer', () => {
  const block: FooterBlock = {
    offset: 32,
    codec: 0,
    rawLength: 10,
    storedLength: 10,
    directoryLength: 7,
    blobs: [data('one').blob],
  };
  /** Decodes the footer of a pack with these blocks, whose size fits the last. */
  const decode = (blocks: readonly FooterBlock[], more = 0): unknown => {
    const bytes = encodeFooter({ blocks });
    const last = blocks.at(-1);
    const size = (last === undefined ? 32 : last.offset + BLOCK_HEADER_BYTES + last.storedLength) + bytes.length + more;
    return decodeFooter(bytes.subarray(0, -TRAILER_BYTES), bytes.subarray(-TRAILER_BYTES), PACK, size);
  };
  const next = { ...block, offset: 32 + BLOCK_HEADER_BYTES + 10 };

  test('lists blocks that fill the pack', () => {
    expect(decode([])).toEqual({ blocks: [] });
    expect(decode([block, next])).toEqual({ blocks: [block, next] });
    const most = { ...block, storedLength: BLOCK_RAW_BYTES_MAX };
    expect(decode([most])).toEqual({ blocks: [most] });
  });

  const refused: [string, FooterBlock[], number][] = [
    ['a gap', [block, { ...next, offset: next.offset + 1 }], 0],
    ['an overlap', [block, { ...next, offset: next.offset - 1 }], 0],
    ['a gap that the size does not tell', [block, { ...next, offset: next.offset + 1 }], -1],
    ['an overlap that the size does not tell', [block, { ...next, offset: next.offset - 1 }], 1],
    ['a first block elsewhere', [{ ...block, offset: 33 }], 0],
    ['too few blobs', [{ ...block, blobs: [] }], 0],
    ['too many blobs', [{ ...block, blobs: [data('one').blob, data('two').blob] }], 0],
    ['a block too large', [{ ...block, storedLength: BLOCK_RAW_BYTES_MAX + 1 }], 0],
    ['too large when decoded', [{ ...block, rawLength: BLOCK_RAW_BYTES_MAX + 1 }], 0],
    ['bytes behind the last block', [block], 1],
    ['bytes missing', [block], -1],
  ];
  test.each(refused)('with %s: refused', (_, blocks, more) => {
    expect(() => decode(blocks, more)).toThrow(expect.objectContaining({ code: 'corrupt-data' }));
  });

  test('a block of 64 MiB that blobs fill is too large by one byte', () => {
    const large = { ...block, rawLength: BLOCK_RAW_BYTES_MAX + 1, directoryLength: BLOCK_RAW_BYTES_MAX - 2 };
    expect(() => decode([large])).toThrow('a block too large');
    expect(() =>
      decode([{ ...large, rawLength: BLOCK_RAW_BYTES_MAX, directoryLength: BLOCK_RAW_BYTES_MAX - 3 }]),
    ).not.toThrow();
  });

  test('of another version', () => {
    const made = encodeFooter({ blocks: [] });
    const body = Buffer.concat([Buffer.of(2), made.subarray(1, -TRAILER_BYTES)]);
    const trailer = Buffer.from(made.subarray(-TRAILER_BYTES));
    Buffer.from(data(body).blob.id, 'hex').copy(trailer, 4);
    expect(() => decodeFooter(body, trailer, PACK, 32 + body.length + TRAILER_BYTES)).toThrow(later);
    expect(() => decodeFooter(body, made.subarray(-TRAILER_BYTES), PACK, 0)).toThrow(damage);
  });

  test('with bytes behind its last block', () => {
    const body = Buffer.of(1, 0, 0);
    const trailer = Buffer.from(encodeFooter({ blocks: [] }).subarray(-TRAILER_BYTES));
    Buffer.from(data(body).blob.id, 'hex').copy(trailer, 4);
    expect(() => decodeFooter(body, trailer, PACK, 32 + body.length + TRAILER_BYTES)).toThrow('1 bytes too many');
  });

  test('counts that lie are refused before anything is made of them', () => {
    for (const body of [Buffer.of(1, 0xff, 0xff, 0x7f), Buffer.of(1, 1, 32, 0, 10, 10, 7, 0xff, 0xff, 0x7f)]) {
      const trailer = Buffer.from(encodeFooter({ blocks: [] }).subarray(-TRAILER_BYTES));
      Buffer.from(data(body).blob.id, 'hex').copy(trailer, 4);
      expect(() => decodeFooter(body, trailer, PACK, 1000)).toThrow(/more (blocks|blobs) than bytes/);
    }
  });

  test('is no longer than the pack', () => {
    const trailer = encodeFooter({ blocks: [] }).subarray(-TRAILER_BYTES);
    expect(footerLength(trailer, PACK, 32 + 2 + TRAILER_BYTES)).toBe(2);
    expect(() => footerLength(trailer, PACK, 32 + 1 + TRAILER_BYTES)).toThrow(damage);
    expect(() => footerLength(changed(trailer, 36, 1), PACK, 1000)).toThrow(damage);
    expect(() => footerLength(changed(trailer, -1, 1), PACK, 1000)).toThrow(damage);
    expect(() => footerLength(Buffer.concat([trailer, trailer]), PACK, 1000)).toThrow(damage);
    expect(() => footerLength(trailer.subarray(1), PACK, 1000)).toThrow(damage);
  });
});
