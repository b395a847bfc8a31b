/** Packs and blocks by SPEC.md "Packs" and "Blocks". */
import { Cursor, crc32, must, sha256, Unsound } from './bytes.ts';
import { decodeFrame } from './zstd.ts';

export const KIND = { data: 1, chunkList: 2, tree: 3, snapshot: 4 } as const;
export const PACK_HEADER_BYTES = 32;
export const BLOCK_HEADER_BYTES = 24;
export const TRAILER_BYTES = 48;

export interface ListedBlob {
  readonly kind: number;
  readonly id: string;
  /** Within the decoded block. */
  readonly offset: number;
  readonly length: number;
}

export interface ListedBlock {
  readonly offset: number;
  readonly codec: number;
  readonly rawLength: number;
  readonly storedLength: number;
  readonly directoryLength: number;
  readonly blobs: readonly ListedBlob[];
}

/** Where the footer of a whole pack begins. */
export function footerStart(pack: Buffer): number {
  must(pack.length >= PACK_HEADER_BYTES + TRAILER_BYTES, 'a pack too short');
  const trailer = pack.subarray(-TRAILER_BYTES);
  must(trailer.toString('latin1', 40) === 'SNAPFOOT' && trailer.readUInt32LE(36) === 0, 'no trailer');
  const start = pack.length - TRAILER_BYTES - trailer.readUInt32LE(0);
  must(start >= PACK_HEADER_BYTES, 'a footer longer than its pack');
  must(sha256(pack.subarray(start, -TRAILER_BYTES)) === trailer.toString('hex', 4, 36), 'a damaged footer');
  return start;
}

/** Header, trailer and footer; not the blocks. */
export function readFooter(pack: Buffer, id: string): ListedBlock[] {
  const start = footerStart(pack);
  must(pack.toString('latin1', 0, 8) === 'SNAPPACK', 'no pack');
  must(
    pack.readUInt16LE(8) === 1 && pack.readUInt16LE(10) === 0 && pack.readUInt32LE(12) === 0,
    'a pack of another version',
  );
  must(pack.toString('hex', 16, 32) === id, 'a pack with another id than its name');
  const cursor = new Cursor(pack.subarray(start, -TRAILER_BYTES));
  must(cursor.u8() === 1, 'a footer of another version');
  const blocks: ListedBlock[] = [];
  let next = PACK_HEADER_BYTES;
  for (let count = cursor.uvarint(); count > 0; count--) {
    const block = listedBlock(cursor);
    must(block.offset === next, 'blocks do not follow each other');
    next += BLOCK_HEADER_BYTES + block.storedLength;
    blocks.push(block);
  }
  cursor.end();
  must(next === start, 'the last block is not followed by the footer');
  return blocks;
}

function listedBlock(cursor: Cursor): ListedBlock {
  const offset = cursor.uvarint();
  const codec = cursor.u8();
  const rawLength = cursor.uvarint();
  const storedLength = cursor.uvarint();
  const directoryLength = cursor.uvarint();
  const blobs: ListedBlob[] = [];
  let at = 0;
  for (let count = cursor.uvarint(); count > 0; count--) {
    const kind = cursor.u8();
    must(kind >= 1 && kind <= 4, `a blob of kind ${kind}`);
    const length = cursor.uvarint();
    blobs.push({ kind, length, id: cursor.id(), offset: at });
    at += length;
  }
  must(at + directoryLength === rawLength, 'lengths of blobs do not add up');
  return { offset, codec, rawLength, storedLength, directoryLength, blobs };
}

/** The decoded bytes of a block, its directory included; header and directory are compared with the footer. */
export function readBlock(pack: Buffer, listed: ListedBlock): Buffer {
  const header = pack.subarray(listed.offset, listed.offset + BLOCK_HEADER_BYTES);
  must(
    header.toString('latin1', 0, 4) === 'SBLK' && crc32(header.subarray(0, 20)) === header.readUInt32LE(20),
    'no block',
  );
  must(header.readUInt8(4) === listed.codec && header.readUIntLE(5, 3) === 0, 'a block with another codec or flags');
  must(
    header.readUInt32LE(8) === listed.rawLength &&
      header.readUInt32LE(12) === listed.storedLength &&
      header.readUInt32LE(16) === listed.directoryLength,
    'a block with other lengths than the footer says',
  );
  must(listed.rawLength <= 64 * 2 ** 20, 'a block too large');
  const start = listed.offset + BLOCK_HEADER_BYTES;
  const raw = decodePayload(pack.subarray(start, start + listed.storedLength), listed);
  const cursor = new Cursor(raw.subarray(listed.rawLength - listed.directoryLength));
  must(cursor.uvarint() === listed.blobs.length, 'a directory with another count than the footer says');
  for (const { kind, length } of listed.blobs)
    must(cursor.u8() === kind && cursor.uvarint() === length, 'a directory other than the footer');
  cursor.end();
  return raw;
}

function decodePayload(payload: Buffer, { codec, rawLength }: ListedBlock): Buffer {
  if (codec === 0) {
    must(payload.length === rawLength, 'a raw block of another length');
    return payload;
  }
  if (codec !== 1) throw new Unsound(`codec ${codec}`);
  must(rawLength <= 2 * 2 ** 20, 'a compressed block too large');
  return decodeFrame(payload, rawLength);
}

export function blobOf(raw: Buffer, { id, offset, length }: ListedBlob): Buffer {
  const bytes = raw.subarray(offset, offset + length);
  must(sha256(bytes) === id, 'a blob with other bytes than its id says');
  return bytes;
}
