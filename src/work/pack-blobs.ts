/**
 * Packing in a worker: lays the blobs of a buffer into blocks of about BLOCK_RAW_BYTES_TARGET, evenly, in the order
 * given, so that neighbours in the tree are compressed and read together.
 */
import type { Zstd } from '../compress/zstd.ts';
import { blockBytesMax } from '../compress/zstd.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import type { BlobBytes } from '../pack/block.ts';
import { BLOCK_RAW_BYTES_TARGET, sealBlock } from '../pack/block.ts';
import type { PackJob, PackReply } from './jobs.ts';

/** A larger block would be stored raw; leaves room for its directory. */
const COMPRESSIBLE_BYTES_MAX = blockBytesMax - 64 * 1024;

/** Throws `internal` if a block does not decode to what went into it. */
export function packBlobs(zstd: Zstd, job: PackJob): PackReply {
  const buffer = Buffer.from(job.buffer);
  const parts: BlobBytes[] = [];
  for (const [i, kind] of job.kinds.entries()) {
    const offset = job.offsets[i] ?? 0;
    const length = job.lengths[i] ?? 0;
    const id = job.ids.slice(i * 64, i * 64 + 64) as BlobId;
    parts.push({ blob: { kind: kind as BlobKind, id, length }, bytes: buffer.subarray(offset, offset + length) });
  }
  const blocks = evenly(parts).map((group) => {
    const block = sealBlock(zstd, group, job.level);
    return { header: block.header, bytes: block.bytes as Uint8Array<ArrayBuffer>, blobs: block.blobs.length };
  });
  return { buffer: job.buffer, blocks };
}

/** Groups of about equal size, none much larger than the target. */
function evenly(parts: readonly BlobBytes[]): BlobBytes[][] {
  const total = parts.reduce((sum, part) => sum + part.blob.length, 0);
  const share = total / Math.max(1, Math.round(total / BLOCK_RAW_BYTES_TARGET));
  const groups: BlobBytes[][] = [];
  let group: BlobBytes[] = [];
  let bytes = 0;
  for (const part of parts) {
    if (
      group.length > 0 &&
      (bytes + part.blob.length / 2 > share || bytes + part.blob.length > COMPRESSIBLE_BYTES_MAX)
    ) {
      groups.push(group);
      group = [];
      bytes = 0;
    }
    group.push(part);
    bytes += part.blob.length;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}
