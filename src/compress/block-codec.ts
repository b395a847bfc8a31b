/**
 * How a block is stored: as it is, or as one zstd frame, whichever pays (SPEC.md, blocks).
 * Invariants: codec numbers are frozen in packs (0 raw, 1 zstd); a decoded block has exactly its recorded length.
 * Readers depend on the codec number only. When a writer gives up on compressing is its own affair and may change.
 */
import { SnapError } from '../errors.ts';
import type { Zstd, ZstdLevel } from './zstd.ts';

export type CompressionLevel = 'off' | ZstdLevel;
export type BlockCodec = 0 | 1;

export interface EncodedBlock {
  readonly codec: BlockCodec;
  /** For codec 0 the very array that was given, not a copy. */
  readonly bytes: Uint8Array;
}

const rawCodec = 0;
const zstdCodec = 1;

/** A block must shrink to less than this share: decoding costs more than the rest saves. */
const worthwhileShare = 0.97;
/** Below this, trying the whole block is as cheap as sampling it. */
const sampledBlockBytesMin = 64 * 1024;
/** Measured: a sample takes 35 µs where 1 MiB of random data takes 900 µs to try. */
const sampleSlices = 8;
const sampleSliceBytes = 4 * 1024;

export function encodeBlock(zstd: Zstd, raw: Uint8Array, level: CompressionLevel): EncodedBlock {
  if (level === 'off' || !mayShrink(zstd, raw)) return { codec: rawCodec, bytes: raw };
  const bytes = zstd.compress(raw, level);
  return isWorthwhile(bytes.length, raw.length) ? { codec: zstdCodec, bytes } : { codec: rawCodec, bytes: raw };
}

/** Throws 'corrupt-data' unless `bytes` hold exactly `rawLength` bytes, 'unsupported-format' for an unknown codec. */
export function decodeBlock(zstd: Zstd, codec: number, bytes: Uint8Array, rawLength: number): Uint8Array {
  switch (codec) {
    case rawCodec:
      if (bytes.length === rawLength) return bytes;
      throw new SnapError('corrupt-data', `a block has ${bytes.length} bytes where ${rawLength} belong`);
    case zstdCodec:
      return zstd.decompress(bytes, rawLength);
    default:
      throw new SnapError('unsupported-format', `a block is stored with the unknown codec ${codec}`, {
        hint: 'A newer program wrote this store; use that one to read it.',
      });
  }
}

/** Below this a block is compressed without trying a sample first, which costs about 0.3 ms. */
const plainBitsPerByteMax = 7;

function mayShrink(zstd: Zstd, raw: Uint8Array): boolean {
  if (raw.length < sampledBlockBytesMin) return raw.length > 0;
  const sample = takeSample(raw);
  if (bitsPerByte(sample) < plainBitsPerByteMax) return true;
  return isWorthwhile(zstd.compress(sample, 'fast').length, sample.length);
}

/** Shannon entropy of the bytes: text has 4 to 6 bits, compressed or encrypted data almost 8. */
function bitsPerByte(sample: Uint8Array): number {
  const counts = new Uint32Array(256);
  // Not for…of: its iterator made this 2 % of a commit.
  for (let i = 0; i < sample.length; i++) {
    const byte = sample[i] as number;
    counts[byte] = (counts[byte] as number) + 1;
  }
  let bits = 0;
  for (const count of counts) if (count > 0) bits -= (count / sample.length) * Math.log2(count / sample.length);
  return bits;
}

/** The middle 4 KiB of each eighth, one after the other. */
function takeSample(raw: Uint8Array): Uint8Array {
  const sample = new Uint8Array(sampleSlices * sampleSliceBytes);
  const eighthBytes = Math.floor(raw.length / sampleSlices);
  const margin = (eighthBytes - sampleSliceBytes) >>> 1;
  for (let slice = 0; slice < sampleSlices; slice++) {
    const start = slice * eighthBytes + margin;
    sample.set(raw.subarray(start, start + sampleSliceBytes), slice * sampleSliceBytes);
  }
  return sample;
}

function isWorthwhile(storedLength: number, rawLength: number): boolean {
  return storedLength < rawLength * worthwhileShare;
}
