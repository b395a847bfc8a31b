/**
 * The folder that a checkout writes into: opened once, entered only through open descriptors, with a folder of its own
 * for temporary files. Every change to an existing entry first looks whether it is still what was seen.
 */
import { AnchoredFolder } from '../disk/anchored-folder.ts';
import type { Disk, FileStat, SpecialNode } from '../disk/disk.ts';
import { OPEN } from '../disk/disk.ts';
import { folderOf, removeIfThere, removeQuietly } from '../disk/files.ts';
import { errnoOf, hasCode } from '../errors.ts';
import type { SpecialEntry, TreeEntry } from '../object/tree-entry.ts';
import type { Environment } from '../repo/environment.ts';
import { whySnapsOwn } from '../repo/is-store.ts';
import { notesIn, removeMadeBeside, Staging } from '../work/staging.ts';
import type { WriteRoot } from '../work/write-files.ts';
import { cannotRead } from './cannot-read.ts';
import { markName, removeTemporaries } from './interrupted.ts';
import type { Metadata } from './metadata.ts';
import { nodeOf, setMetadata } from './metadata.ts';
import { openWriteRoot } from './write-root.ts';

/** What a large file is written into. */
export interface Temporary {
  readonly path: string;
  /** Keeps the path good. */
  readonly folder: AnchoredFolder;
}

/** A FIFO or device that the system does not let this user make. */
class NotMade extends Error {}

export class Target {
  readonly path: string;
  readonly writeRoot: WriteRoot;
  /** Owners are restored: this is root. */
  readonly mayOwn: boolean;
  readonly #disk: Disk;
  readonly #anchor: AnchoredFolder;
  /** Name of the folder for temporary files, if it is one of its own. */
  readonly #ownTemporary: string | undefined;
  readonly #temporaries: string;
  readonly #staging: Staging;
  /** Keeps the folder of a new name entered while another is looked up. */
  readonly #linkAnchor: AnchoredFolder;
  readonly #uid: number;
  readonly #gid: number;

  /** `path`: an existing folder. `temporary`: an existing folder on the same file system, or the mark for one to make. */
  constructor(environment: Environment, path: string, temporary: string | Buffer) {
    this.#disk = environment.disk;
    this.#uid = environment.uid;
    this.#gid = environment.gid;
    this.mayOwn = environment.uid === 0;
    this.path = path;
    const { writeRoot, ownTemporary, temporaries } = openWriteRoot(environment, path, temporary);
    this.#anchor = new AnchoredFolder(this.#disk, writeRoot.fd, path);
    this.#linkAnchor = new AnchoredFolder(this.#disk, writeRoot.fd, path);
    this.#ownTemporary = ownTemporary;
    this.#temporaries = temporaries;
    this.#staging = new Staging(this.#disk, temporaries, writeRoot.token, 'm');
    this.writeRoot = writeRoot;
  }

  /** True if nothing is in it but its own folder of temporary files. */
  isEmpty(): boolean {
    return this.names('').every((name) => name === this.#ownTemporary);
  }

  /**
   * What is at a path now, not following links; undefined for nothing, also where a folder on the way is missing. Throws
   * `permission` or `io`, as `names` does, for what cannot be looked at.
   */
  look(path: string): FileStat | undefined {
    try {
      return this.#disk.lstat(this.at(path));
    } catch (error) {
      // A file or a link on the way, or a longer name than there can be: nothing of this folder is at the path.
      const errno = errnoOf(error);
      if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'ENAMETOOLONG' || hasCode(error, 'refused'))
        return undefined;
      throw cannotRead(error, this.path, path);
    }
  }

  /** True if the folder at a path is a store, or `own`, the workspace's `.snap`, under another name. */
  isSnapsOwn(path: string, own: string): boolean | undefined {
    const there = this.look(path);
    if (there?.isDirectory() !== true) return there === undefined ? undefined : false;
    return whySnapsOwn(this.#disk, own, (name) => this.at(`${path}/${name}`)) !== undefined;
  }

  /** Names in the folder at a path. */
  names(path: string): string[] {
    try {
      return this.#disk.list(`${this.#anchor.enter(path)}/.`);
    } catch (error) {
      throw cannotRead(error, this.path, path);
    }
  }

  /** True if at the path there is a link with this very target. */
  leadsTo(path: string, target: string): boolean {
    const there = this.look(path);
    return there?.isSymbolicLink() === true && this.#disk.readLink(this.at(path)) === target;
  }

  /** A path for system calls; good until the next call. */
  at(path: string): string {
    return path === '' ? `${this.#anchor.enter('')}/.` : this.#anchor.at(path);
  }

  remove(path: string): void {
    this.#disk.unlink(this.at(path));
  }

  /** Removes a folder if it is empty and nothing is mounted there; returns whether it was so. */
  removeFolder(path: string): boolean {
    try {
      this.#disk.removeFolder(this.at(path));
      return true;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'ENOTEMPTY' || errno === 'EEXIST' || errno === 'EBUSY') return false;
      throw error;
    }
  }

  makeFolder(path: string): void {
    this.#disk.makeFolder(this.at(path), 0o700);
  }

  /** Makes a folder that this user may not write to writable for a while; its step restores the mode. */
  unlockFolder(path: string): void {
    const stat = this.look(path);
    if (stat === undefined || this.#uid === 0 || (Number(stat.mode) & 0o300) === 0o300) return;
    const fd = this.#disk.open(this.at(path), OPEN.folder);
    try {
      this.#disk.setMode(fd, (Number(stat.mode) & 0o7777) | 0o700);
    } finally {
      this.#disk.close(fd);
    }
  }

  symlink(path: string, entry: Extract<TreeEntry, { kind: 3 }>): void {
    this.#put(this.#anchor, path, (temporary) => {
      this.#disk.symlink(entry.target, temporary);
      setMetadata(this.#disk, temporary, entry, this.mayOwn);
    });
  }

