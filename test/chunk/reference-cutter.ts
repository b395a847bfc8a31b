/**
 * The cut rule as SPEC.md words it, with nothing done for speed: the second opinion on src/chunk/cutter.ts.
 * Invariant: shares no code with it. BigInt arithmetic modulo 2^32; every hash computed afresh from its 64 bytes.
 */
import { createHash } from 'node:crypto';
import type { ChunkParams } from '../../src/chunk/chunk-params.ts';

export function referenceTable(seed: Uint8Array = new Uint8Array(0)): bigint[] {
  return Array.from({ length: 256 }, (_, byte) => {
    const digest = createHash('sha256')
      .update(Buffer.concat([Buffer.from('snap gear 1'), seed, Buffer.of(byte)]))
      .digest();
    return BigInt(digest.readUInt32LE(0));
  });
}

/** Chunk lengths of a whole file. Slow: for files of some hundred KiB. */
export function referenceLengths(bytes: Uint8Array, params: ChunkParams, table: readonly bigint[]): number[] {
  const lengths: number[] = [];
  let start = 0;
  while (start < bytes.length) {
    const length = referenceCut(bytes.subarray(start), params, table);
    lengths.push(length);
    start += length;
  }
  return lengths;
}

function referenceCut(rest: Uint8Array, params: ChunkParams, table: readonly bigint[]): number {
  const limit = Math.min(rest.length, params.maxBytes);
  const bits = Math.log2(params.averageBytes);
  for (let length = params.minBytes; length < limit; length++) {
    const zeroBits = BigInt(length < params.averageBytes ? bits + 2 : bits - 2);
    if (referenceHash(rest.subarray(length - 64, length), table) >> (32n - zeroBits) === 0n) return length;
  }
  return limit;
}

function referenceHash(window: Uint8Array, table: readonly bigint[]): bigint {
  let gear = 0n;
  let history = 0n;
  for (const byte of window) {
    history = ((history << 1n) | (gear >> 31n)) & 0xffffffffn;
    gear = ((gear << 1n) + (table[byte] ?? 0n)) & 0xffffffffn;
  }
  return (gear + history) & 0xffffffffn;
}
