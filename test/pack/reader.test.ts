/** Danger: a footer taken from the wrong place, blocks that a scan passes over, scans without end. */
import { describe, expect, test } from 'vitest';
import type { FooterBlock } from '../../src/pack/pack-format.ts';
import { BLOCK_HEADER_BYTES, encodeBlockHeader } from '../../src/pack/pack-format.ts';
import { readFooter, scanPack } from '../../src/pack/pack-reader.ts';
import { noise } from '../kit/folder.ts';
import { changed, damage, data, idsOf, PACK, packOf, reader, zstd } from './packs.ts';

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
