/** Danger: a block that gives other bytes than went into it, or whose directory places a blob where it is not. */
import { describe, expect, test } from 'vitest';
import type { Zstd } from '../../src/compress/zstd.ts';
import { blockBytesMax } from '../../src/compress/zstd.ts';
import type { BlobBytes } from '../../src/pack/block.ts';
import { blobIn, openBlock, scanBlock, sealBlock } from '../../src/pack/block.ts';
import type { PackedBlob } from '../../src/pack/pack-format.ts';
import { BLOCK_HEADER_BYTES, encodeBlockDirectory } from '../../src/pack/pack-format.ts';
import { noise } from '../kit/folder.ts';
import { data, zstd } from './packs.ts';

const damage = expect.objectContaining({ code: 'corrupt-data' });
const parts = [data('one'), data(''), data('three')];

describe('sealing', () => {
  test.each(['off', 'fast', 'max'] as const)('what went in comes out, in order (%s)', (level) => {
    const many = [...parts, data('text '.repeat(50_000)), { ...data('list'), blob: { ...data('list').blob, kind: 2 } }];
    const sealed = sealBlock(zstd, many as BlobBytes[], level);
    expect(sealed.blobs).toEqual(many.map(({ blob }) => blob));
    const { header, raw } = openBlock(zstd, Buffer.from(sealed.bytes), 'block');
    expect(header).toEqual(sealed.header);
    expect(header.codec).toBe(level === 'off' ? 0 : 1);
    expect(header.storedLength).toBe(sealed.bytes.length - BLOCK_HEADER_BYTES);
    expect(scanBlock(header, raw, 'block').map(({ blob, bytes }) => ({ blob, bytes: Buffer.from(bytes) }))).toEqual(
      many,
    );
  });

  test('a block is a copy: the next one does not change it', () => {
    const first = sealBlock(zstd, parts, 'off');
    const before = Buffer.from(first.bytes);
    sealBlock(zstd, [data('another'), data('content')], 'off');
    expect(Buffer.from(first.bytes).equals(before)).toBe(true);
  });

  test('what is too large to compress is stored as it is', () => {
    const zeros = data(Buffer.alloc(blockBytesMax));
    expect(sealBlock(zstd, [zeros], 'fast').header.codec).toBe(0);
    const fits = data(Buffer.alloc(blockBytesMax - 5));
    expect(sealBlock(zstd, [fits], 'fast').header).toMatchObject({ codec: 1, rawLength: blockBytesMax });
  });

  test.each([
    ['another id', { ...parts[0]?.blob, id: data('x').blob.id }],
    ['too short', { ...parts[0]?.blob, length: 2 }],
    ['too long', { ...parts[0]?.blob, length: 4 }],
  ])('a blob that is said to have %s is not stored', (_, blob) => {
    const wrong = [{ blob: blob as PackedBlob, bytes: parts[0]?.bytes ?? Buffer.alloc(0) }, ...parts.slice(1)];
    expect(() => sealBlock(zstd, wrong, 'off')).toThrow(
      expect.objectContaining({ code: 'internal', hint: expect.stringContaining('memory') }),
    );
  });

  test('what a faulty compressor made is not stored', () => {
    const text = data('text '.repeat(5000));
    const other = data('TEXT '.repeat(5000));
    const faulty: Zstd = { ...zstd, decompress: (frame, length) => zstd.decompress(frame, length).fill(0x41, 0, 1) };
    expect(() => sealBlock(faulty, [text], 'fast')).toThrow(expect.objectContaining({ code: 'internal' }));
    expect(() => sealBlock(faulty, [other], 'off')).not.toThrow();
    let seen = 0;
    const torn: Zstd = {
      ...zstd,
      compress: (raw, level) => zstd.compress(raw, level).fill(0xff, 20),
      decompress: (frame, length) => {
        seen++;
        return zstd.decompress(frame, length);
      },
    };
    expect(() => sealBlock(torn, [text], 'fast')).toThrow();
    expect(seen).toBe(1);
  });
});

describe('opening', () => {
  const text = [data('text '.repeat(1000))];
  test.each(['off', 'fast'] as const)('a block has the length that its header says (%s)', (level) => {
    const sealed = Buffer.from(sealBlock(zstd, text, level).bytes);
    for (const bytes of [sealed.subarray(0, -1), Buffer.concat([sealed, Buffer.of(0)])])
      expect(() => openBlock(zstd, bytes, 'block')).toThrow(
        'damaged block: it has another length than its header says',
      );
    expect(() => openBlock(zstd, sealed.subarray(0, BLOCK_HEADER_BYTES - 1), 'block')).toThrow(damage);
  });
});

describe('a blob in a block', () => {
  const raw = Buffer.from('-onetwo-');
  const one = data('one').blob;
  test('is where it is said to be', () => {
    expect(Buffer.from(blobIn(raw, 1, one, 'block')).toString()).toBe('one');
    expect(blobIn(raw, 8, data('').blob, 'block')).toHaveLength(0);
  });

  test.each([
    ['elsewhere', 0, one],
    ['under another id', 1, data('two').blob],
    ['longer', 1, { ...one, length: 4 }],
    ['cut off', 6, { ...data('o-').blob, length: 3 }],
  ])('%s: refused, with its id', (_, offset, blob) => {
    expect(() => blobIn(raw, offset, blob, 'block')).toThrow(
      expect.objectContaining({ code: 'corrupt-data', context: { blob: blob.id } }),
    );
  });
});

describe('a directory', () => {
  const scan = (blobs: string, lengths: readonly number[]): unknown => {
    const directory = encodeBlockDirectory(lengths.map((length) => ({ kind: 1 as const, length })));
    const raw = Buffer.concat([Buffer.from(blobs), directory]);
    const header = { codec: 0, rawLength: raw.length, storedLength: raw.length, directoryLength: directory.length };
    return scanBlock(header, raw, 'block').map(({ bytes }) => Buffer.from(bytes).toString());
  };
  test('that fills its block', () => {
    expect(scan('onetwo', [3, 3])).toEqual(['one', 'two']);
    expect(scan('onetwo', [3, 0, 3, 0])).toEqual(['one', '', 'two', '']);
    expect(scan('', [])).toEqual([]);
  });

  test.each([
    [[3, 2]],
    [[3]],
    [[]],
    [[3, 4]],
    [[7]],
    [[3, 3, 1]],
  ])('of lengths %j for six bytes: refused', (lengths) => {
    expect(() => scan('onetwo', lengths)).toThrow(damage);
  });
});

test('blobs of noise come back, whatever the level', () => {
  const blobs = [data(noise(100_000, 1)), data(noise(70_000, 3))];
  const sealed = sealBlock(zstd, blobs, 'max');
  expect(sealed.header.codec).toBe(0);
  expect(openBlock(zstd, Buffer.from(sealed.bytes), 'block').raw.subarray(0, 100_000)).toEqual(blobs[0]?.bytes);
});
