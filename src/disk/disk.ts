/**
 * The port to the local file system: the only importer of `node:fs`. Everything else of snap takes a `Disk`, so that
 * tests can count, break and replay its operations. Paths are strings as of src/bytes/names.ts. Calls are synchronous:
 * in worker threads they are several times as fast as asynchronous ones (DESIGN.md section 6), except where a person
 * would wait for the disk (`syncLater`). Every call throws the system's error; callers give it words.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { decodeName, systemPath } from '../bytes/names.ts';
import { secondsNotAfter } from '../bytes/seconds.ts';
import { errnoOf } from '../errors.ts';
import { atPath } from './long-path.ts';

export type FileStat = fs.BigIntStats;

export type SpecialNode = 'fifo' | { readonly kind: 'char' | 'block'; readonly major: number; readonly minor: number };

/** Flags for `open`. */
export const OPEN = {
  /** Source files: never through a final link, never waiting for a FIFO's writer. */
  source: fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK,
  /** Files of our own: never waiting for a FIFO's writer. */
  read: fs.constants.O_RDONLY | fs.constants.O_NONBLOCK,
  readWrite: fs.constants.O_RDWR | fs.constants.O_NOFOLLOW,
  append: fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_APPEND,
  /** A new file; fails if anything is there. */
  create: fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL | fs.constants.O_NOFOLLOW,
  folder: fs.constants.O_RDONLY | fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW,
  /** As `folder`, where a link may lead to it: only for the root a person named. */
  folderThroughLink: fs.constants.O_RDONLY | fs.constants.O_DIRECTORY,
} as const;

/** Set in flags that may make a new file. */
export const CREATES = fs.constants.O_CREAT;

export interface Disk {
  open(path: string, flags: number, mode?: number): number;
  close(fd: number): void;
  /** Bytes read; 0 at the end. `position` null reads on. */
  read(fd: number, buffer: Uint8Array, offset: number, length: number, position: number | null): number;
  /** Bytes written, perhaps fewer than asked. */
  write(fd: number, buffer: Uint8Array, offset: number, length: number, position: number | null): number;
  sync(fd: number): void;
  syncLater(fd: number): Promise<void>;
  truncate(fd: number, length: number): void;
  stat(fd: number): FileStat;
  /** Undefined if nothing is there. */
  lstat(path: string): FileStat | undefined;
  /** Names in a folder, in no order. */
  list(path: string): string[];
  readLink(path: string): string;
  rename(from: string, to: string): void;
  /** A second name for a file; fails if `to` exists. */
  link(from: string, to: string): void;
  unlink(path: string): void;
  /** Undefined mode: 0o777 less the umask. Fails if it exists. */
  makeFolder(path: string, mode?: number): void;
  removeFolder(path: string): void;
  symlink(target: string, path: string): void;
  /** A FIFO or a device, for its owner alone, by the system's own program: Node has no call for it. */
  makeNode(folder: string, name: string, node: SpecialNode): void;
  /** Mode, owner and times of an open file. */
  setMode(fd: number, mode: number): void;
  setOwner(fd: number, uid: number, gid: number): void;
  setTimes(fd: number, mtime: bigint): void;
  /** Of what opening would wait for or disturb: FIFOs, sockets, devices; never through a link. */
  setNodeMode(path: string, mode: number): void;
  /** Owner and times of a link itself. */
  setLinkOwner(path: string, uid: number, gid: number): void;
  setLinkTimes(path: string, mtime: bigint): void;
  /** Free bytes for this user on the file system of `path`. */
  freeBytes(path: string): number;
}

