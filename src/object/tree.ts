/**
 * Trees: the canonical binary form of a folder's entries, sorted by the bytes of their names, without duplicates.
 * `decodeTree` rejects whatever `encodeTree` would not write. SPEC.md "Trees".
 */
import { ByteReader } from '../bytes/byte-reader.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { compareNames, decodeName, encodeName } from '../bytes/names.ts';
import { SnapError } from '../errors.ts';
import type { BlobId } from './blob-id.ts';
import { entryNameFault } from './entry-name.ts';
import type { ChunkRef, FileContent, TreeEntry } from './tree-entry.ts';
import { ENTRY_KIND } from './tree-entry.ts';

export const TREE_VERSION = 1;
export const TREE_LEAF = 0;
export const TREE_PARTS = 1;

/** Files with more chunks than this refer to a chunk list. */
export const INLINE_CHUNKS_MAX = 8;

const FILE_FLAG = { list: 1, link: 2, sparse: 4, unsteady: 8 } as const;
const I64_MIN = -(2n ** 63n);
const I64_MAX = 2n ** 63n - 1n;

/** Encodes sorted entries as one leaf. Throws `internal` if they are not sorted or a name is not allowed. */
export function encodeTree(entries: readonly TreeEntry[]): Buffer {
  const writer = new ByteWriter(64 + entries.length * 80);
  writer.u8(TREE_VERSION);
  writer.u8(TREE_LEAF);
  writer.uvarint(entries.length);
  let previous: string | undefined;
  for (const entry of entries) {
    const fault = entryNameFault(entry.name);
    if (fault !== undefined || (previous !== undefined && compareNames(previous, entry.name) >= 0)) {
      throw new SnapError('internal', `a tree cannot hold ${fault ?? 'unsorted names'}: ${JSON.stringify(entry.name)}`);
    }
    previous = entry.name;
    writeEntry(writer, entry);
  }
  return writer.finish();
}

/** Decodes one leaf. Throws `corrupt-data`, or `unsupported-format` for another version. */
export function decodeTree(bytes: Uint8Array): TreeEntry[] {
  const reader = new ByteReader(bytes, 'tree');
  if (treeType(reader) !== TREE_LEAF) reader.fail('a list of parts where entries were expected');
  const count = reader.uvarint();
  if (count > reader.remaining) reader.fail('more entries than bytes');
  const entries: TreeEntry[] = [];
  let previous: string | undefined;
  for (let i = 0; i < count; i++) {
    const entry = readEntry(reader);
    if (previous !== undefined && compareNames(previous, entry.name) >= 0) reader.fail('names are not sorted');
    previous = entry.name;
    entries.push(entry);
  }
  reader.end();
  return entries;
}

/** Reads the head of a tree blob and tells leaf from parts. */
export function treeType(reader: ByteReader): typeof TREE_LEAF | typeof TREE_PARTS {
  const version = reader.u8();
  if (version !== TREE_VERSION)
    throw new SnapError('unsupported-format', `a tree has the unknown version ${version}`, {
      hint: 'It was written by a newer version of snap; update this one.',
    });
  const type = reader.u8();
  if (type !== TREE_LEAF && type !== TREE_PARTS) return reader.fail('an unknown type');
  return type;
}

function writeEntry(writer: ByteWriter, entry: TreeEntry): void {
  writer.u8(entry.kind);
  writeName(writer, entry.name);
  writer.uvarint(entry.mode);
  writer.i64(clampTime(entry.mtime));
  writer.uvarint(entry.uid);
  writer.uvarint(entry.gid);
  switch (entry.kind) {
    case ENTRY_KIND.file: {
      const listed = 'list' in entry.content;
      writer.u8(
        (listed ? FILE_FLAG.list : 0) |
          (entry.linkKey === undefined ? 0 : FILE_FLAG.link) |
          (entry.sparse ? FILE_FLAG.sparse : 0) |
          (entry.unsteady ? FILE_FLAG.unsteady : 0),
      );
      writer.uvarint(entry.size);
      if (entry.linkKey !== undefined) writer.bytes(Buffer.from(entry.linkKey, 'hex'));
      writeContent(writer, entry.content);
      return;
    }
    case ENTRY_KIND.folder:
      writer.id(entry.tree);
      return;
    case ENTRY_KIND.symlink:
      writeName(writer, entry.target);
      return;
    default:
      writer.uvarint(entry.major);
      writer.uvarint(entry.minor);
  }
}

