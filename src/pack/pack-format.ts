/**
 * Packs: immutable files of blocks with a footer that lists their blobs. This file is the format; pack-writer.ts and
 * pack-reader.ts use it. SPEC.md "Packs".
 *
 *   pack   = header block* footer trailer
 *   header = "SNAPPACK" version:u16 flags:u16 zero:u32 packId:16                                (32 bytes)
 *   block  = "SBLK" codec:u8 flags:u8 zero:u16 rawLength:u32 storedLength:u32 directoryLength:u32 crc32:u32 payload
 *   trailer = footerLength:u32 sha256(footer):32 zero:u32 "SNAPFOOT"                            (48 bytes)
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { ByteReader } from '../bytes/byte-reader.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { SnapError } from '../errors.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import { parseBlobKind } from '../object/blob-id.ts';
import type { PackId } from '../object/pack-id.ts';

export const PACK_VERSION = 1;
export const PACK_HEADER_BYTES = 32;
export const BLOCK_HEADER_BYTES = 24;
export const TRAILER_BYTES = 48;
/** No block is stored as more than this, nor decodes to more: bounds what a hostile pack can make a reader allocate. */
export const BLOCK_RAW_BYTES_MAX = 64 * 1024 * 1024;

const PACK_MAGIC = Buffer.from('SNAPPACK');
export const BLOCK_MAGIC = Buffer.from('SBLK');
const TRAILER_MAGIC = Buffer.from('SNAPFOOT');

export interface PackedBlob {
  readonly kind: BlobKind;
  readonly id: BlobId;
  readonly length: number;
}

/** What the header of a block says. `storedLength` is without the header; `rawLength` includes the directory. */
export interface BlockHeader {
  readonly codec: number;
  readonly rawLength: number;
  readonly storedLength: number;
  readonly directoryLength: number;
}

/** A block as a footer lists it. `offset` is where its header begins in the pack. */
export interface FooterBlock extends BlockHeader {
  readonly offset: number;
  readonly blobs: readonly PackedBlob[];
}

export interface PackFooter {
  readonly blocks: readonly FooterBlock[];
}

export function encodePackHeader(id: PackId): Buffer {
  const header = Buffer.alloc(PACK_HEADER_BYTES);
  PACK_MAGIC.copy(header);
  header.writeUInt16LE(PACK_VERSION, 8);
  header.write(id, 16, 'hex');
  return header;
}

/** Checks a pack's header against the id it is stored under. Throws `corrupt-data`. */
export function checkPackHeader(bytes: Uint8Array, id: PackId): void {
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (header.length < PACK_HEADER_BYTES || !header.subarray(0, 8).equals(PACK_MAGIC))
    damaged(id, 'it does not begin like a pack');
  // No checksum covers the header, and a store with packs of another version names that as a feature: this is damage.
  if (header.readUInt16LE(8) !== PACK_VERSION || header.readUInt16LE(10) !== 0)
    damaged(id, 'its header has an unknown version or flag');
  if (header.readUInt32LE(12) !== 0 || header.toString('hex', 16, 32) !== id)
    damaged(id, 'it carries the id of another pack');
}

export function encodeBlockHeader(header: BlockHeader): Buffer {
  const bytes = Buffer.alloc(BLOCK_HEADER_BYTES);
  BLOCK_MAGIC.copy(bytes);
  bytes.writeUInt8(header.codec, 4);
  bytes.writeUInt32LE(header.rawLength, 8);
  bytes.writeUInt32LE(header.storedLength, 12);
  bytes.writeUInt32LE(header.directoryLength, 16);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 20)), 20);
  return bytes;
}

/** True for a header with the mark of a block and the checksum that fits. */
export function beginsLikeBlock(bytes: Buffer): boolean {
  return (
    bytes.length >= BLOCK_HEADER_BYTES &&
    bytes.subarray(0, 4).equals(BLOCK_MAGIC) &&
    crc32(bytes.subarray(0, 20)) === bytes.readUInt32LE(20)
  );
}

/** Decodes a block header. Throws `corrupt-data` or `unsupported-format`. */
export function decodeBlockHeader(bytes: Buffer, what: string): BlockHeader {
  if (!beginsLikeBlock(bytes)) throw new SnapError('corrupt-data', `damaged ${what}: it does not begin like a block`);
  if (bytes.readUInt8(5) !== 0 || bytes.readUInt16LE(6) !== 0) unsupported(what);
  const header = {
    codec: bytes.readUInt8(4),
    rawLength: bytes.readUInt32LE(8),
    storedLength: bytes.readUInt32LE(12),
    directoryLength: bytes.readUInt32LE(16),
  };
  if (
    Math.max(header.rawLength, header.storedLength) > BLOCK_RAW_BYTES_MAX ||
    header.directoryLength > header.rawLength
  ) {
    throw new SnapError('corrupt-data', `damaged ${what}: impossible lengths`);
  }
  return header;
}

/** The directory at the end of a block's raw bytes: kind and length of each blob. */
export function encodeBlockDirectory(blobs: readonly { kind: BlobKind; length: number }[]): Buffer {
  const writer = new ByteWriter(4 + blobs.length * 4);
  writer.uvarint(blobs.length);
  for (const blob of blobs) {
    writer.u8(blob.kind);
    writer.uvarint(blob.length);
  }
  return writer.finish();
}

