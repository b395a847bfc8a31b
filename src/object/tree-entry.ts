/**
 * One entry of a folder as a pure value. Machine-private state (inode, ctime, device number of the file system) is
 * not here but in the index's folder records, so the same files give the same tree id on every machine.
 */
import type { BlobId } from './blob-id.ts';

/** Frozen numbers: they are stored in trees. */
export const ENTRY_KIND = {
  file: 1,
  folder: 2,
  symlink: 3,
  fifo: 4,
  charDevice: 5,
  blockDevice: 6,
  socket: 7,
} as const;
export type EntryKind = (typeof ENTRY_KIND)[keyof typeof ENTRY_KIND];

/** A chunk of a file: its blob and its length in bytes. */
export interface ChunkRef {
  readonly id: BlobId;
  readonly length: number;
}

/** What a file holds: its chunks in order, or the id of a chunk list when they are many. */
export type FileContent = { readonly chunks: readonly ChunkRef[] } | { readonly list: BlobId };

interface EntryBase {
  readonly name: string;
  /** The twelve permission bits (07777). */
  readonly mode: number;
  /** Nanoseconds since 1970, clamped to 64 bits. */
  readonly mtime: bigint;
  readonly uid: number;
  readonly gid: number;
}

export interface FileEntry extends EntryBase {
  readonly kind: 1;
  readonly size: number;
  readonly content: FileContent;
  /** Set for a file with several names: equal keys are one file (SPEC.md "Hard links"). 16 hex digits. */
  readonly linkKey: string | undefined;
  /** It occupied less space than its size: restore its runs of zeros as holes. */
  readonly sparse: boolean;
  /** It changed while it was read, three times over; stored as last read. */
  readonly unsteady: boolean;
}

export interface FolderEntry extends EntryBase {
  readonly kind: 2;
  readonly tree: BlobId;
}

export interface SymlinkEntry extends EntryBase {
  readonly kind: 3;
  readonly target: string;
}

export interface SpecialEntry extends EntryBase {
  readonly kind: 4 | 5 | 6 | 7;
  /** Device numbers; 0 for FIFOs and sockets. */
  readonly major: number;
  readonly minor: number;
}

export type TreeEntry = FileEntry | FolderEntry | SymlinkEntry | SpecialEntry;

/** Files: the number of bytes; anything else: 0. */
export function entrySize(entry: TreeEntry): number {
  return entry.kind === ENTRY_KIND.file ? entry.size : 0;
}

/**
 * True if both times are the same as far as a platform can set them: Node sets whole
 * microseconds, or a fraction more.
 */
export function sameTime(a: bigint, b: bigint): boolean {
  const difference = a - b;
  return difference < 1000n && difference > -1000n;
}

/** True if both entries hold the same bytes (or target, or device), whatever their names, modes and times. */
export function sameContent(a: TreeEntry, b: TreeEntry): boolean {
  if (a.kind === ENTRY_KIND.file && b.kind === ENTRY_KIND.file)
    return a.size === b.size && sameFileContent(a.content, b.content);
  if (a.kind === ENTRY_KIND.folder && b.kind === ENTRY_KIND.folder) return a.tree === b.tree;
  if (a.kind === ENTRY_KIND.symlink && b.kind === ENTRY_KIND.symlink) return a.target === b.target;
  if (a.kind !== b.kind || !('major' in a) || !('major' in b)) return false;
  return a.major === b.major && a.minor === b.minor;
}

function sameFileContent(a: FileContent, b: FileContent): boolean {
  if ('list' in a || 'list' in b) return 'list' in a && 'list' in b && a.list === b.list;
  return a.chunks.length === b.chunks.length && a.chunks.every((chunk, i) => chunk.id === b.chunks[i]?.id);
}

/** True if mode, owner and time are the same (times as far as a platform can set them). */
export function sameMetadata(a: TreeEntry, b: TreeEntry): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && sameTime(a.mtime, b.mtime);
}

/** Equal for files with the same bytes, whatever else differs. */
export function contentKey(file: FileEntry): string {
  const { content } = file;
  return 'list' in content ? content.list : content.chunks.map((chunk) => chunk.id).join('');
}

/**
 * Equal for the names of one file with several names; undefined for a file with one. The key alone is not enough: two
 * commits of parts of a folder may give the same key to different files, and wrong bytes must be impossible.
 */
export function linkGroup(file: FileEntry): string | undefined {
  return file.linkKey === undefined ? undefined : `${file.linkKey}:${file.size}:${contentKey(file)}`;
}
