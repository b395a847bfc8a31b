/**
 * The one place that chooses a zstd: node:zlib where the runtime has it (Node ≥ 22.15), else the package zstd-codec.
 * Invariants: both write one standard frame that declares its content size, and each reads the other's; decoding is
 * bounded by the expected length before memory is taken, and yields exactly that length or 'corrupt-data'.
 * A frame carries no checksum: whoever stores blocks verifies their content by its hash.
 */
import * as zlib from 'node:zlib';
import type { ZstdCodecSimple } from 'zstd-codec';
import { errnoOf, SnapError } from '../errors.ts';
import { readZstdFrame } from './zstd-frame.ts';

export type ZstdLevel = 'fast' | 'balanced' | 'max';
export type ZstdBackend = 'native' | 'wasm';

export interface Zstd {
  readonly backend: ZstdBackend;
  /** At most blockBytesMax of content. The result may be a view of a larger buffer. */
  compress(raw: Uint8Array, level: ZstdLevel): Uint8Array<ArrayBuffer>;
  /** Throws 'corrupt-data' unless `frame` is one whole frame of exactly `rawLength` bytes. */
  decompress(frame: Uint8Array, rawLength: number): Uint8Array<ArrayBuffer>;
}

/** Measured: zstd-codec's fixed heap of 16 MiB holds 2 MiB of content at level 9 and aborts at 4 MiB. */
export const blockBytesMax = 2 * 1024 * 1024;

/** Sync calls need a loaded codec. `backend` forces one (for tests); 'internal' if the runtime does not have it. */
export async function loadZstd(options: { readonly backend?: ZstdBackend } = {}): Promise<Zstd> {
  const hasNative = typeof zlib.zstdCompressSync === 'function' && typeof zlib.zstdDecompressSync === 'function';
  const backend = options.backend ?? (hasNative ? 'native' : 'wasm');
  if (backend === 'native' && !hasNative) throw new SnapError('internal', 'this runtime has no native zstd');
  return withChecks(backend, backend === 'native' ? nativeZstd() : wasmZstd(await loadSimple()));
}

/** A backend's own work; withChecks guards it on both sides. */
interface RawZstd {
  compress(raw: Uint8Array, level: ZstdLevel): Uint8Array<ArrayBuffer>;
  /** Undefined when the frame does not decode. */
  decompress(frame: Uint8Array, rawLength: number): Uint8Array<ArrayBuffer> | undefined;
}

function withChecks(backend: ZstdBackend, raw: RawZstd): Zstd {
  return {
    backend,
    compress(content, level) {
      if (content.length > blockBytesMax) {
        throw new SnapError('internal', `a block of ${content.length} bytes is too large to compress`);
      }
      return raw.compress(content, level);
    },
    decompress(frame, rawLength) {
      const context = { rawLength, frameLength: frame.length };
      if (!Number.isSafeInteger(rawLength) || rawLength < 0 || rawLength > blockBytesMax) {
        throw new SnapError('corrupt-data', `a block cannot have ${rawLength} bytes`, { context });
      }
      const { contentBytes } = readZstdFrame(frame);
      if (contentBytes !== rawLength) {
        const message = `a compressed block declares ${contentBytes} bytes where ${rawLength} belong`;
        throw new SnapError('corrupt-data', message, { context });
      }
      const content = raw.decompress(frame, rawLength);
      if (content?.length !== rawLength) {
        throw new SnapError('corrupt-data', 'a compressed block does not decode', { context });
      }
      return content;
    },
  };
}

function nativeZstd(): RawZstd {
  const { constants } = zlib;
  // Measured on the Linux 6.1 source in 1 MiB blocks: small tables stay in the cache, and clearing the default ones
  // for each block costs a third. Level 12 is the last one worth its time (75 MB/s, 14.1 %); 13 to 15 are larger
  // and a third as fast, 16 is 10 MB/s for 13.3 %.
  const params: Record<ZstdLevel, Record<number, number>> = {
    fast: {
      [constants.ZSTD_c_compressionLevel]: 1,
      [constants.ZSTD_c_hashLog]: 16,
      [constants.ZSTD_c_minMatch]: 6,
    },
    balanced: {
      [constants.ZSTD_c_compressionLevel]: 3,
      [constants.ZSTD_c_hashLog]: 16,
      [constants.ZSTD_c_chainLog]: 15,
    },
    max: { [constants.ZSTD_c_compressionLevel]: 12 },
  };
  return {
    compress(raw, level) {
      // Few output chunks (the default of 16 KiB costs a third), yet no page touched in vain: most blocks shrink to a third.
      const chunkSize = Math.max(64 * 1024, (raw.length / 3) | 0);
      const frame = zlib.zstdCompressSync(raw, { params: params[level], chunkSize });
      return new Uint8Array(frame.buffer as ArrayBuffer, frame.byteOffset, frame.length);
    },
    decompress(frame, rawLength) {
      try {
        // Some bytes to spare: a chunk filled to the brim makes Node allocate a second one.
        return zlib.zstdDecompressSync(frame, {
          chunkSize: rawLength + 64,
          maxOutputLength: Math.max(1, rawLength),
        });
      } catch (error) {
        if (isDecodeFailure(errnoOf(error))) return undefined;
        throw error;
      }
    },
  };
}

function isDecodeFailure(code: string | undefined): boolean {
  if (code === undefined || code === 'ZSTD_error_memory_allocation') return false;
  return code.startsWith('ZSTD_error_') || code === 'Z_BUF_ERROR' || code === 'ERR_BUFFER_TOO_LARGE';
}

/** Level 10 and above need more than zstd-codec's heap for 1 MiB. */
const wasmLevels: Record<ZstdLevel, number> = { fast: 1, balanced: 3, max: 9 };

function wasmZstd(simple: ZstdCodecSimple): RawZstd {
  return {
    compress(raw, level) {
      const frame = simple.compress(raw, wasmLevels[level]);
      if (frame === null) throw new SnapError('internal', 'zstd-codec failed to compress a block');
      return new Uint8Array(frame);
    },
    decompress(frame, rawLength) {
      if (rawLength === 0) return new Uint8Array(0); // zstd-codec answers null for no content
      const content = simple.decompress(frame);
      return content === null ? undefined : new Uint8Array(content);
    },
  };
}

/** One instance a thread: each takes 16 MiB and 15-25 ms to start, and it holds no state between calls. */
let simpleOnce: Promise<ZstdCodecSimple> | undefined;

function loadSimple(): Promise<ZstdCodecSimple> {
  simpleOnce ??= startSimple();
  return simpleOnce;
}

async function startSimple(): Promise<ZstdCodecSimple> {
  try {
    const { ZstdCodec } = await import('zstd-codec');
    return await new Promise((resolve) => {
      ZstdCodec.run((instance) => resolve(new instance.Simple()));
    });
  } catch (error) {
    throw asMemoryError(error);
  }
}

/** WebAssembly reserves some gigabytes of addresses for its 16 MiB; a limit on these is no bug of ours. */
export function asMemoryError(error: unknown): unknown {
  if (!(error instanceof RangeError) || !error.message.includes('could not allocate memory')) return error;
  return new SnapError('io', 'there is not enough address space for the portable zstd', {
    hint: 'Raise the limit on it (`ulimit -v unlimited`), or use Node 22.15 or later, which has a zstd of its own.',
    cause: error,
  });
}
