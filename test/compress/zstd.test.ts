/**
 * Danger: frames one backend cannot read of the other; bombs; damaged frames taken for good ones or for a crash.
 */
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asMemoryError, blockBytesMax, loadZstd, type Zstd, type ZstdLevel } from '../../src/compress/zstd.ts';
import { readZstdFrame } from '../../src/compress/zstd-frame.ts';
import { SnapError } from '../../src/errors.ts';
import { xorshiftBytes } from '../chunk/sample-data.ts';

const native = await loadZstd({ backend: 'native' });
const wasm = await loadZstd({ backend: 'wasm' });
const levels: readonly ZstdLevel[] = ['fast', 'balanced', 'max'];
const pairs: readonly (readonly [string, Zstd, Zstd])[] = [
  ['native → native', native, native],
  ['native → wasm', native, wasm],
  ['wasm → native', wasm, native],
  ['wasm → wasm', wasm, wasm],
];
const backends: readonly (readonly [string, Zstd])[] = [
  ['native', native],
  ['wasm', wasm],
];
const MiB = 1024 * 1024;

describe('the choice', () => {
  it('is native where the runtime has it', async () => {
    expect((await loadZstd()).backend).toBe('native');
    expect([native.backend, wasm.backend]).toEqual(['native', 'wasm']);
  });
});

describe.each(pairs)('%s', (_, writer, reader) => {
  it.each(levels)('reads what it wrote at %s', (level) => {
    for (const content of [
      new Uint8Array(0),
      Uint8Array.of(7),
      xorshiftBytes(1, 255),
      xorshiftBytes(1, 256),
      new Uint8Array(65_536),
      textBytes(65_791),
      textBytes(65_792),
      xorshiftBytes(2, 300_000),
      textBytes(MiB),
      textBytes(blockBytesMax),
      xorshiftBytes(3, blockBytesMax),
    ]) {
      const frame = writer.compress(content, level);
      expect(frame.byteOffset).toBe(0);
      expect(readZstdFrame(frame).contentBytes).toBe(content.length);
      expect(Buffer.compare(reader.decompress(frame, content.length), content)).toBe(0);
    }
  });

  it('reads any bytes it wrote', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), fc.constantFrom(...levels), (content, level) => {
        expect(Buffer.compare(reader.decompress(writer.compress(content, level), content.length), content)).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});

describe.each(backends)('%s refuses', (_, zstd) => {
  const content = textBytes(200_000);
  const frame = zstd.compress(content, 'balanced');

  it('every truncation', () => {
    for (const length of [0, 1, 4, 5, 8, 9, 12, 100, frame.length - 1]) {
      expect(codeOf(() => zstd.decompress(frame.subarray(0, length), content.length))).toBe('corrupt-data');
    }
  });

  it('bytes after the frame, and a second frame', () => {
    for (const tail of [Uint8Array.of(0), frame, Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0)]) {
      expect(codeOf(() => zstd.decompress(Buffer.concat([frame, tail]), content.length))).toBe('corrupt-data');
    }
  });

  it('another length than expected', () => {
    for (const length of [0, 1, content.length - 1, content.length + 1, blockBytesMax, -1, 0.5, Number.NaN, 2 ** 40]) {
      expect(codeOf(() => zstd.decompress(frame, length))).toBe('corrupt-data');
    }
  });

  it('a bomb that declares little, and one that declares much', () => {
    const bomb = zstd.compress(new Uint8Array(MiB), 'fast');
    expect(bomb.length).toBeLessThan(1000);
    expect(codeOf(() => zstd.decompress(bomb, 1000))).toBe('corrupt-data');
    expect(codeOf(() => zstd.decompress(withDeclaredSize(bomb, 1000), 1000))).toBe('corrupt-data');
    expect(codeOf(() => zstd.decompress(withDeclaredSize(bomb, blockBytesMax), blockBytesMax))).toBe('corrupt-data');
    expect(codeOf(() => zstd.decompress(withDeclaredSize(bomb, 0xffff_ffff), 0xffff_ffff))).toBe('corrupt-data');
  });

  it('garbled frames, with no other error and never another length', () => {
    let refused = 0;
    fc.assert(
      fc.property(fc.nat(frame.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const garbled = frame.slice();
        garbled[at] = (garbled[at] ?? 0) ^ flip;
        const result = codeOf(() => expect(zstd.decompress(garbled, content.length).length).toBe(content.length));
        if (result === 'corrupt-data') refused++;
        else expect(result).toBe('no error');
      }),
      { numRuns: 300 },
    );
    expect(refused).toBeGreaterThan(50);
    // The codec must have survived.
    expect(Buffer.compare(zstd.decompress(frame, content.length), content)).toBe(0);
  });

  it('bytes that are no frame', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(1000), (bytes, length) => {
        expect(codeOf(() => zstd.decompress(bytes, length))).toBe('corrupt-data');
      }),
    );
  });

  it('a good frame of more than a block may hold, and survives it', () => {
    const large = zstdCompressSync(new Uint8Array(16 * MiB));
    expect(codeOf(() => zstd.decompress(large, 16 * MiB))).toBe('corrupt-data');
    expect(Buffer.compare(zstd.decompress(frame, content.length), content)).toBe(0);
  });

  it('blocks that are too large to compress', () => {
    expect(codeOf(() => zstd.compress(new Uint8Array(blockBytesMax + 1), 'fast'))).toBe('internal');
  });
});

describe('wasm', () => {
  it('keeps its heap over 600 blocks of every level', () => {
    const content = textBytes(MiB);
    for (let i = 0; i < 600; i++) {
      const level = i % 100 === 0 ? 'max' : 'fast';
      const part = content.subarray(0, MiB - i * 1000);
      expect(wasm.decompress(wasm.compress(part, level), part.length).length).toBe(part.length);
    }
  });
});

/** Rewrites the 4-byte content size of a frame. */
function withDeclaredSize(frame: Uint8Array, size: number): Uint8Array {
  const changed = frame.slice();
  const descriptor = changed[4] ?? 0;
  expect(descriptor >>> 6).toBe(2);
  new DataView(changed.buffer).setUint32((descriptor & 0x20) === 0 ? 6 : 5, size, true);
  return changed;
}

/** Compressible, but not trivially. */
function textBytes(length: number): Uint8Array {
  const noise = xorshiftBytes(77, length);
  return noise.map((byte, i) => ((i >>> 4) % 3 === 0 ? 97 + (byte % 9) : 32 + ((i * 7) % 64)));
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

it('a limit on addresses that WebAssembly does not fit in is named', () => {
  const error = asMemoryError(new RangeError('WebAssembly.Memory(): could not allocate memory'));
  expect(error).toMatchObject({ code: 'io', hint: expect.stringContaining('ulimit -v') });
  const other = new RangeError('another');
  expect(asMemoryError(other)).toBe(other);
});
