/**
 * How large chunks are: a parameter set fixed when a store is created (SPEC.md, chunking).
 * Invariants of a checked set: 64 ≤ min < average < max ≤ 2 MiB, all whole numbers, average a power of two.
 * Masks are FastCDC's normalised chunking at level 2: log2(average) + 2 bits before the average point, - 2 from it on.
 * They take the top bits of the hash, the ones that depend on the most bytes.
 */
import { SnapError } from '../errors.ts';

export interface ChunkParams {
  readonly minBytes: number;
  readonly averageBytes: number;
  readonly maxBytes: number;
}

export interface ChunkMasks {
  /** For cuts shorter than the average: a quarter as frequent as one in averageBytes. */
  readonly strict: number;
  /** For cuts at or beyond the average: four times as frequent. */
  readonly loose: number;
}

/** Measured mean on random data: 292 KiB, as chunks are the minimum longer than the distance of candidates. */
export const defaultChunkParams: ChunkParams = {
  minBytes: 64 * 1024,
  averageBytes: 256 * 1024,
  maxBytes: 1024 * 1024,
};

/** The hash window: a cut never needs bytes of the chunk before. */
const minBytesLowest = 64;
/** A chunk is never split between blocks, and 2 MiB is the largest block every zstd backend can hold. */
const maxBytesHighest = 2 * 1024 * 1024;
/**
 * Measured against level 1, on random data: an insertion of a few bytes renews 1.3 average chunks instead of 1.5, one
 * longer than the minimum 2.6 instead of 1.9 (p99: 7 chunks instead of 3); no chunk is left to the maximum (0.2 %).
 */
const normalisationBits = 2;

/** Returns `params` when a cutter can work with them; throws 'unsupported-format' otherwise. */
export function checkChunkParams(params: ChunkParams): ChunkParams {
  const { minBytes, averageBytes, maxBytes } = params;
  const problem = findProblem(minBytes, averageBytes, maxBytes);
  if (problem === undefined) return params;
  throw new SnapError('unsupported-format', `unusable chunk sizes: ${problem}`, {
    hint: 'The store may have been made by a newer program; use that one.',
    context: { minBytes, averageBytes, maxBytes },
  });
}

export function chunkMasks(params: ChunkParams): ChunkMasks {
  const bits = 31 - Math.clz32(params.averageBytes);
  return { strict: topBits(bits + normalisationBits), loose: topBits(bits - normalisationBits) };
}

function findProblem(minBytes: number, averageBytes: number, maxBytes: number): string | undefined {
  if (![minBytes, averageBytes, maxBytes].every(Number.isSafeInteger)) return 'they must be whole numbers';
  if (minBytes < minBytesLowest) return `the minimum must be at least ${minBytesLowest} bytes`;
  if (maxBytes > maxBytesHighest) return `the maximum must be at most ${maxBytesHighest} bytes`;
  if (!(minBytes < averageBytes && averageBytes < maxBytes)) return 'minimum < average < maximum must hold';
  if (2 ** Math.floor(Math.log2(averageBytes)) !== averageBytes) return 'the average must be a power of two';
  return undefined;
}

/** An int32 whose `count` highest bits are ones. */
function topBits(count: number): number {
  return -(1 << (32 - count)) | 0;
}
