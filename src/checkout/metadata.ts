/** Mode, owner and time of entries of every kind, and which special files the system can make. */
import type { Disk, FileStat, SpecialNode } from '../disk/disk.ts';
import { OPEN } from '../disk/disk.ts';
import type { SpecialEntry, TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND, sameTime } from '../object/tree-entry.ts';

export type Metadata = Pick<TreeEntry, 'kind' | 'mode' | 'uid' | 'gid' | 'mtime'>;

/** True if `setMetadata` would change nothing of what is there, which is of the entry's kind. */
export function hasMetadata(there: FileStat, entry: Metadata, mayOwn: boolean): boolean {
  if (!sameTime(there.mtimeNs, entry.mtime)) return false;
  if (mayOwn && (Number(there.uid) !== entry.uid || Number(there.gid) !== entry.gid)) return false;
  return entry.kind === ENTRY_KIND.symlink || Number(there.mode & 0o7777n) === entry.mode;
}

/** Gives what is at `at`, which is of the entry's kind, its metadata; the owner where `mayOwn`. Throws the system's errors. */
export function setMetadata(disk: Disk, at: string, entry: Metadata, mayOwn: boolean): void {
  if (entry.kind === ENTRY_KIND.folder || entry.kind === ENTRY_KIND.file) {
    setOpened(disk, at, entry, mayOwn);
    return;
  }
  if (mayOwn) disk.setLinkOwner(at, entry.uid, entry.gid);
  if (entry.kind !== ENTRY_KIND.symlink) disk.setNodeMode(at, entry.mode);
  disk.setLinkTimes(at, entry.mtime);
}

function setOpened(disk: Disk, at: string, entry: Metadata, mayOwn: boolean): void {
  const fd = disk.open(at, entry.kind === ENTRY_KIND.folder ? OPEN.folder : OPEN.source);
  try {
    if (mayOwn) disk.setOwner(fd, entry.uid, entry.gid);
    disk.setMode(fd, entry.mode);
    disk.setTimes(fd, entry.mtime);
  } finally {
    disk.close(fd);
  }
}

/** Undefined for a socket: only a program that listens at it makes one. */
export function nodeOf({ kind, major, minor }: SpecialEntry): SpecialNode | undefined {
  if (kind === ENTRY_KIND.fifo) return 'fifo';
  if (kind === ENTRY_KIND.socket) return undefined;
  return { kind: kind === ENTRY_KIND.charDevice ? 'char' : 'block', major, minor };
}
