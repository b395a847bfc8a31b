/**
 * Danger: a block that cannot be read back, time lost on data that does not shrink, an unknown codec guessed at.
 */
import { describe, expect, it } from 'vitest';
import { type CompressionLevel, decodeBlock, encodeBlock } from '../../src/compress/block-codec.ts';
import { loadZstd, type Zstd, type ZstdLevel } from '../../src/compress/zstd.ts';
import { SnapError } from '../../src/errors.ts';
import { repeatedBytes, xorshiftBytes } from '../chunk/sample-data.ts';

const native = await loadZstd({ backend: 'native' });
const wasm = await loadZstd({ backend: 'wasm' });
const levels: readonly CompressionLevel[] = ['off', 'fast', 'balanced', 'max'];
const MiB = 1024 * 1024;
const text = repeatedBytes(new TextEncoder().encode('All happy families are alike. '), MiB);
const noise = xorshiftBytes(1, MiB);

describe.each([
  ['native', native],
  ['wasm', wasm],
])('blocks with %s', (_, zstd) => {
  it.each(levels)('come back at level %s', (level) => {
    for (const raw of [new Uint8Array(0), text.subarray(0, 1), text.subarray(5, 65_536), text, noise, mixed()]) {
      const { codec, bytes } = encodeBlock(zstd, raw, level);
      expect(Buffer.compare(decodeBlock(zstd, codec, bytes, raw.length), raw)).toBe(0);
      expect(bytes.length).toBeLessThanOrEqual(raw.length);
    }
  });

  it('are stored raw, uncopied, when they do not shrink or are not to', () => {
    expect(encodeBlock(zstd, noise, 'max')).toEqual({ codec: 0, bytes: noise });
    expect(encodeBlock(zstd, noise, 'max').bytes).toBe(noise);
    expect(encodeBlock(zstd, noise.subarray(0, 1000), 'max').codec).toBe(0);
    expect(encodeBlock(zstd, text, 'off').codec).toBe(0);
    expect(encodeBlock(zstd, text, 'fast').codec).toBe(1);
    expect(encodeBlock(zstd, mixed(), 'balanced').codec).toBe(1);
  });

  it('shrink by at least 3 % or stay raw', () => {
    // 60 KiB, so no sampling: 2.5 % and 5 % of it are zeros.
    expect(encodeBlock(zstd, zerosAfterNoise(60_000, 1_500), 'balanced').codec).toBe(0);
    expect(encodeBlock(zstd, zerosAfterNoise(60_000, 3_000), 'balanced').codec).toBe(1);
  });
});

describe('sampling', () => {
  it('spares the full attempt on a block whose sample does not shrink', () => {
    const calls: number[] = [];
    encodeBlock(counting(calls), noise, 'max');
    expect(calls).toEqual([32 * 1024]);
  });

  it('is left out below 64 KiB', () => {
    const calls: number[] = [];
    encodeBlock(counting(calls), noise.subarray(0, 65_535), 'max');
    expect(calls).toEqual([65_535]);
  });
});

describe('damaged blocks', () => {
  it('of a wrong raw length are corrupt', () => {
    expect(codeOf(() => decodeBlock(native, 0, text, MiB - 1))).toBe('corrupt-data');
    expect(codeOf(() => decodeBlock(native, 1, text, MiB))).toBe('corrupt-data');
  });

  it('of an unknown codec are from a newer program', () => {
    for (const codec of [2, -1, 255, 0.5]) {
      expect(codeOf(() => decodeBlock(native, codec, text, MiB))).toBe('unsupported-format');
    }
  });
});

/** Seven eighths noise, one eighth text: files of several kinds share blocks. */
function mixed(): Uint8Array {
  return Buffer.concat([noise.subarray(0, (MiB / 8) * 7), text.subarray(0, MiB / 8)]);
}

function zerosAfterNoise(length: number, zeros: number): Uint8Array {
  const raw = new Uint8Array(length);
  raw.set(noise.subarray(0, length - zeros));
  return raw;
}

function counting(calls: number[]): Zstd {
  return {
    ...native,
    compress(raw: Uint8Array, level: ZstdLevel) {
      calls.push(raw.length);
      return native.compress(raw, level);
    },
  };
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof SnapError) return error.code;
    throw error;
  }
  return 'no error';
}
