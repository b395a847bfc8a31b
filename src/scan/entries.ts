/**
 * Tree entries from what was seen: a packed stat, a file's reading, a link's target.
 */
import { hash } from 'node:crypto';
import { encodeName } from '../bytes/names.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import { BLOB_KIND } from '../object/blob-id.ts';
import { encodeChunkLists } from '../object/chunk-list.ts';
import { INLINE_CHUNKS_MAX } from '../object/tree.ts';
import type { ChunkRef, FileContent, FileEntry, SpecialEntry, TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND, sameContent, sameMetadata, sameTime } from '../object/tree-entry.ts';
import type { FileReading } from './file-reader.ts';
import type { ListedStat } from './listing.ts';

/** Keeps a blob that belongs to the trees being made. */
export type KeepBlob = (kind: BlobKind, id: BlobId, bytes: Uint8Array) => void;

/** Names the group of names of one file by the first of them that was met. SPEC.md "Hard links". */
export function linkKeyOf(path: string): string {
  return hash('sha256', encodeName(path), 'hex').slice(0, 16);
}

export function fileEntry(
  name: string,
  stat: ListedStat,
  reading: Extract<FileReading, { kind: 'read' }>,
  more: { linkKey: string | undefined; sparse: boolean },
  keep: KeepBlob,
): FileEntry {
  return {
    kind: ENTRY_KIND.file,
    name,
    mode: stat.mode,
    mtime: reading.now?.[1] ?? stat.mtime,
    uid: stat.uid,
    gid: stat.gid,
    size: reading.size,
    content: contentOf(reading.chunks, keep),
    linkKey: more.linkKey,
    sparse: more.sparse,
    unsteady: reading.unsteady,
  };
}

export function specialEntry(name: string, stat: ListedStat): SpecialEntry {
  const device = stat.kind === ENTRY_KIND.charDevice || stat.kind === ENTRY_KIND.blockDevice ? BigInt(stat.size) : 0n;
  // The layout of dev_t in glibc and musl.
  const major = Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n));
  const minor = Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n));
  return {
    kind: stat.kind as SpecialEntry['kind'],
    name,
    mode: stat.mode,
    mtime: stat.mtime,
    uid: stat.uid,
    gid: stat.gid,
    major,
    minor,
  };
}

/**
 * The entry to store and whether it counts as a change against `base`. What differs only as far as a platform cannot
 * set it, or in how a file lies on disk, is no change, and the base's entry is kept.
 */
export function settleEntry(entry: TreeEntry, base: TreeEntry | undefined): { entry: TreeEntry; changed: boolean } {
  if (base === undefined || base.kind !== entry.kind) return { entry, changed: true };
  if (entry.kind === ENTRY_KIND.folder) {
    const kept = sameTime(entry.mtime, base.mtime) ? { ...entry, mtime: base.mtime } : entry;
    return { entry: kept, changed: entry.mode !== base.mode || entry.uid !== base.uid || entry.gid !== base.gid };
  }
  if (!sameContent(entry, base) || !sameMetadata(entry, base)) return { entry, changed: true };
  if (entry.kind === ENTRY_KIND.file && base.kind === ENTRY_KIND.file && entry.linkKey !== base.linkKey)
    return { entry: { ...base, linkKey: entry.linkKey }, changed: false };
  return { entry: base, changed: false };
}

function contentOf(chunks: readonly ChunkRef[], keep: KeepBlob): FileContent {
  if (chunks.length <= INLINE_CHUNKS_MAX) return { chunks };
  const lists = encodeChunkLists(chunks);
  for (const list of lists) keep(BLOB_KIND.chunkList, list.id, list.bytes);
  const top = lists.at(-1);
  return top === undefined ? { chunks } : { list: top.id };
}
