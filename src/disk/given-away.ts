/**
 * A disk for the superuser: what is made in certain folders belongs to the owner of the folder that it is made in. One
 * `sudo snap commit` would else leave files in a user's workspace that lock the user out of it.
 */
import { errnoOf } from '../errors.ts';
import type { Disk } from './disk.ts';
import { CREATES, OPEN } from './disk.ts';
import { folderOf } from './files.ts';

/** `folders`: absolute paths; elsewhere nothing changes. */
export function givenAwayIn(disk: Disk, folders: readonly string[]): Disk {
  const isOurs = (path: string): boolean =>
    folders.some((folder) => path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`));
  return {
    ...disk,
    open: (path, flags, mode) => {
      const isNew = (flags & CREATES) !== 0 && isOurs(path) && disk.lstat(path) === undefined;
      const fd = disk.open(path, flags, mode);
      if (isNew) giveAway(disk, fd, folderOf(path));
      return fd;
    },
    makeFolder: (path, mode) => {
      disk.makeFolder(path, mode);
      if (isOurs(path) && ownerOf(disk, folderOf(path)) !== undefined)
        withOpen(disk, path, OPEN.folder, (fd) => giveAway(disk, fd, folderOf(path)));
    },
  };
}

/**
 * Gives the files in a folder to its owner: those that others than this program made, such as LevelDB. One with another
 * name is left: its owner may have linked there what belongs to somebody else.
 */
export function giveFilesAway(disk: Disk, folder: string): void {
  for (const name of disk.list(folder)) {
    if (disk.lstat(`${folder}/${name}`)?.isFile() !== true) continue;
    withOpen(disk, `${folder}/${name}`, OPEN.source, (fd) => {
      const stat = disk.stat(fd);
      if (stat.isFile() && stat.nlink === 1n) giveAway(disk, fd, folder);
    });
  }
}

function giveAway(disk: Disk, fd: number, folder: string): void {
  const owner = ownerOf(disk, folder);
  if (owner === undefined) return;
  try {
    disk.setOwner(fd, owner.uid, owner.gid);
  } catch (error) {
    // Some file systems know one owner only.
    if (errnoOf(error) === undefined) throw error;
  }
}

/** Undefined for the superuser himself. */
function ownerOf(disk: Disk, folder: string): { uid: number; gid: number } | undefined {
  const { uid, gid } = withOpen(disk, folder, OPEN.folderThroughLink, (fd) => disk.stat(fd));
  return uid === 0n ? undefined : { uid: Number(uid), gid: Number(gid) };
}

function withOpen<T>(disk: Disk, path: string, flags: number, work: (fd: number) => T): T {
  const fd = disk.open(path, flags);
  try {
    return work(fd);
  } finally {
    disk.close(fd);
  }
}