export const realDisk: Disk = {
  open: (path, flags, mode) => atPath(path, (at) => fs.openSync(at, flags, mode)),
  close: (fd) => fs.closeSync(fd),
  read: (fd, buffer, offset, length, position) => fs.readSync(fd, buffer, offset, length, position),
  write: (fd, buffer, offset, length, position) => fs.writeSync(fd, buffer, offset, length, position),
  sync: (fd) => fs.fsyncSync(fd),
  syncLater: (fd) =>
    new Promise((resolve, reject) => {
      fs.fsync(fd, (error) => (error === null ? resolve() : reject(error)));
    }),
  truncate: (fd, length) => fs.ftruncateSync(fd, length),
  stat: (fd) => fs.fstatSync(fd, { bigint: true }),
  lstat,
  list: listNames,
  readLink: (path) => atPath(path, (at) => decodeName(fs.readlinkSync(at, 'buffer'))),
  rename: (from, to) => atPath(from, (atFrom) => atPath(to, (atTo) => fs.renameSync(atFrom, atTo))),
  link: (from, to) => atPath(from, (atFrom) => atPath(to, (atTo) => fs.linkSync(atFrom, atTo))),
  unlink: (path) => atPath(path, (at) => fs.unlinkSync(at)),
  makeFolder: (path, mode) => {
    atPath(path, (at) => fs.mkdirSync(at, mode === undefined ? {} : { mode }));
  },
  removeFolder: (path) => atPath(path, (at) => fs.rmdirSync(at)),
  symlink: (target, path) => atPath(path, (at) => fs.symlinkSync(systemPath(target), at)),
  makeNode,
  setMode: (fd, mode) => fs.fchmodSync(fd, mode),
  setOwner: (fd, uid, gid) => fs.fchownSync(fd, uid, gid),
  setTimes: (fd, mtime) => fs.futimesSync(fd, seconds(mtime), seconds(mtime)),
  setNodeMode,
  setLinkOwner: (path, uid, gid) => atPath(path, (at) => fs.lchownSync(at, uid, gid)),
  setLinkTimes: (path, mtime) => atPath(path, (at) => fs.lutimesSync(at, seconds(mtime), seconds(mtime))),
  freeBytes: (path) => {
    const stats = atPath(path, (at) => fs.statfsSync(at));
    return stats.bavail * stats.bsize;
  },
};

/** O_PATH: names what is there without opening it. Node does not name the flag. */
const O_PATH = 0o10000000;

/** The folder is the program's working folder: a path through /proc/self would be the program's own. */
function makeNode(folder: string, name: string, node: SpecialNode): void {
  const options = { cwd: folder, stdio: 'ignore' } as const;
  if (node === 'fifo') execFileSync('mkfifo', ['-m', '600', '--', name], options);
  else {
    const kind = node.kind === 'char' ? 'c' : 'b';
    execFileSync('mknod', ['-m', '600', '--', name, kind, String(node.major), String(node.minor)], options);
  }
}

function setNodeMode(path: string, mode: number): void {
  if (!fs.existsSync('/proc/self/fd')) {
    fs.chmodSync(systemPath(path), mode);
    return;
  }
  const fd = atPath(path, (at) => fs.openSync(at, O_PATH | fs.constants.O_NOFOLLOW));
  try {
    if (!fs.fstatSync(fd).isSymbolicLink()) fs.chmodSync(`/proc/self/fd/${fd}`, mode);
  } finally {
    fs.closeSync(fd);
  }
}

/** One string call where all names are UTF-8; a second, in bytes, for the folder where one is not. */
function listNames(path: string): string[] {
  return atPath(path, (at) => {
    const names = fs.readdirSync(at);
    if (!names.some((name) => name.includes('\uFFFD'))) return names;
    return fs.readdirSync(at, 'buffer').map(decodeName);
  });
}

function lstat(path: string): FileStat | undefined {
  try {
    return atPath(path, (at) => fs.lstatSync(at, { bigint: true, throwIfNoEntry: false }));
  } catch (error) {
    // A folder on the way of a long path.
    if (errnoOf(error) !== 'ENOENT') throw error;
    return undefined;
  }
}

/** Node takes seconds as a double, and times before 1970 only as dates. Rounded down: a file is never from the future. */
function seconds(nanoseconds: bigint): number | Date {
  return nanoseconds < 0n ? new Date(Number((nanoseconds - 999_999n) / 1_000_000n)) : secondsNotAfter(nanoseconds);
}
