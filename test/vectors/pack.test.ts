/**
 * Danger: packs that a later version cannot read, or damage in one that passes for data. pack.json is frozen: a failure
 * means that the code is wrong, not the file.
 */
import { describe, expect, test } from 'vitest';
import { loadZstd } from '../../src/compress/zstd.ts';
import type { BlobId, BlobKind } from '../../src/object/blob-id.ts';
import { blobIdOf } from '../../src/object/blob-id.ts';
import type { PackId } from '../../src/object/pack-id.ts';
import { blobIn, openBlock, scanBlock, sealBlock } from '../../src/pack/block.ts';
import {
  checkPackHeader,
  decodeBlockDirectory,
  decodeBlockHeader,
  decodeFooter,
  encodeBlockDirectory,
  encodeBlockHeader,
  encodeFooter,
  encodePackHeader,
  footerLength,
  TRAILER_BYTES,
} from '../../src/pack/pack-format.ts';
import { readFooter, scanPack } from '../../src/pack/pack-reader.ts';
import { attempt, tamper } from '../kit/tamper.ts';
import { bytesOf, vectors } from './load.ts';

interface PackVectors {
  readonly id: PackId;
  readonly headerHex: string;
  readonly blocks: readonly {
    readonly blobs: readonly {
      readonly kind: BlobKind;
      readonly id: BlobId;
      readonly length: number;
      readonly bytesHex: string;
    }[];
    readonly directoryHex: string;
    readonly hex: string;
  }[];
  readonly footerHex: string;
  readonly trailerHex: string;
  readonly hex: string;
  readonly sha256: string;
  readonly compressed: { readonly repeat: string; readonly count: number; readonly id: BlobId; readonly hex: string };
}

const frozen = vectors<PackVectors>('pack');
const pack = bytesOf(frozen.hex);
const zstd = await loadZstd();
const wasm = await loadZstd({ backend: 'wasm' });
const reader = (bytes: Buffer) => async (offset: number, length: number) => bytes.subarray(offset, offset + length);

test('the pieces make the whole', () => {
  const whole = [
    frozen.headerHex,
    ...frozen.blocks.map((block) => block.hex),
    frozen.footerHex,
    frozen.trailerHex,
  ].join('');
  expect(whole).toBe(frozen.hex);
  expect(blobIdOf(pack)).toBe(frozen.sha256);
});

test('header', () => {
  expect(encodePackHeader(frozen.id).toString('hex')).toBe(frozen.headerHex);
  checkPackHeader(pack, frozen.id);
  const { other } = tamper(bytesOf(frozen.headerHex), (bytes) => {
    checkPackHeader(bytes, frozen.id);
    return bytes.length === 32 ? encodePackHeader(frozen.id) : bytes;
  });
  // Longer than a header is the rest of the pack.
  expect(other).toBe(1);
});

describe.each(frozen.blocks)('block $directoryHex', ({ blobs, directoryHex, hex }) => {
  const parts = blobs.map(({ kind, id, length, bytesHex }) => ({
    blob: { kind, id, length },
    bytes: bytesOf(bytesHex),
  }));

  test('is sealed as ever', () => {
    const sealed = sealBlock(zstd, parts, 'off');
    expect(Buffer.from(sealed.bytes).toString('hex')).toBe(hex);
    expect(encodeBlockDirectory(blobs).toString('hex')).toBe(directoryHex);
    expect(encodeBlockHeader(sealed.header).toString('hex')).toBe(hex.slice(0, 48));
  });

  test('opens', () => {
    const { header, raw } = openBlock(zstd, bytesOf(hex), 'block');
    expect(scanBlock(header, raw, 'block').map(({ blob }) => blob)).toEqual(parts.map(({ blob }) => blob));
    expect(decodeBlockDirectory(bytesOf(directoryHex), 'block')).toEqual(
      blobs.map(({ kind, length }) => ({ kind, length })),
    );
  });

  test('any damage is found, in its header by the CRC, in its blobs by their ids', () => {
    tamper(bytesOf(hex).subarray(0, 24), (bytes) =>
      bytes.length > 24 ? bytes : encodeBlockHeader(decodeBlockHeader(bytes, 'block')),
    );
    const { other } = tamper(bytesOf(hex), (bytes) => {
      const { header, raw } = openBlock(zstd, bytes, 'block');
      let offset = 0;
      for (const { blob } of parts) {
        blobIn(raw, offset, blob, 'block');
        offset += blob.length;
      }
      scanBlock(header, raw, 'block');
      return sealBlock(zstd, scanBlock(header, raw, 'block'), 'off').bytes;
    });
    // A kind in the directory may be another kind: the footer and whoever asks for the blob tell.
    expect(other).toBeLessThanOrEqual(8 * blobs.length);
  });
});

describe('footer and trailer', () => {
  test('decode and encode', async () => {
    const footer = await readFooter(frozen.id, pack.length, reader(pack));
    expect(footer.blocks.map((block) => block.blobs)).toEqual(
      frozen.blocks.map((block) => block.blobs.map(({ kind, id, length }) => ({ kind, id, length }))),
    );
    expect(encodeFooter(footer).toString('hex')).toBe(frozen.footerHex + frozen.trailerHex);
  });

  test('no change and no truncation passes', () => {
    const size = pack.length;
    const start = size - (frozen.footerHex.length + frozen.trailerHex.length) / 2;
    const again = (bytes: Buffer): Uint8Array => {
      const whole = Buffer.concat([pack.subarray(0, start), bytes]);
      const trailerStart = whole.length - TRAILER_BYTES;
      const trailer = whole.subarray(trailerStart);
      const body = whole.subarray(trailerStart - footerLength(trailer, frozen.id, whole.length), trailerStart);
      return encodeFooter(decodeFooter(body, trailer, frozen.id, whole.length));
    };
    expect(attempt(pack.subarray(start), again)?.equals(pack.subarray(start))).toBe(true);
    expect(tamper(pack.subarray(start), again).other).toBe(0);
  });

  test('a pack cut off anywhere has no footer', async () => {
    for (let length = 0; length < pack.length; length++)
      await expect(readFooter(frozen.id, length, reader(pack.subarray(0, length)))).rejects.toMatchObject({
        code: 'corrupt-data',
      });
  });
});

test('without a footer, a scan finds every blob', async () => {
  const cut = pack.subarray(0, pack.length - (frozen.footerHex.length + frozen.trailerHex.length) / 2);
  const found = [];
  for await (const block of scanPack(zstd, frozen.id, cut.length, reader(cut)))
    for (const { blob } of block.parts) found.push(blob);
  expect(found).toEqual(
    frozen.blocks.flatMap((block) => block.blobs.map(({ kind, id, length }) => ({ kind, id, length }))),
  );
});

test('a scan steps over a damaged block', async () => {
  const damaged = Buffer.from(pack);
  damaged[40] = (damaged[40] ?? 0) ^ 1;
  const found = [];
  for await (const block of scanPack(zstd, frozen.id, damaged.length, reader(damaged)))
    for (const { blob } of block.parts) found.push(blob.id);
  expect(found).toEqual(frozen.blocks[1]?.blobs.map(({ id }) => id));
});

test.each([zstd, wasm])('a compressed block decodes for ever ($backend)', (codec) => {
  const { repeat, count, id, hex } = frozen.compressed;
  const { header, raw } = openBlock(codec, bytesOf(hex), 'block');
  expect(header.codec).toBe(1);
  const bytes = blobIn(raw, 0, { id, length: repeat.length * count }, 'block');
  expect(Buffer.from(bytes).toString()).toBe(repeat.repeat(count));
});
