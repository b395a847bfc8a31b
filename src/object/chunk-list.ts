/**
 * Chunk lists: the chunks of a file that has more than a tree entry holds inline. Lists longer than a segment are lists
 * of lists, cut at ids, so that an edit near the start of a huge file rewrites one segment per level.
 * SPEC.md "Chunk lists".
 */
import { ByteReader } from '../bytes/byte-reader.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { SnapError } from '../errors.ts';
import type { BlobId } from './blob-id.ts';
import { blobIdOf } from './blob-id.ts';
import type { ChunkRef } from './tree-entry.ts';

const LIST_VERSION = 1;
const SEGMENT_CUT_MASK = 0x1ff;
const SEGMENT_ENTRIES_MAX = 4096;
const LEVEL_MAX = 8;

/** One list blob: level 0 refers to data chunks, level n to lists of level n - 1, each with the bytes below it. */
export interface ChunkList {
  readonly level: number;
  readonly refs: readonly ChunkRef[];
}

/** The bytes below a list, and its level; of a file's first list nobody says the level. */
export interface ListFacts {
  readonly bytes: number;
  readonly level: number | undefined;
}

export interface EncodedList {
  readonly id: BlobId;
  readonly bytes: Buffer;
}

/** Encodes all chunks of a file; the last element is the top list. Throws `internal` for no chunks. */
export function encodeChunkLists(chunks: readonly ChunkRef[]): EncodedList[] {
  if (chunks.length === 0) throw new SnapError('internal', 'a chunk list needs chunks');
  const lists: EncodedList[] = [];
  let refs = chunks;
  for (let level = 0; ; level++) {
    const above: ChunkRef[] = [];
    for (const segment of cutSegments(refs)) {
      const list = encodeOne(level, segment);
      lists.push(list);
      above.push({ id: list.id, length: total(segment) });
    }
    if (above.length === 1) return lists;
    refs = above;
  }
}

/** Decodes one list blob. Throws `corrupt-data` or `unsupported-format`. */
export function decodeChunkList(bytes: Uint8Array): ChunkList {
  const reader = new ByteReader(bytes, 'chunk list');
  const version = reader.u8();
  if (version !== LIST_VERSION)
    throw new SnapError('unsupported-format', `a chunk list has the unknown version ${version}`, {
      hint: 'It was written by a newer version of snap; update this one.',
    });
  const level = reader.u8();
  if (level > LEVEL_MAX) reader.fail('an impossible level');
  const count = reader.uvarint();
  if (count === 0 || count > SEGMENT_ENTRIES_MAX) reader.fail('an impossible number of chunks');
  const refs: ChunkRef[] = [];
  for (let i = 0; i < count; i++) {
    const length = reader.uvarint();
    if (length === 0) reader.fail('an empty chunk');
    refs.push({ length, id: reader.id() as BlobId });
  }
  reader.end();
  return { level, refs };
}

/**
 * As `decodeChunkList`, of the list `id`, which must be what is said of it where it is named. To be asked before the lists
 * below are read: a few that name each other many times would be endless.
 */
export function decodeChunkListAs(id: BlobId, bytes: Uint8Array, said: ListFacts): ChunkList {
  const list = decodeChunkList(bytes);
  if (said.level !== undefined && list.level !== said.level)
    throw new SnapError('corrupt-data', `damaged chunk list ${id}: level ${list.level} where ${said.level} belongs`);
  if (total(list.refs) !== said.bytes)
    throw new SnapError('corrupt-data', `damaged chunk list ${id}: it does not hold ${said.bytes} bytes`);
  return list;
}

function encodeOne(level: number, refs: readonly ChunkRef[]): EncodedList {
  const writer = new ByteWriter(16 + refs.length * 36);
  writer.u8(LIST_VERSION);
  writer.u8(level);
  writer.uvarint(refs.length);
  for (const ref of refs) {
    writer.uvarint(ref.length);
    writer.id(ref.id);
  }
  const bytes = writer.finish();
  return { id: blobIdOf(bytes), bytes };
}

function cutSegments(refs: readonly ChunkRef[]): ChunkRef[][] {
  const segments: ChunkRef[][] = [];
  let segment: ChunkRef[] = [];
  for (const ref of refs) {
    segment.push(ref);
    const cut = (Number.parseInt(ref.id.slice(-4), 16) & SEGMENT_CUT_MASK) === 0;
    if ((cut && segment.length > 1) || segment.length >= SEGMENT_ENTRIES_MAX) {
      segments.push(segment);
      segment = [];
    }
  }
  if (segment.length > 0) segments.push(segment);
  return segments;
}

function total(refs: readonly ChunkRef[]): number {
  return refs.reduce((sum, ref) => sum + ref.length, 0);
}
