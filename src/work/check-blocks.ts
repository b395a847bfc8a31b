/**
 * Checking a pack in a worker, byte for byte: the hash of the whole file, then every block decoded and every blob hashed.
 */
import { hash } from 'node:crypto';
import { release } from '../bytes/release.ts';
import type { Zstd } from '../compress/zstd.ts';
import { SnapError } from '../errors.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import { blobIdOf } from '../object/blob-id.ts';
import type { PackId } from '../object/pack-id.ts';
import { openBlock } from '../pack/block.ts';
import { BLOCK_HEADER_BYTES, decodeBlockDirectory } from '../pack/pack-format.ts';
import { readFooter } from '../pack/pack-reader.ts';

export interface CheckJob {
  readonly kind: 'check';
  readonly pack: PackId;
  /** SHA-256 of the whole file as the journal has it. */
  readonly sha256: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface CheckReply {
  readonly bytesRead: number;
  readonly blobs: number;
  readonly faults: readonly PackFault[];
}

/** Something wrong in a pack: a blob, or, where `blob` is undefined, the pack itself. */
export interface PackFault {
  readonly pack: PackId;
  readonly offset: number;
  readonly reason: string;
  readonly blob: { readonly kind: BlobKind; readonly id: BlobId } | undefined;
}

/** Never throws for damage: faults tell. The bytes of the job are gone afterwards. */
export async function checkPack(
  zstd: Zstd,
  job: CheckJob,
  hashWith: (bytes: Uint8Array) => string = blobIdOf,
): Promise<CheckReply> {
  const bytes = Buffer.from(job.bytes.buffer, job.bytes.byteOffset, job.bytes.length);
  const faults: PackFault[] = [];
  const packFault = (reason: string, offset = 0): void => {
    faults.push({ pack: job.pack, offset, reason, blob: undefined });
  };
  if (hash('sha256', bytes, 'hex') !== job.sha256)
    packFault('its bytes are not those that were written (SHA-256 differs from the journal)');
  let blobs = 0;
  try {
    const footer = await readFooter(job.pack, bytes.length, async (offset, length) =>
      bytes.subarray(offset, offset + length),
    );
    for (const block of footer.blocks) {
      blobs += block.blobs.length;
      const what = `block at ${block.offset} of pack ${job.pack}`;
      try {
        const { header, raw } = openBlock(
          zstd,
          bytes.subarray(block.offset, block.offset + BLOCK_HEADER_BYTES + block.storedLength),
          what,
        );
        let offset = 0;
        for (const blob of block.blobs) {
          const blobBytes = raw.subarray(offset, offset + blob.length);
          if (hashWith(blobBytes) !== blob.id)
            faults.push({ pack: job.pack, offset: block.offset, reason: 'its bytes are not what was stored', blob });
          offset += blob.length;
        }
        const listed = decodeBlockDirectory(raw.subarray(header.rawLength - header.directoryLength), what);
        const agrees =
          listed.length === block.blobs.length &&
          listed.every((blob, i) => blob.kind === block.blobs[i]?.kind && blob.length === block.blobs[i]?.length);
        if (!agrees) packFault('the directory of a block differs from the footer', block.offset);
        if (raw.buffer !== bytes.buffer) release(raw);
      } catch (error) {
        if (!(error instanceof SnapError)) throw error;
        for (const blob of block.blobs)
          faults.push({ pack: job.pack, offset: block.offset, reason: error.message, blob });
      }
    }
  } catch (error) {
    if (!(error instanceof SnapError)) throw error;
    packFault(error.message);
  }
  const bytesRead = bytes.length;
  release(job.bytes);
  return { bytesRead, blobs, faults };
}
