/** Packs in memory for tests of what reads them. */
import { expect } from 'vitest';
import { loadZstd } from '../../src/compress/zstd.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { blobIdOf } from '../../src/object/blob-id.ts';
import type { PackId } from '../../src/object/pack-id.ts';
import type { BlobBytes } from '../../src/pack/block.ts';
import { sealBlock } from '../../src/pack/block.ts';
import type { FooterBlock } from '../../src/pack/pack-format.ts';
import { encodeFooter, encodePackHeader, PACK_HEADER_BYTES } from '../../src/pack/pack-format.ts';
import type { RangeReader } from '../../src/pack/pack-reader.ts';

export const PACK = '00112233445566778899aabbccddeeff' as PackId;
export const zstd = await loadZstd();

export function data(text: string | Uint8Array): BlobBytes {
  const bytes = Buffer.from(text);
  return { blob: { kind: 1, id: blobIdOf(bytes), length: bytes.length }, bytes };
}

export interface MadePack {
  readonly bytes: Buffer;
  readonly blocks: readonly FooterBlock[];
  /** Where the footer begins. */
  readonly footerAt: number;
}

/** A pack of one block for each list of blobs. */
export function packOf(...contents: readonly BlobBytes[][]): MadePack {
  const pieces: Uint8Array[] = [encodePackHeader(PACK)];
  const blocks: FooterBlock[] = [];
  let offset = PACK_HEADER_BYTES;
  for (const parts of contents) {
    const { header, bytes, blobs } = sealBlock(zstd, parts, 'off');
    blocks.push({ ...header, offset, blobs });
    pieces.push(bytes);
    offset += bytes.length;
  }
  return { bytes: Buffer.concat([...pieces, encodeFooter({ blocks })]), blocks, footerAt: offset };
}

export const idsOf = (parts: readonly BlobBytes[]): BlobId[] => parts.map(({ blob }) => blob.id);

/** Reads from memory; `reads` gets what was asked for. */
export function reader(bytes: Buffer, reads: [number, number][] = []): RangeReader {
  return async (offset, length) => {
    reads.push([offset, length]);
    return bytes.subarray(offset, offset + length);
  };
}

/** The error that damage of this pack is. */
export const damage = expect.objectContaining({ code: 'corrupt-data', context: { pack: PACK } });

/** A copy with one byte set; a negative place counts from the end. */
export const changed = (bytes: Buffer, at: number, byte: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy[at < 0 ? copy.length + at : at] = byte;
  return copy;
};
