/** Opens what a checkout writes through: the folder itself, and the one for its temporary files. */
import { AnchoredFolder } from '../disk/anchored-folder.ts';
import { OPEN } from '../disk/disk.ts';
import { requireRealFolder, writeMarker } from '../disk/files.ts';
import type { Environment } from '../repo/environment.ts';
import type { WriteRoot } from '../work/write-files.ts';
import { markName, temporaryFolder } from './interrupted.ts';

export interface OpenedRoot {
  readonly writeRoot: WriteRoot;
  /** Name of the folder for temporary files, if it is one of its own. */
  readonly ownTemporary: string | undefined;
  /** The folder for temporary files itself: who swaps the path of it for a link leads nothing elsewhere. */
  readonly temporaries: string;
}

/**
 * `path`: an existing folder. `temporary`: an existing folder on the same file system, or the mark for one to make. The
 * caller closes both descriptors; where it throws, none is open. Throws `refused` for a link in the place of `temporary`.
 */
export function openWriteRoot(
  { disk, umask, uniqueName }: Environment,
  path: string,
  temporary: string | Buffer,
): OpenedRoot {
  const token = uniqueName();
  const opened: number[] = [];
  const open = (folder: string, flags: number): number => {
    const fd = disk.open(folder, flags);
    opened.push(fd);
    return fd;
  };
  try {
    const fd = open(path, OPEN.folderThroughLink);
    const isOwn = typeof temporary !== 'string';
    const temporaryPath = isOwn ? `${path}/${temporaryFolder(token)}` : temporary;
    const at = isOwn ? new AnchoredFolder(disk, fd, path).at(temporaryFolder(token)) : temporary;
    if (isOwn) disk.makeFolder(at, 0o700);
    else requireRealFolder(disk, at);
    const temporaryFd = open(at, OPEN.folder);
    const temporaries = new AnchoredFolder(disk, temporaryFd, temporaryPath).enter('');
    if (isOwn) writeMarker(disk, `${temporaries}/${markName(token)}`, temporary);
    const writeRoot = { fd, path, temporaryFd, temporaryPath, token, umask };
    return { writeRoot, ownTemporary: isOwn ? temporaryFolder(token) : undefined, temporaries };
  } catch (error) {
    for (const fd of opened) disk.close(fd);
    throw error;
  }
}
