/** Folders for what takes paths as text (LevelDB, fast-glob, other programs): Node gives them UTF-8, and nothing else. */
import type { Disk } from './disk.ts';
import { OPEN } from './disk.ts';

export interface Utf8Path {
  /** Leads to the folder until `close`. */
  readonly path: string;
  close(): void;
}

/**
 * `folder`: a path as of bytes/names.ts. `pid`: of this process, if its children are to find the folder, too. Throws the
 * system's errors.
 */
export function utf8Path(disk: Disk, folder: string, pid: number | 'self'): Utf8Path {
  if (folder.isWellFormed()) return { path: folder, close: () => undefined };
  // Linux: elsewhere names are text.
  const fd = disk.open(folder, OPEN.folderThroughLink);
  return { path: `/proc/${pid}/fd/${fd}`, close: () => disk.close(fd) };
}
