/**
 * Whole files, safely: read all of one, write one so that it is there whole or not at all, create one only if nobody
 * else did. A failed sync or close is never tried again on the same descriptor: the kernel may have dropped the dirty
 * pages (the "fsyncgate" of 2018); the temporary file is thrown away instead.
 */
import { constants as bufferConstants } from 'node:buffer';
import { errnoOf, hasCode, SnapError } from '../errors.ts';
import type { Disk, FileStat } from './disk.ts';
import { OPEN } from './disk.ts';
import { readFully, writeFully } from './whole-calls.ts';

/**
 * Opens a file of our own for reading; undefined if it does not exist. Throws `corrupt-data` where something else was put
 * in its place: a folder, a FIFO, a link that leads nowhere.
 */
export function openForReading(disk: Disk, path: string): number | undefined {
  let fd: number;
  try {
    fd = disk.open(path, OPEN.read);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== 'ENOENT' && errno !== 'ELOOP') throw error;
    if (disk.lstat(path)?.isSymbolicLink() === true) throw notOurs(path, 'a link that leads nowhere');
    if (errno === 'ELOOP') throw error;
    return undefined;
  }
  let isFile = false;
  try {
    isFile = disk.stat(fd).isFile();
  } finally {
    if (!isFile) disk.close(fd);
  }
  if (!isFile) throw notOurs(path, 'no file');
  return fd;
}

/**
 * The stat of a file of our own at `path`, also where a link there leads to it, as reading finds it; undefined if there is
 * none. Throws the system's errors.
 */
export function statOfFile(disk: Disk, path: string): FileStat | undefined {
  const stat = disk.lstat(path);
  if (stat?.isSymbolicLink() !== true) return stat?.isFile() === true ? stat : undefined;
  let fd: number | undefined;
  try {
    fd = openForReading(disk, path);
    return fd === undefined ? undefined : disk.stat(fd);
  } catch (error) {
    if (!hasCode(error, 'corrupt-data') && errnoOf(error) !== 'ELOOP') throw error;
    return undefined;
  } finally {
    if (fd !== undefined) disk.close(fd);
  }
}

function notOurs(path: string, what: string): SnapError {
  return new SnapError('corrupt-data', `${path} is ${what}`, {
    hint: 'Something was put in the place of what snap keeps there. Move it away; `snap verify` shows what is missing then.',
    context: { path },
  });
}

/** A text of more bytes cannot be made. */
const WHOLE_BYTES_MAX = bufferConstants.MAX_STRING_LENGTH;

/**
 * All bytes of a file, or undefined if it does not exist; of a file that is larger than any that snap writes the first
 * `bytesMax`, in which whoever decodes them finds the damage. Throws what `openForReading` throws.
 */
export function readWhole(disk: Disk, path: string, bytesMax = WHOLE_BYTES_MAX): Buffer | undefined {
  const fd = openForReading(disk, path);
  if (fd === undefined) return undefined;
  try {
    const size = Number(disk.stat(fd).size);
    const buffer = Buffer.allocUnsafe(Math.min(size, bytesMax));
    return buffer.subarray(0, readFully(disk, fd, buffer, 0));
  } finally {
    disk.close(fd);
  }
}

/** As `readWhole`, of a regular file only: undefined for a link, a FIFO and the like, which are not waited for. */
export function readRegular(disk: Disk, path: string, bytesMax = WHOLE_BYTES_MAX): Buffer | undefined {
  let fd: number;
  try {
    fd = disk.open(path, OPEN.source);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ELOOP' || errno === 'ENXIO') return undefined;
    throw error;
  }
  try {
    const stat = disk.stat(fd);
    if (!stat.isFile()) return undefined;
    const buffer = Buffer.allocUnsafe(Math.min(Number(stat.size), bytesMax));
    return buffer.subarray(0, readFully(disk, fd, buffer, 0));
  } finally {
    disk.close(fd);
  }
}

/** Replaces the file at `path`: afterwards it holds the old bytes or the new, durably. `temporary` must be on the same file system. */
export function replaceFile(disk: Disk, path: string, bytes: Uint8Array, temporary: string): void {
  writeNew(disk, temporary, bytes);
  try {
    disk.rename(temporary, path);
  } catch (error) {
    removeQuietly(disk, temporary);
    throw error;
  }
  syncFolder(disk, folderOf(path));
}

/** Creates the file at `path` with these bytes, whole and durable; false if it exists already, which is left alone. */
export function createOnce(disk: Disk, path: string, bytes: Uint8Array, temporary: string, mode = 0o600): boolean {
  if (!linkOnce(disk, path, bytes, temporary, mode)) return false;
  syncFolder(disk, folderOf(path));
  return true;
}

/** As `createOnce`, but for its name, which is durable when the folder is synced. */
export function linkOnce(disk: Disk, path: string, bytes: Uint8Array, temporary: string, mode = 0o600): boolean {
  writeNew(disk, temporary, bytes, mode);
  try {
    disk.link(temporary, path);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    removeQuietly(disk, temporary);
  }
  return true;
}

