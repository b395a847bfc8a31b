/**
 * Danger: a format that drifts, so that stores made before are not readable, or not the same, after. The vectors beside
 * this file are frozen: a failure means that the code is wrong, not the file. SPEC.md shows some of them.
 */
import { describe, expect, test } from 'vitest';
import { ByteReader } from '../../src/bytes/byte-reader.ts';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import { compareNames, decodeName, encodeName } from '../../src/bytes/names.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { blobIdOf } from '../../src/object/blob-id.ts';
import { decodeChunkList, encodeChunkLists } from '../../src/object/chunk-list.ts';
import type { Snapshot } from '../../src/object/snapshot.ts';
import { decodeSnapshot, encodeSnapshot } from '../../src/object/snapshot.ts';
import { decodeTree, encodeTree } from '../../src/object/tree.ts';
import { decodeParts, encodeFolder } from '../../src/object/tree-parts.ts';
import type { StoreConfig } from '../../src/repo/store-config.ts';
import { decodeStoreConfig, encodeStoreConfig } from '../../src/repo/store-config.ts';
import { refusesTruncations, tamper } from '../kit/tamper.ts';
import type { JsonEntry } from './load.ts';
import { bytesOf, entryOf, vectors } from './load.ts';

describe('numbers', () => {
  const { uvarint, svarint, i64 } = vectors<{
    uvarint: { value: number; hex: string }[];
    svarint: { value: string; hex: string }[];
    i64: { value: string; hex: string }[];
  }>('numbers');

  test.each(uvarint)('uvarint $value', ({ value, hex }) => {
    expect(written((writer) => writer.uvarint(value))).toBe(hex);
    expect(new ByteReader(bytesOf(hex), 'number').uvarint()).toBe(value);
  });

  test.each(svarint)('svarint $value', ({ value, hex }) => {
    expect(written((writer) => writer.svarint(BigInt(value)))).toBe(hex);
    expect(new ByteReader(bytesOf(hex), 'number').svarint()).toBe(BigInt(value));
  });

  test.each(i64)('i64 $value', ({ value, hex }) => {
    expect(written((writer) => writer.i64(BigInt(value)))).toBe(hex);
    expect(new ByteReader(bytesOf(hex), 'number').i64()).toBe(BigInt(value));
  });

  test.each([
    '8000',
    'ff8000',
    '80',
    '',
    'ffffffffffffff1f',
    'ffffffffffffffff01',
  ])('the uvarint %s is refused', (hex) => {
    expect(() => new ByteReader(bytesOf(hex), 'number').uvarint()).toThrow('damaged number');
  });
});

describe('names', () => {
  const { vectors: names, sortedBytesHex } = vectors<{
    vectors: { bytesHex: string; unitsHex: string }[];
    sortedBytesHex: string[];
  }>('names');

  test.each(names)('$bytesHex', ({ bytesHex, unitsHex }) => {
    const name = String.fromCharCode(...unitsHex.split(' ').map((unit) => Number.parseInt(unit, 16)));
    expect(decodeName(bytesOf(bytesHex))).toBe(name);
    expect(encodeName(name).toString('hex')).toBe(bytesHex);
  });

  test('their order is that of their bytes', () => {
    const sorted = names.map(({ bytesHex }) => decodeName(bytesOf(bytesHex))).sort(compareNames);
    expect(sorted.map((name) => encodeName(name).toString('hex'))).toEqual(sortedBytesHex);
  });
});

test.each(vectors<{ vectors: { text: string; id: string }[] }>('blob-id').vectors)('the id of $text', ({
  text,
  id,
}) => {
  expect(blobIdOf(Buffer.from(text))).toBe(id);
});

