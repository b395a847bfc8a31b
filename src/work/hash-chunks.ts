/** The ids of chunks in a buffer. Runs of zeros, of which sparse files are full, are hashed once per length. */
import { hash } from 'node:crypto';
import type { HashedChunks } from './jobs.ts';

export function hashChunks(buffer: ArrayBuffer, cuts: Pick<HashedChunks, 'offsets' | 'lengths'>): HashedChunks {
  const { offsets, lengths } = cuts;
  const ids = new Uint8Array(lengths.length * 32);
  for (const [i, length] of lengths.entries()) {
    const chunk = Buffer.from(buffer, offsets[i], length);
    ids.set(length >= ZERO_CHECK_BYTES && isZero(chunk) ? zeroId(length) : hash('sha256', chunk, 'buffer'), i * 32);
  }
  return { offsets, lengths, ids };
}

const ZERO_CHECK_BYTES = 4096;
const ZERO_IDS_MAX = 1024;
const zeroIds = new Map<number, Buffer>();
let zeros: Buffer = Buffer.alloc(1024 * 1024);

function isZero(chunk: Buffer): boolean {
  if (chunk[0] !== 0 || chunk[chunk.length - 1] !== 0) return false;
  if (chunk.length > zeros.length) zeros = Buffer.alloc(chunk.length);
  return chunk.equals(zeros.subarray(0, chunk.length));
}

function zeroId(length: number): Buffer {
  let id = zeroIds.get(length);
  if (id === undefined) {
    id = hash('sha256', Buffer.alloc(length), 'buffer');
    if (zeroIds.size < ZERO_IDS_MAX) zeroIds.set(length, id);
  }
  return id;
}
