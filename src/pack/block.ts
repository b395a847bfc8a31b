/**
 * Blocks: blobs that lie together, compressed as one unit. `sealBlock` decodes and hashes again what it made before
 * anybody may store it; `openBlock` and `blobIn` check what was read. Both run in worker threads.
 */
import { release } from '../bytes/release.ts';
import type { CompressionLevel } from '../compress/block-codec.ts';
import { decodeBlock, encodeBlock } from '../compress/block-codec.ts';
import type { Zstd } from '../compress/zstd.ts';
import { blockBytesMax } from '../compress/zstd.ts';
import { SnapError } from '../errors.ts';
import { blobIdOf } from '../object/blob-id.ts';
import type { BlockHeader, PackedBlob } from './pack-format.ts';
import {
  BLOCK_HEADER_BYTES,
  decodeBlockDirectory,
  decodeBlockHeader,
  encodeBlockDirectory,
  encodeBlockHeader,
} from './pack-format.ts';

/** New blobs are laid together up to about this many bytes. */
export const BLOCK_RAW_BYTES_TARGET = 1024 * 1024;

/** A block ready to be appended to a pack. */
export interface SealedBlock {
  readonly header: BlockHeader;
  /** Header and payload. */
  readonly bytes: Uint8Array;
  readonly blobs: readonly PackedBlob[];
}

export interface BlobBytes {
  readonly blob: PackedBlob;
  readonly bytes: Uint8Array;
}

/** Lays blobs together, compresses, decodes again, and checks each id. Throws `internal` if a blob does not come back. */
export function sealBlock(zstd: Zstd, parts: readonly BlobBytes[], level: CompressionLevel): SealedBlock {
  const blobs = parts.map((part) => part.blob);
  const directory = encodeBlockDirectory(blobs);
  const rawLength = blobs.reduce((sum, blob) => sum + blob.length, directory.length);
  const raw = scratch(rawLength);
  let offset = 0;
  for (const part of parts) {
    raw.set(part.bytes, offset);
    offset += part.blob.length;
  }
  raw.set(directory, offset);
  const encoded = encodeBlock(zstd, raw, rawLength > blockBytesMax ? 'off' : level);
  const header = {
    codec: encoded.codec,
    rawLength,
    storedLength: encoded.bytes.length,
    directoryLength: directory.length,
  };
  const bytes = Buffer.allocUnsafeSlow(BLOCK_HEADER_BYTES + encoded.bytes.length);
  bytes.set(encodeBlockHeader(header), 0);
  bytes.set(encoded.bytes, BLOCK_HEADER_BYTES);
  if (encoded.bytes.buffer !== raw.buffer) release(encoded.bytes);
  const block = { header, bytes, blobs };
  checkSealed(zstd, block);
  return block;
}

/** The raw bytes of a block as read from a pack, header included. Throws `corrupt-data` or `unsupported-format`. */
export function openBlock(zstd: Zstd, bytes: Buffer, what: string): { header: BlockHeader; raw: Uint8Array } {
  const header = decodeBlockHeader(bytes, what);
  if (bytes.length !== BLOCK_HEADER_BYTES + header.storedLength)
    throw new SnapError('corrupt-data', `damaged ${what}: it has another length than its header says`);
  return { header, raw: decodeBlock(zstd, header.codec, bytes.subarray(BLOCK_HEADER_BYTES), header.rawLength) };
}

/** The bytes of one blob in a raw block, hashed and compared with its id. Throws `corrupt-data`. */
export function blobIn(
  raw: Uint8Array,
  offset: number,
  blob: Pick<PackedBlob, 'id' | 'length'>,
  what: string,
): Uint8Array {
  const bytes = raw.subarray(offset, offset + blob.length);
  if (bytes.length !== blob.length || blobIdOf(bytes) !== blob.id) {
    throw new SnapError('corrupt-data', `damaged ${what}: the bytes of blob ${blob.id} are not what was stored`, {
      context: { blob: blob.id },
    });
  }
  return bytes;
}

/** The blobs of a raw block by its own directory, for scans without a footer. Ids are recomputed. */
export function scanBlock(header: BlockHeader, raw: Uint8Array, what: string): BlobBytes[] {
  const end = header.rawLength - header.directoryLength;
  const parts: BlobBytes[] = [];
  let offset = 0;
  for (const { kind, length } of decodeBlockDirectory(raw.subarray(end), what)) {
    const bytes = raw.subarray(offset, offset + length);
    parts.push({ blob: { kind, length, id: blobIdOf(bytes) }, bytes });
    offset += length;
  }
  if (offset !== end) throw new SnapError('corrupt-data', `damaged ${what}: its directory does not fit its blobs`);
  return parts;
}

let scratchBuffer = Buffer.alloc(0);

/** Room for one raw block, used again for the next: a block is copied before anything keeps it. */
function scratch(length: number): Buffer {
  if (scratchBuffer.length < length)
    scratchBuffer = Buffer.allocUnsafeSlow(Math.max(length, 2 * BLOCK_RAW_BYTES_TARGET));
  return scratchBuffer.subarray(0, length);
}

/** An encoder or the memory may have failed: nothing is stored that does not decode to bytes with the right ids. */
function checkSealed(zstd: Zstd, block: SealedBlock): void {
  const what = 'block just made';
  const { raw, header } = openBlock(
    zstd,
    Buffer.from(block.bytes.buffer, block.bytes.byteOffset, block.bytes.length),
    what,
  );
  const found = scanBlock(header, raw, what).map((part) => part.blob);
  if (raw.buffer !== block.bytes.buffer) release(raw);
  const right =
    found.length === block.blobs.length &&
    found.every((blob, i) => blob.id === block.blobs[i]?.id && blob.kind === block.blobs[i]?.kind);
  if (!right) {
    throw new SnapError('internal', 'a block did not decode to what went into it', {
      hint: 'The memory of this machine or the compressor is faulty; nothing was stored. Run the command again, and a memory test.',
    });
  }
}
