/**
 * Keys and values of the LevelDB index. A key is one letter and what it is about; a value is a payload and the CRC-32
 * of key and payload, so that a value that was damaged, or that answers for another key, counts as absent.
 * SPEC.md "Index".
 */
import { crc32 } from 'node:zlib';
import { encodeName } from '../bytes/names.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import type { PackId } from '../object/pack-id.ts';
import type { BlobLocation } from './blob-index.ts';

export const INDEX_FORMAT = '1';
const LETTER = { blob: 0x62, object: 0x6f, folder: 0x66, state: 0x73, meta: 0x6d } as const;

export const STATE_KEY = Buffer.of(LETTER.state);
export const META_KEY = Buffer.of(LETTER.meta);
export const BLOB_RANGE = { gte: Buffer.of(LETTER.blob), lt: Buffer.of(LETTER.blob + 1) };

export function blobKey(kind: BlobKind, id: BlobId): Buffer {
  return idKey(LETTER.blob, kind, id);
}

export function objectKey(kind: BlobKind, id: BlobId): Buffer {
  return idKey(LETTER.object, kind, id);
}

export function folderKey(path: string): Buffer {
  return Buffer.concat([Buffer.of(LETTER.folder), encodeName(path)]);
}

/** Payload and checksum. */
export function sealValue(key: Uint8Array, payload: Uint8Array): Buffer {
  const value = Buffer.allocUnsafe(payload.length + 4);
  value.set(payload, 0);
  value.writeUInt32LE(crc32(payload, crc32(key)), payload.length);
  return value;
}

/** The payload, or undefined if the checksum does not fit. */
export function openValue(key: Uint8Array, value: Uint8Array): Buffer | undefined {
  if (value.length < 4) return undefined;
  const buffer = Buffer.from(value.buffer, value.byteOffset, value.length);
  const payload = buffer.subarray(0, value.length - 4);
  return crc32(payload, crc32(key)) === buffer.readUInt32LE(payload.length) ? payload : undefined;
}

export const LOCATION_BYTES = 36;

export function encodeLocation(location: BlobLocation): Buffer {
  const bytes = Buffer.allocUnsafe(LOCATION_BYTES);
  bytes.write(location.pack, 0, 'hex');
  bytes.writeUInt32LE(location.blockOffset, 16);
  bytes.writeUInt32LE(location.storedLength, 20);
  bytes.writeUInt32LE(location.rawLength, 24);
  bytes.writeUInt32LE(location.offset, 28);
  bytes.writeUInt32LE(location.length, 32);
  return bytes;
}

export function decodeLocation(bytes: Buffer): BlobLocation | undefined {
  if (bytes.length !== LOCATION_BYTES) return undefined;
  return {
    pack: bytes.toString('hex', 0, 16) as PackId,
    blockOffset: bytes.readUInt32LE(16),
    storedLength: bytes.readUInt32LE(20),
    rawLength: bytes.readUInt32LE(24),
    offset: bytes.readUInt32LE(28),
    length: bytes.readUInt32LE(32),
  };
}

function idKey(letter: number, kind: BlobKind, id: BlobId): Buffer {
  const key = Buffer.allocUnsafe(34);
  key[0] = letter;
  key[1] = kind;
  key.write(id, 2, 'hex');
  return key;
}