function writeContent(writer: ByteWriter, content: FileContent): void {
  if ('list' in content) {
    writer.id(content.list);
    return;
  }
  writer.uvarint(content.chunks.length);
  for (const chunk of content.chunks) {
    writer.uvarint(chunk.length);
    writer.id(chunk.id);
  }
}

export function writeName(writer: ByteWriter, name: string): void {
  const bytes = encodeName(name);
  writer.uvarint(bytes.length);
  writer.bytes(bytes);
}

function readName(reader: ByteReader): string {
  return decodeName(reader.bytes(reader.uvarint()));
}

/** Reads a name and refuses one that no tree may hold. */
export function readEntryName(reader: ByteReader): string {
  const name = readName(reader);
  const fault = entryNameFault(name);
  return fault === undefined ? name : reader.fail(fault);
}

function readEntry(reader: ByteReader): TreeEntry {
  const kind = reader.u8();
  const name = readEntryName(reader);
  const mode = reader.uvarint();
  if (mode > 0o7777) reader.fail('impossible permissions');
  const base = { name, mode, mtime: reader.i64(), uid: readOwner(reader), gid: readOwner(reader) };
  switch (kind) {
    case ENTRY_KIND.file:
      return readFile(reader, base);
    case ENTRY_KIND.folder:
      return { kind, ...base, tree: reader.id() as BlobId };
    case ENTRY_KIND.symlink:
      return { kind, ...base, target: readName(reader) };
    case ENTRY_KIND.fifo:
    case ENTRY_KIND.charDevice:
    case ENTRY_KIND.blockDevice:
    case ENTRY_KIND.socket:
      return { kind, ...base, major: reader.uvarint(), minor: reader.uvarint() };
    default:
      return reader.fail('an entry of an unknown kind');
  }
}

type Base = { name: string; mode: number; mtime: bigint; uid: number; gid: number };

function readFile(reader: ByteReader, base: Base): TreeEntry {
  const flags = reader.u8();
  if (flags > 15) reader.fail('unknown flags of a file');
  const size = reader.uvarint();
  const linkKey = flags & FILE_FLAG.link ? reader.bytes(8).toString('hex') : undefined;
  const content = flags & FILE_FLAG.list ? { list: reader.id() as BlobId } : { chunks: readChunks(reader, size) };
  return {
    kind: ENTRY_KIND.file,
    ...base,
    size,
    content,
    linkKey,
    sparse: (flags & FILE_FLAG.sparse) !== 0,
    unsteady: (flags & FILE_FLAG.unsteady) !== 0,
  };
}

function readChunks(reader: ByteReader, size: number): ChunkRef[] {
  const count = reader.uvarint();
  if (count > INLINE_CHUNKS_MAX) reader.fail('too many inline chunks');
  const chunks: ChunkRef[] = [];
  let total = 0;
  for (let i = 0; i < count; i++) {
    const length = reader.uvarint();
    if (length === 0) reader.fail('an empty chunk');
    total += length;
    chunks.push({ length, id: reader.id() as BlobId });
  }
  if (total !== size) reader.fail('chunks that do not add up to the size of their file');
  return chunks;
}

function readOwner(reader: ByteReader): number {
  const id = reader.uvarint();
  return id > 0xffffffff ? reader.fail('an impossible owner') : id;
}

function clampTime(time: bigint): bigint {
  return time < I64_MIN ? I64_MIN : time > I64_MAX ? I64_MAX : time;
}
