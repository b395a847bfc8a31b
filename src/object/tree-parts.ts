/**
 * Large folders: more than PART_SPLIT_ENTRIES entries are a list of parts, each a leaf, cut after names that a checksum
 * of the name chooses. One new file in a folder of a million rewrites one part and the list. SPEC.md "Large folders".
 */
import { crc32 } from 'node:zlib';
import { ByteReader } from '../bytes/byte-reader.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { compareNames, encodeName } from '../bytes/names.ts';
import { SnapError } from '../errors.ts';
import type { BlobId } from './blob-id.ts';
import { blobIdOf } from './blob-id.ts';
import { encodeTree, readEntryName, TREE_LEAF, TREE_PARTS, TREE_VERSION, treeType, writeName } from './tree.ts';
import type { TreeEntry } from './tree-entry.ts';

export const PART_SPLIT_ENTRIES = 4096;
const PART_CUT_MASK = 0x3ff;
const PART_ENTRIES_MAX = 4096;

/** A part of a large folder: its first name and the leaf that holds it. */
export interface TreePart {
  readonly firstName: string;
  readonly tree: BlobId;
}

export interface EncodedTree {
  readonly id: BlobId;
  readonly bytes: Buffer;
}

/** Encodes a folder of any size; the last element is the tree itself, those before it are its parts. */
export function encodeFolder(entries: readonly TreeEntry[]): EncodedTree[] {
  if (entries.length <= PART_SPLIT_ENTRIES) return [encoded(encodeTree(entries))];
  const trees: EncodedTree[] = [];
  const parts: TreePart[] = [];
  let start = 0;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i];
    const atEnd = i === entries.length - 1;
    if (entry === undefined || !(atEnd || endsPart(entry.name, i + 1 - start))) continue;
    const slice = entries.slice(start, i + 1);
    const tree = encoded(encodeTree(slice));
    trees.push(tree);
    parts.push({ firstName: slice[0]?.name ?? '', tree: tree.id });
    start = i + 1;
  }
  trees.push(encoded(encodeParts(parts)));
  return trees;
}

/** True if a part ends after the entry `name`, which is its `count`-th. */
export function endsPart(name: string, count: number): boolean {
  return count >= PART_ENTRIES_MAX || (crc32(encodeName(name)) & PART_CUT_MASK) === 0;
}

/** The parts of a tree blob, or undefined if it is a leaf. Throws `corrupt-data`. */
export function decodeParts(bytes: Uint8Array): TreePart[] | undefined {
  const reader = new ByteReader(bytes, 'tree');
  if (treeType(reader) === TREE_LEAF) return undefined;
  const count = reader.uvarint();
  if (count < 2 || count > reader.remaining) reader.fail('an impossible number of parts');
  const parts: TreePart[] = [];
  for (let i = 0; i < count; i++) {
    const firstName = readEntryName(reader);
    const before = parts.at(-1);
    if (before !== undefined && compareNames(before.firstName, firstName) >= 0) reader.fail('parts are not sorted');
    parts.push({ firstName, tree: reader.id() as BlobId });
  }
  reader.end();
  return parts;
}

/**
 * Checks the entries of a part against the list: they begin with its name and end before the next. So no name comes
 * twice in a folder, in whatever parts. Throws `corrupt-data`.
 */
export function checkPart(part: TreePart, next: TreePart | undefined, entries: readonly TreeEntry[]): void {
  const last = entries.at(-1);
  const fits =
    entries[0]?.name === part.firstName &&
    last !== undefined &&
    (next === undefined || compareNames(last.name, next.firstName) < 0);
  if (!fits)
    throw new SnapError('corrupt-data', `damaged tree: part ${part.tree} does not hold the names it is listed with`);
}

function encodeParts(parts: readonly TreePart[]): Buffer {
  const writer = new ByteWriter(16 + parts.length * 64);
  writer.u8(TREE_VERSION);
  writer.u8(TREE_PARTS);
  writer.uvarint(parts.length);
  for (const part of parts) {
    writeName(writer, part.firstName);
    writer.id(part.tree);
  }
  return writer.finish();
}

function encoded(bytes: Buffer): EncodedTree {
  return { id: blobIdOf(bytes), bytes };
}
