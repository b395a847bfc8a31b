/** Danger: an index that a later version takes for another, or whose damage it does not see. index.json is frozen. */
import { describe, expect, test } from 'vitest';
import { decodeName } from '../../src/bytes/names.ts';
import type { BlobLocation } from '../../src/index/blob-index.ts';
import { decodeFolderRecord, encodeFolderRecord } from '../../src/index/folder-record.ts';
import {
  blobKey,
  decodeLocation,
  encodeLocation,
  folderKey,
  objectKey,
  openValue,
  sealValue,
} from '../../src/index/index-keys.ts';
import type { BlobId, BlobKind } from '../../src/object/blob-id.ts';
import { bytesOf, vectors } from './load.ts';

describe('the index', () => {
  interface Value {
    readonly kind: BlobKind;
    readonly id: BlobId;
    readonly keyHex: string;
    readonly payloadHex: string;
    readonly valueHex: string;
  }
  const index = vectors<{
    blob: Value & { location: BlobLocation };
    object: Value;
    folder: { pathBytesHex: string; keyHex: string };
    folderRecord: {
      rulesDigest: string;
      tree: BlobId;
      totals: { files: number; folders: number; others: number; bytes: number };
      names: string;
      folderTrees: BlobId[];
      statsHex: string;
      hex: string;
    };
  }>('index');

  test('keys', () => {
    expect(blobKey(index.blob.kind, index.blob.id).toString('hex')).toBe(index.blob.keyHex);
    expect(objectKey(index.object.kind, index.object.id).toString('hex')).toBe(index.object.keyHex);
    expect(folderKey(decodeName(bytesOf(index.folder.pathBytesHex))).toString('hex')).toBe(index.folder.keyHex);
  });

  test.each([index.blob, index.object])('a value is sealed with its key', ({ keyHex, payloadHex, valueHex }) => {
    const key = bytesOf(keyHex);
    const value = bytesOf(valueHex);
    expect(sealValue(key, bytesOf(payloadHex)).toString('hex')).toBe(valueHex);
    expect(openValue(key, value)?.toString('hex')).toBe(payloadHex);
    for (let length = 0; length < value.length; length++)
      expect(openValue(key, value.subarray(0, length))).toBeUndefined();
    for (let at = 0; at < value.length * 8; at++) expect(openValue(key, flip(value, at))).toBeUndefined();
    for (let at = 0; at < key.length * 8; at++) expect(openValue(flip(key, at), value)).toBeUndefined();
  });

  test('a location', () => {
    expect(encodeLocation(index.blob.location).toString('hex')).toBe(index.blob.payloadHex);
    expect(decodeLocation(bytesOf(index.blob.payloadHex))).toEqual(index.blob.location);
    expect(decodeLocation(bytesOf(index.blob.payloadHex).subarray(1))).toBeUndefined();
  });

  test('a folder record', () => {
    const { statsHex, hex, ...rest } = index.folderRecord;
    const record = { ...rest, stats: bytesOf(statsHex) };
    expect(encodeFolderRecord(record).toString('hex')).toBe(hex);
    expect(decodeFolderRecord(bytesOf(hex))).toEqual(record);
    // What is cut off within the names is still a record; the seal of its value tells.
    for (let length = 0; length < hex.length / 2 - Buffer.byteLength(record.names); length++)
      expect(decodeFolderRecord(bytesOf(hex).subarray(0, length))).toBeUndefined();
  });
});

function flip(bytes: Buffer, bit: number): Buffer {
  const flipped = Buffer.from(bytes);
  flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return flipped;
}