describe('trees', () => {
  const tree = vectors<{
    leaves: { name: string; entries: JsonEntry[]; hex: string; id: string }[];
    parts: { count: number; entry: JsonEntry; parts: { firstName: string; tree: string }[]; hex: string; id: string };
  }>('tree');

  test.each(tree.leaves)('leaf: $name', ({ entries, hex, id }) => {
    const values = entries.map(entryOf);
    expect(encodeTree(values).toString('hex')).toBe(hex);
    expect(decodeTree(bytesOf(hex))).toEqual(values);
    expect(blobIdOf(bytesOf(hex))).toBe(id);
    expect(encodeFolder(values)).toEqual([{ id, bytes: bytesOf(hex) }]);
    expect(refusesTruncations(bytesOf(hex), againTree)).toBe(true);
    const { refused, other } = tamper(bytesOf(hex), againTree);
    expect(refused).toBeGreaterThan(hex.length / 2);
    // Ids, times and owners may be anything.
    if (entries.length > 0) expect(other).toBeGreaterThan(0);
  });

  test('parts', () => {
    const { count, entry, parts, hex, id } = tree.parts;
    const entries = Array.from({ length: count }, (_, i) => ({
      ...entryOf(entry),
      name: `f${String(i).padStart(4, '0')}`,
    }));
    const encoded = encodeFolder(entries);
    expect(encoded.at(-1)?.bytes.toString('hex')).toBe(hex);
    expect(encoded.at(-1)?.id).toBe(id);
    expect(decodeParts(bytesOf(hex))).toEqual(parts);
    expect(encoded.slice(0, -1).map((part) => part.id)).toEqual(parts.map((part) => part.tree));
    expect(encoded.slice(0, -1).flatMap((part) => decodeTree(part.bytes))).toEqual(entries);
    for (let length = 0; length < hex.length / 2; length++)
      expect(() => decodeParts(bytesOf(hex).subarray(0, length))).toThrow('damaged tree');
    expect(() => decodeTree(bytesOf(hex))).toThrow('a list of parts');
  });
});

describe('chunk lists', () => {
  const lists = vectors<{ vectors: { name: string; count: number; lists: string[]; topHex: string }[] }>(
    'chunk-list',
  ).vectors;

  test.each(lists)('$name', ({ count, lists: ids, topHex }) => {
    const chunks = Array.from({ length: count }, (_, i) => ({
      id: blobIdOf(Buffer.from(`chunk ${i}`)),
      length: 65536 + i,
    }));
    const encoded = encodeChunkLists(chunks);
    expect(encoded.map((list) => list.id)).toEqual(ids);
    expect(encoded.at(-1)?.bytes.toString('hex')).toBe(topHex);
    const byId = new Map(encoded.map((list) => [list.id, list.bytes]));
    const expand = (id: BlobId, level: number): { id: BlobId; length: number }[] => {
      const list = decodeChunkList(byId.get(id) ?? Buffer.alloc(0));
      expect(list.level).toBe(level);
      return level === 0 ? [...list.refs] : list.refs.flatMap((ref) => expand(ref.id, level - 1));
    };
    const top = encoded.at(-1);
    expect(top === undefined ? [] : expand(top.id, decodeChunkList(top.bytes).level)).toEqual(chunks);
    expect(refusesTruncations(bytesOf(topHex), againList)).toBe(true);
    tamper(bytesOf(topHex), againList);
  });
});

describe('snapshots', () => {
  test.each(
    vectors<{ vectors: { name: string; value: Snapshot; text: string; id: string }[] }>('snapshot').vectors,
  )('$name', ({ value, text, id }) => {
    const bytes = Buffer.from(text);
    expect(encodeSnapshot(value).toString()).toBe(text);
    expect(decodeSnapshot(bytes)).toEqual(value);
    expect(blobIdOf(bytes)).toBe(id);
    expect(refusesTruncations(bytes, againSnapshot)).toBe(true);
    tamper(bytes, againSnapshot);
  });
});

test('store configuration', () => {
  const { value, text } = vectors<{ value: StoreConfig; text: string }>('store-config');
  expect(encodeStoreConfig(value).toString()).toBe(text);
  expect(decodeStoreConfig(Buffer.from(text))).toEqual(value);
  const again = (bytes: Buffer): Uint8Array => encodeStoreConfig(decodeStoreConfig(bytes));
  expect(refusesTruncations(Buffer.from(text), again)).toBe(true);
  tamper(Buffer.from(text), again);
});

const againTree = (bytes: Buffer): Uint8Array => encodeTree(decodeTree(bytes));
const againSnapshot = (bytes: Buffer): Uint8Array => encodeSnapshot(decodeSnapshot(bytes));

/** Encodes one list blob again; `encodeChunkLists` would cut it anew. */
function againList(bytes: Buffer): Uint8Array {
  const { level, refs } = decodeChunkList(bytes);
  const writer = new ByteWriter();
  writer.u8(1);
  writer.u8(level);
  writer.uvarint(refs.length);
  for (const ref of refs) {
    writer.uvarint(ref.length);
    writer.id(ref.id);
  }
  return writer.finish();
}

function written(write: (writer: ByteWriter) => void): string {
  const writer = new ByteWriter(1);
  write(writer);
  return writer.finish().toString('hex');
}