  /** Puts a FIFO or a device in place; false if that cannot be made: a socket, or a device by another than root. */
  special(path: string, entry: SpecialEntry): boolean {
    const node = nodeOf(entry);
    if (node === undefined || (node !== 'fifo' && !this.mayOwn)) return false;
    try {
      this.#put(this.#anchor, path, (temporary) => {
        this.#makeNode(temporary, node);
        setMetadata(this.#disk, temporary, entry, this.mayOwn);
      });
      return true;
    } catch (error) {
      if (error instanceof NotMade) return false;
      throw error;
    }
  }

  /** Gives a file that is there another name. Throws EXDEV if that would lie on another file system. */
  link(from: string, path: string): void {
    let last = '';
    this.#put(this.#linkAnchor, path, (temporary) => {
      this.#disk.link(this.at(from), temporary);
      last = temporary;
    });
    // Renaming one name of a file over another name of it does nothing and leaves both.
    if (this.#disk.lstat(last) !== undefined) this.#disk.unlink(last);
  }

  /** Sets mode, owner and time of what is there. */
  setMetadata(path: string, entry: Metadata): void {
    setMetadata(this.#disk, this.at(path), entry, this.mayOwn);
  }

  /** The owner to give a new file; undefined if it has it by itself, or if this user cannot give files away. */
  owner(entry: TreeEntry): { uid: number; gid: number } | undefined {
    if (!this.mayOwn || (entry.uid === this.#uid && entry.gid === this.#gid)) return undefined;
    return { uid: entry.uid, gid: entry.gid };
  }

  /** Creates an empty temporary file of `size` bytes for what comes to `path`; good until it is finished or discarded. */
  createTemporary(size: number, path: string): Temporary {
    const folder = new AnchoredFolder(this.#disk, this.writeRoot.fd, this.path);
    const [parent] = splitPath(path);
    let made: Temporary | undefined;
    try {
      made = { path: this.#staging.pathFor(parent, folder.enter(parent)), folder };
      const fd = this.#disk.open(made.path, OPEN.create, 0o600);
      try {
        this.#disk.truncate(fd, size);
      } finally {
        this.#disk.close(fd);
      }
      return made;
    } catch (error) {
      if (made !== undefined) removeQuietly(this.#disk, made.path);
      folder.close();
      throw error;
    }
  }

  /** Gives a temporary file its metadata and its place. */
  finish(temporary: Temporary, path: string, entry: TreeEntry): void {
    const fd = this.#disk.open(temporary.path, OPEN.readWrite);
    try {
      const owner = this.owner(entry);
      if (owner !== undefined) this.#disk.setOwner(fd, owner.uid, owner.gid);
      this.#disk.setMode(fd, entry.mode);
      this.#disk.setTimes(fd, entry.mtime);
    } finally {
      this.#disk.close(fd);
    }
    this.#disk.rename(temporary.path, this.at(path));
    temporary.folder.close();
  }

  discard(temporary: Temporary): void {
    try {
      removeIfThere(this.#disk, temporary.path);
    } finally {
      temporary.folder.close();
    }
  }

  /** Removes what checkouts that were killed left beside places; for a folder of temporary files that is nobody else's. */
  removeLeftBeside(): void {
    const notes = notesIn(this.#disk, this.#temporaries);
    removeMadeBeside(this.#disk, this.writeRoot, this.#temporaries, notes);
  }

  /** Removes what a checkout that was cut short left. What has another name is somebody else's, and stays. */
  removeTemporaries(folder: string, kept?: string): void {
    removeTemporaries(this.#disk, this.writeRoot, this.#anchor, folder, kept);
  }

  /** The time of the folder itself; its mode and owner are its user's: no commit sees that they changed. */
  setRootTime(mtime: bigint): void {
    this.#disk.setTimes(this.writeRoot.fd, mtime);
  }

  /** Nothing more is to be written: gives the folder itself its metadata, which its temporary files would change. */
  finishRoot(entry: Metadata): void {
    this.#removeOwnTemporaries();
    this.setMetadata('', entry);
  }

  /** Cut short: if anything was written, the folder of temporary files stays with its mark: more is to come. */
  interrupt(): void {
    const own = this.#ownTemporary;
    if (own !== undefined) this.removeTemporaries(own, this.isEmpty() ? undefined : markName(this.writeRoot.token));
  }

  /** No job of a worker may use the root's descriptors any more. */
  close(): void {
    this.#staging.close();
    this.#anchor.close();
    this.#linkAnchor.close();
    this.#disk.close(this.writeRoot.fd);
    this.#disk.close(this.writeRoot.temporaryFd);
  }

  #removeOwnTemporaries(): void {
    if (this.#ownTemporary !== undefined) this.removeTemporaries(this.#ownTemporary);
  }

  #put(anchor: AnchoredFolder, path: string, make: (temporary: string) => void): void {
    const [folder, name] = splitPath(path);
    this.#staging.put(folder, anchor.enter(folder), name, make);
  }

  #makeNode(path: string, node: SpecialNode): void {
    const folder = folderOf(path);
    try {
      this.#disk.makeNode(folder, path.slice(folder.length + 1), node);
    } catch {
      throw new NotMade();
    }
  }
}

function splitPath(path: string): [folder: string, name: string] {
  const slash = path.lastIndexOf('/');
  return [path.slice(0, Math.max(0, slash)), path.slice(slash + 1)];
}
