/** Danger: a footer taken from the wrong place, blocks that a scan passes over, scans without end. */
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
import { readFooter, scanPack } from '../../src/pack/pack-reader.ts';
import { noise } from '../kit/folder.ts';
import { data, idsOf, PACK, packOf, reader, zstd } from './packs.ts';

const damage = expect.objectContaining({ code: 'corrupt-data', context: { pack: PACK } });
const later = expect.objectContaining({ code: 'unsupported-format', hint: expect.stringContaining('newer version') });
const changed = (bytes: Buffer, at: number, byte: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy[at < 0 ? copy.length + at : at] = byte;
  return copy;
};

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

describe('reading a footer', () => {
  const small = packOf([data('one')], [data('two')]);
  const large = packOf([data(noise(400_000, 1))]);
  /** 40 bytes for each blob: a footer longer than what is read first. */
  const many = packOf(Array.from({ length: 8000 }, (_, i) => data(String(i))));

  test.each([
    ['small', small, 1],
    ['large', large, 2],
    ['with a long footer', many, 3],
  ])('of a pack that is %s', async (_, { bytes, blocks }, count) => {
    const reads: [number, number][] = [];
    expect(await readFooter(PACK, bytes.length, reader(bytes, reads))).toEqual({ blocks });
    expect(reads).toHaveLength(count);
    for (const [offset, length] of reads) expect(offset + length).toBeLessThanOrEqual(bytes.length);
  });

  test.each([small, large, many])('the header is checked as well', async ({ bytes }) => {
    const wrong = changed(bytes, 20, 0);
    await expect(readFooter(PACK, wrong.length, reader(wrong))).rejects.toThrow('the id of another pack');
  });

  test('reads that give fewer bytes are damage', async () => {
    const { bytes } = many;
    for (const short of [0, 1, 2]) {
      let reads = 0;
      const read = async (offset: number, length: number) =>
        bytes.subarray(offset, offset + length - (reads++ === short ? 1 : 0));
      await expect(readFooter(PACK, bytes.length, read), `read ${short}`).rejects.toThrow(damage);
    }
  });

  test('a pack shorter than header and trailer is damage, the shortest is not', async () => {
    const none = packOf();
    expect(await readFooter(PACK, none.bytes.length, reader(none.bytes))).toEqual({ blocks: [] });
    const reads: [number, number][] = [];
    await expect(readFooter(PACK, 79, reader(Buffer.alloc(79), reads))).rejects.toThrow('too short');
    expect(reads).toEqual([]);
    await expect(readFooter(PACK, 80, reader(Buffer.alloc(80)))).rejects.toThrow('does not end like a pack');
  });
});

describe('a scan', () => {
  const scan = async (bytes: Buffer, from?: number, reads: [number, number][] = []) => {
    const found = [];
    for await (const block of scanPack(zstd, PACK, bytes.length, reader(bytes, reads), from)) found.push(block);
    return found;
  };
  const contents = [[data('one')], [data('two'), data('three')], [data('four')]];
  const made = packOf(...contents);
  const at = (i: number): FooterBlock => made.blocks[i] as FooterBlock;

  test('finds every block and its place', async () => {
    const found = await scan(made.bytes);
    expect(found.map(({ offset, header }) => ({ offset, storedLength: header.storedLength }))).toEqual(
      made.blocks.map(({ offset, storedLength }) => ({ offset, storedLength })),
    );
    expect(found.map(({ parts }) => idsOf(parts))).toEqual(contents.map(idsOf));
  });

  test('needs neither header nor footer, nor a right start', async () => {
    expect(await scan(made.bytes.subarray(0, made.footerAt))).toHaveLength(3);
    expect(await scan(made.bytes.subarray(7), 0)).toHaveLength(3);
    expect(await scan(made.bytes, at(0).offset + 1)).toHaveLength(2);
    expect(await scan(Buffer.alloc(0))).toEqual([]);
    expect(await scan(Buffer.alloc(10))).toEqual([]);
  });

  test.each([0, 1, 2])('steps over block %i, whatever byte of it is damaged', async (i) => {
    const { offset } = at(i);
    // The kind of a blob, in the directory at the end, is beyond what a scan can know.
    for (let byte = offset; byte < offset + BLOCK_HEADER_BYTES + 1; byte++) {
      const found = await scan(changed(made.bytes, byte, (made.bytes[byte] ?? 0) ^ 0xff));
      const others = found.filter((block) => block.offset !== offset);
      expect(
        others.map((block) => block.offset),
        `byte ${byte}`,
      ).toEqual(made.blocks.map((block) => block.offset).filter((place) => place !== offset));
    }
  });

  test('a block cut off by the end is none', async () => {
    const end = at(2).offset + BLOCK_HEADER_BYTES + at(2).storedLength;
    expect(await scan(made.bytes.subarray(0, end))).toHaveLength(3);
    expect(await scan(made.bytes.subarray(0, end - 1))).toHaveLength(2);
  });

  test('finds a block wherever it lies between steps of reading', async () => {
    const MiB = 1024 * 1024;
    const block = made.bytes.subarray(at(0).offset, at(1).offset);
    for (const place of [MiB - 30, MiB - 24, MiB - 23, MiB - 4, MiB - 3, MiB - 1, MiB, MiB + 1, 2 * MiB - 2]) {
      const bytes = Buffer.alloc(3 * MiB, 'SBL');
      block.copy(bytes, place);
      const reads: [number, number][] = [];
      expect(
        (await scan(bytes, 0, reads)).map(({ offset }) => offset),
        `at ${place}`,
      ).toEqual([place]);
      const total = reads.reduce((sum, [, length]) => sum + length, 0);
      expect(total, `at ${place}`).toBeLessThan(5 * MiB);
    }
  });

  test('marks without blocks behind them cost no reading', async () => {
    const reads: [number, number][] = [];
    expect(await scan(Buffer.alloc(100_000, 'SBLK'), 0, reads)).toEqual([]);
    expect(reads.length).toBeLessThan(10);
  });

  test('ends when it has read the pack many times in vain', async () => {
    const size = 2 * 1024 * 1024;
    const bytes = Buffer.alloc(size);
    // Each says that the rest of the file is its block.
    for (let offset = 0; offset + 24 < size / 2; offset += 24)
      encodeBlockHeader({
        codec: 1,
        rawLength: 1000,
        storedLength: size - offset - 24,
        directoryLength: 1,
      }).copy(bytes, offset);
    const reads: [number, number][] = [];
    expect(await scan(bytes, 0, reads)).toEqual([]);
    const total = reads.reduce((sum, [, length]) => sum + length, 0);
    expect(total).toBeGreaterThan(2 * size);
    expect(total).toBeLessThan(10 * size);
  });

  test('an error of the disk ends it', async () => {
    const broken = async (): Promise<Buffer> => {
      throw new Error('EIO');
    };
    await expect(scanPack(zstd, PACK, 1000, broken).next()).rejects.toThrow('EIO');
  });
});