/** Makes the entries of a folder durable. File systems that cannot (EINVAL on some network mounts) are forgiven. */
export function syncFolder(disk: Disk, path: string): void {
  const fd = disk.open(path, OPEN.folderThroughLink);
  try {
    disk.sync(fd);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== 'EINVAL' && errno !== 'ENOTSUP' && errno !== 'EPERM' && errno !== 'EISDIR') throw error;
  } finally {
    disk.close(fd);
  }
}

/** Makes a folder and those above it; existing ones are fine. Each new entry is made durable. */
export function ensureFolder(disk: Disk, path: string, mode?: number): void {
  if (disk.lstat(path) !== undefined) return;
  const parent = folderOf(path);
  if (parent !== path) ensureFolder(disk, parent, mode);
  try {
    disk.makeFolder(path, mode);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  syncFolder(disk, parent);
}

/**
 * As `ensureFolder`, of a folder of our own below `root`. Throws `corrupt-data` where something else was put in its place,
 * and `no-store` if the root is gone: one made anew where it was would take what belongs to the one that was moved.
 */
export function ensureOwnFolder(disk: Disk, path: string, root: string): void {
  requireFolder(disk, path);
  if (disk.lstat(root) === undefined)
    throw new SnapError('no-store', `${root} is gone: it was moved or removed meanwhile`, {
      hint: 'Run the command again where it lies now.',
    });
  ensureFolder(disk, path);
}

/** Throws `corrupt-data` if `path`, or what there is of the way to it, is no folder. A link may lead to one. */
export function requireFolder(disk: Disk, path: string): void {
  const stat = disk.lstat(path);
  if (stat === undefined && folderOf(path) !== path) requireFolder(disk, folderOf(path));
  if (stat === undefined || stat.isDirectory()) return;
  if (!stat.isSymbolicLink()) throw notOurs(path, 'no folder');
  if (!leadsToFolder(disk, path)) throw notOurs(path, 'a link that leads to no folder');
}

/** As `requireFolder`, of a folder that is changed: throws `refused` if it is a link to one, too. */
export function requireRealFolder(disk: Disk, path: string): void {
  requireFolder(disk, path);
  refuseLinkedFolder(disk, path);
}

/** What `requireFolder` throws of `path`, or of a folder on the way to it that is none, if one of them is. */
export function wrongFolder(disk: Disk, path: string): SnapError | undefined {
  try {
    requireFolder(disk, path);
    return undefined;
  } catch (error) {
    return error instanceof SnapError ? error : wrongFolder(disk, folderOf(path));
  }
}

/** True if a link at `path` leads to a folder. */
export function leadsToFolder(disk: Disk, path: string): boolean {
  try {
    disk.close(disk.open(path, OPEN.folderThroughLink));
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'ELOOP') return false;
    throw error;
  }
}

/** Throws `refused` if a link stands at `path` and leads to a folder: what lies there is somebody else's. */
export function refuseLinkedFolder(disk: Disk, path: string): void {
  if (disk.lstat(path)?.isSymbolicLink() !== true || !leadsToFolder(disk, path)) return;
  throw new SnapError('refused', `${path} is a link: nothing is changed through it`, {
    hint:
      'The folders that snap keeps are real ones. Put the folder itself in the place of the link; to have a store elsewhere, ' +
      'move all of it and set store.path.',
    context: { path },
  });
}

/** Writes a new small file that need not survive a crash of the machine; fails if anything is there. */
export function writeMarker(disk: Disk, path: string, bytes: Uint8Array): void {
  const fd = disk.open(path, OPEN.create, 0o600);
  try {
    writeFully(disk, fd, bytes, null);
  } catch (error) {
    removeQuietly(disk, path);
    throw error;
  } finally {
    disk.close(fd);
  }
}

/** Removes a file; a missing one is fine. */
export function removeIfThere(disk: Disk, path: string): void {
  try {
    disk.unlink(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** Removes a file of ours as clean-up after another error, which is the one to report. */
export function removeQuietly(disk: Disk, path: string): void {
  try {
    disk.unlink(path);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}

/** Removes a folder with all that is in it, never through a link; what is missing, or goes meanwhile, is fine. */
export function removeTree(disk: Disk, path: string): void {
  try {
    const stat = disk.lstat(path);
    if (stat === undefined) return;
    if (!stat.isDirectory()) {
      disk.unlink(path);
      return;
    }
    for (const name of disk.list(path)) removeTree(disk, `${path}/${name}`);
    disk.removeFolder(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** The folder part of an absolute path. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}

function writeNew(disk: Disk, path: string, bytes: Uint8Array, mode = 0o600): void {
  const fd = disk.open(path, OPEN.create, mode);
  let closed = false;
  try {
    writeFully(disk, fd, bytes, null);
    disk.sync(fd);
    closed = true;
    disk.close(fd);
  } catch (error) {
    if (!closed) disk.close(fd);
    removeQuietly(disk, path);
    throw error;
  }
}
