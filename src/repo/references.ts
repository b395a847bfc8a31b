/**
 * The blobs that a tree, chunk list or snapshot refers to, without making values of them: reachability is walked over
 * hundreds of thousands of entries. Bytes must have been hashed against their id first. Bounds are checked; whoever
 * wants every rule of the format checked decodes with object/tree.ts and object/chunk-list.ts.
 */
import { SnapError } from '../errors.ts';
import type { BlobKind } from '../object/blob-id.ts';
import { BLOB_KIND } from '../object/blob-id.ts';
import { decodeSnapshot } from '../object/snapshot.ts';
import { TREE_LEAF, TREE_PARTS, TREE_VERSION } from '../object/tree.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';

/** Called for each reference: its kind, and 32 bytes of id in `bytes` from `offset`. */
export type FoundReference = (kind: BlobKind, bytes: Buffer, offset: number) => void;

const ID_BYTES = 32;
const LIST_VERSION = 1;
/** Flags of a file entry: its content is a chunk list; it has a link key of 8 bytes (SPEC.md "Trees"). */
const FLAG_LIST = 1;
const FLAG_LINK = 2;

/** Throws `corrupt-data` or `unsupported-format`. Data blobs refer to nothing. */
export function findReferences(kind: BlobKind, bytes: Buffer, found: FoundReference): void {
  if (kind === BLOB_KIND.tree) treeReferences(bytes, found);
  else if (kind === BLOB_KIND.chunkList) listReferences(bytes, found);
  else if (kind === BLOB_KIND.snapshot) found(BLOB_KIND.tree, Buffer.from(decodeSnapshot(bytes).tree, 'hex'), 0);
}

function treeReferences(bytes: Buffer, found: FoundReference): void {
  const cursor = new Cursor(bytes, 'tree');
  if (cursor.u8() !== TREE_VERSION) throw unsupported('a tree');
  const type = cursor.u8();
  if (type !== TREE_LEAF && type !== TREE_PARTS) cursor.fail();
  const count = cursor.uvarint();
  for (let i = 0; i < count; i++) {
    if (type === TREE_LEAF) entryReferences(cursor, bytes, found);
    else {
      cursor.skip(cursor.uvarint());
      found(BLOB_KIND.tree, bytes, cursor.skip(ID_BYTES));
    }
  }
  cursor.end();
}

function entryReferences(cursor: Cursor, bytes: Buffer, found: FoundReference): void {
  const kind = cursor.u8();
  cursor.skip(cursor.uvarint());
  cursor.uvarint();
  cursor.skip(8);
  cursor.uvarint();
  cursor.uvarint();
  switch (kind) {
    case ENTRY_KIND.file: {
      const flags = cursor.u8();
      cursor.uvarint();
      if ((flags & FLAG_LINK) !== 0) cursor.skip(8);
      if ((flags & FLAG_LIST) !== 0) {
        found(BLOB_KIND.chunkList, bytes, cursor.skip(ID_BYTES));
        return;
      }
      for (let left = cursor.uvarint(); left > 0; left--) {
        cursor.uvarint();
        found(BLOB_KIND.data, bytes, cursor.skip(ID_BYTES));
      }
      return;
    }
    case ENTRY_KIND.folder:
      found(BLOB_KIND.tree, bytes, cursor.skip(ID_BYTES));
      return;
    case ENTRY_KIND.symlink:
      cursor.skip(cursor.uvarint());
      return;
    case ENTRY_KIND.fifo:
    case ENTRY_KIND.charDevice:
    case ENTRY_KIND.blockDevice:
    case ENTRY_KIND.socket:
      cursor.uvarint();
      cursor.uvarint();
      return;
    default:
      cursor.fail();
  }
}

function listReferences(bytes: Buffer, found: FoundReference): void {
  const cursor = new Cursor(bytes, 'chunk list');
  if (cursor.u8() !== LIST_VERSION) throw unsupported('a chunk list');
  const kind = cursor.u8() === 0 ? BLOB_KIND.data : BLOB_KIND.chunkList;
  for (let left = cursor.uvarint(); left > 0; left--) {
    cursor.uvarint();
    found(kind, bytes, cursor.skip(ID_BYTES));
  }
  cursor.end();
}

/** Steps over a record without making views or big integers. */
class Cursor {
  readonly #bytes: Buffer;
  readonly #what: string;
  #offset = 0;

  constructor(bytes: Buffer, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  u8(): number {
    const value = this.#bytes[this.#offset];
    if (value === undefined) return this.fail();
    this.#offset++;
    return value;
  }

  uvarint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 8; count++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    return this.fail();
  }

  /** Steps over `length` bytes; returns where they begin. */
  skip(length: number): number {
    const start = this.#offset;
    if (length > this.#bytes.length - start) this.fail();
    this.#offset = start + length;
    return start;
  }

  end(): void {
    if (this.#offset !== this.#bytes.length) this.fail();
  }

  fail(): never {
    throw new SnapError('corrupt-data', `damaged ${this.#what}: it does not make sense at byte ${this.#offset}`);
  }
}

function unsupported(what: string): SnapError {
  return new SnapError('unsupported-format', `${what} has an unknown version`, {
    hint: 'It was written by a newer version of snap; update this one.',
  });
}