export function decodeBlockDirectory(bytes: Uint8Array, what: string): { kind: BlobKind; length: number }[] {
  const reader = new ByteReader(bytes, `directory of ${what}`);
  const count = reader.uvarint();
  if (count > reader.remaining) reader.fail('more blobs than bytes');
  const blobs: { kind: BlobKind; length: number }[] = [];
  for (let i = 0; i < count; i++) blobs.push({ kind: parseBlobKind(reader.u8(), what), length: reader.uvarint() });
  reader.end();
  return blobs;
}

/** Footer and trailer, as they follow the last block. */
export function encodeFooter(footer: PackFooter): Buffer {
  const encoder = new FooterEncoder();
  for (const block of footer.blocks) encoder.add(block);
  return encoder.finish();
}

/** Encodes a footer block by block: bytes, where objects for each blob of a pack would be several times as large. */
export class FooterEncoder {
  readonly #blocks = new ByteWriter(4096);
  #count = 0;

  add(block: FooterBlock): void {
    const writer = this.#blocks;
    this.#count++;
    writer.uvarint(block.offset);
    writer.u8(block.codec);
    writer.uvarint(block.rawLength);
    writer.uvarint(block.storedLength);
    writer.uvarint(block.directoryLength);
    writer.uvarint(block.blobs.length);
    for (const blob of block.blobs) {
      writer.u8(blob.kind);
      writer.uvarint(blob.length);
      writer.id(blob.id);
    }
  }

  /** Bytes of footer and trailer as they are now. */
  get size(): number {
    return this.#head().length + this.#blocks.length + TRAILER_BYTES;
  }

  finish(): Buffer {
    const body = Buffer.concat([this.#head(), this.#blocks.finish()]);
    const trailer = Buffer.alloc(TRAILER_BYTES);
    trailer.writeUInt32LE(body.length, 0);
    createHash('sha256').update(body).digest().copy(trailer, 4);
    TRAILER_MAGIC.copy(trailer, 40);
    return Buffer.concat([body, trailer]);
  }

  #head(): Buffer {
    const head = new ByteWriter(16);
    head.u8(PACK_VERSION);
    head.uvarint(this.#count);
    return head.finish();
  }
}

/** How long the footer before a trailer is. Throws `corrupt-data`. */
export function footerLength(trailer: Buffer, id: PackId, packSize: number): number {
  // The mark is the last 8 of 48 bytes: a trailer that is longer or shorter does not have it there.
  if (!trailer.subarray(40).equals(TRAILER_MAGIC) || trailer.readUInt32LE(36) !== 0)
    damaged(id, 'it does not end like a pack');
  const length = trailer.readUInt32LE(0);
  if (length > packSize - PACK_HEADER_BYTES - TRAILER_BYTES) damaged(id, 'its footer is longer than the pack');
  return length;
}

/** Decodes a footer, checked by its trailer's hash and against the pack's size. */
export function decodeFooter(body: Buffer, trailer: Buffer, id: PackId, packSize: number): PackFooter {
  const what = `footer of pack ${id}`;
  if (!createHash('sha256').update(body).digest().equals(trailer.subarray(4, 36)))
    damaged(id, 'its footer has another hash than its trailer says');
  const reader = new ByteReader(body, what);
  if (reader.u8() !== PACK_VERSION) unsupported(what);
  const count = reader.uvarint();
  if (count > reader.remaining) reader.fail('more blocks than bytes');
  const blocks: FooterBlock[] = [];
  let offset = PACK_HEADER_BYTES;
  for (let i = 0; i < count; i++) {
    const block = readFooterBlock(reader, what);
    if (block.offset !== offset) reader.fail('blocks do not follow each other');
    offset += BLOCK_HEADER_BYTES + block.storedLength;
    blocks.push(block);
  }
  reader.end();
  if (offset + body.length + TRAILER_BYTES !== packSize) reader.fail('blocks and footer do not fill the pack');
  return { blocks };
}

function readFooterBlock(reader: ByteReader, what: string): FooterBlock {
  const offset = reader.uvarint();
  const codec = reader.u8();
  const rawLength = reader.uvarint();
  const storedLength = reader.uvarint();
  const directoryLength = reader.uvarint();
  if (Math.max(rawLength, storedLength) > BLOCK_RAW_BYTES_MAX) reader.fail('a block too large');
  const count = reader.uvarint();
  if (count > reader.remaining) reader.fail('more blobs than bytes');
  const blobs: PackedBlob[] = [];
  let total = directoryLength;
  for (let i = 0; i < count; i++) {
    const kind = parseBlobKind(reader.u8(), what);
    const length = reader.uvarint();
    total += length;
    blobs.push({ kind, length, id: reader.id() as BlobId });
  }
  if (total !== rawLength) reader.fail('blobs that do not fill their block');
  return { offset, codec, rawLength, storedLength, directoryLength, blobs };
}

function damaged(id: PackId, reason: string): never {
  throw new SnapError('corrupt-data', `damaged pack ${id}: ${reason}`, { context: { pack: id } });
}

function unsupported(what: string): never {
  throw new SnapError('unsupported-format', `${what} has an unknown version or flag`, {
    hint: 'It was written by a newer version of snap; update this one.',
  });
}
