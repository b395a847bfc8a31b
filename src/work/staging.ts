/**
 * Where something is made before it is renamed into its place: in the folder for temporary files, or, where nothing can
 * be renamed from there, since another file system is mounted, beside its place, under a name that scans leave out. A note
 * in the folder for temporary files then says where: by it the next one finds what a writer that was killed has left.
 */
import { decodeName, encodeName } from '../bytes/names.ts';
import { AnchoredFolder } from '../disk/anchored-folder.ts';
import type { Disk } from '../disk/disk.ts';
import { readRegular, removeQuietly, writeMarker } from '../disk/files.ts';
import { errnoOf, hasCode } from '../errors.ts';
import { entryNameFault } from '../object/entry-name.ts';

/** What checkouts make outside of `.snap` begins with this. */
export const CHECKOUT_PREFIX = '.snap-checkout-';
const BESIDE = /^\.snap-checkout-[0-9a-f]{32}-/;
const NOTE = /^([0-9a-f]{32})-beside-/;

/** An open descriptor of a folder, and its path. */
interface Root {
  readonly fd: number;
  readonly path: string;
}

let serial = 0;

/** True for the name of what is made beside its place. */
export function isMadeBeside(name: string): boolean {
  return BESIDE.test(name);
}

export class Staging {
  readonly #disk: Disk;
  readonly #temporaries: string;
  readonly #token: string;
  readonly #writer: string;
  /** Notes, by the folder that cannot be reached from the temporary files. */
  readonly #notes = new Map<string, string>();

  /** `temporaries`: a path of the folder for temporary files; `token` and `writer` make names in it nobody else's. */
  constructor(disk: Disk, temporaries: string, token: string, writer: string) {
    this.#disk = disk;
    this.#temporaries = temporaries;
    this.#token = token;
    this.#writer = writer;
  }

  /**
   * Puts what `make` makes at the path that it is called with to `name` in `folder`, which the system finds at `at`; if
   * there is no way between file systems, `make` is called twice. Throws what `make` throws, and errors of the system.
   */
  put(folder: string, at: string, name: string, make: (path: string) => void): void {
    if (!this.#notes.has(folder)) {
      try {
        this.#through(`${this.#temporaries}/${this.#newName()}`, `${at}/${name}`, make);
        return;
      } catch (error) {
        if (errnoOf(error) !== 'EXDEV') throw error;
      }
      this.#note(folder);
    }
    this.#through(`${at}/${CHECKOUT_PREFIX}${this.#newName()}`, `${at}/${name}`, make);
  }

  /** A path from which something can be renamed into `folder`, found out before it is made. Throws errors of the system. */
  pathFor(folder: string, at: string): string {
    const beside = `${at}/${CHECKOUT_PREFIX}${this.#newName()}`;
    if (this.#notes.has(folder)) return beside;
    try {
      // There is no such file: but if there is no way, the system says that first.
      this.#disk.rename(`${this.#temporaries}/${this.#token}-none`, beside);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'ENOENT') return `${this.#temporaries}/${this.#newName()}`;
      if (errno !== 'EXDEV') throw error;
    }
    this.#note(folder);
    return beside;
  }

  /** Nothing is under way any more. */
  close(): void {
    for (const note of this.#notes.values()) removeQuietly(this.#disk, note);
    this.#notes.clear();
  }

  #through(path: string, to: string, make: (path: string) => void): void {
    try {
      make(path);
      this.#disk.rename(path, to);
    } catch (error) {
      removeQuietly(this.#disk, path);
      throw error;
    }
  }

  #note(folder: string): void {
    const note = `${this.#temporaries}/${this.#token}-beside-${this.#writer}${serial++}`;
    writeMarker(this.#disk, note, encodeName(folder));
    this.#notes.set(folder, note);
  }

  #newName(): string {
    return `${this.#token}-${this.#writer}${serial++}`;
  }
}

/** The notes in the folder `temporaries` of what is beside places; `token`: only those of one writer. */
export function notesIn(disk: Disk, temporaries: string, token?: string): string[] {
  return disk.list(`${temporaries}/.`).filter((name) => {
    const writer = NOTE.exec(name)?.[1];
    return writer !== undefined && (token ?? writer) === writer;
  });
}

/**
 * Removes what writers that are gone left beside places in `root`, by their notes in the folder `temporaries`, and the
 * notes. What cannot be removed stays; scans leave it out.
 */
export function removeMadeBeside(disk: Disk, root: Root, temporaries: string, notes: readonly string[]): void {
  const anchor = new AnchoredFolder(disk, root.fd, root.path);
  try {
    for (const name of notes) {
      removeNoted(disk, anchor, `${temporaries}/${name}`, `${CHECKOUT_PREFIX}${NOTE.exec(name)?.[1]}-`);
      removeQuietly(disk, `${temporaries}/${name}`);
    }
  } finally {
    anchor.close();
  }
}

function removeNoted(disk: Disk, root: AnchoredFolder, note: string, prefix: string): void {
  try {
    const folder = decodeName(readRegular(disk, note) ?? Buffer.alloc(0));
    // Somebody else may have written it: it leads nowhere else.
    if (folder !== '' && folder.split('/').some((part) => entryNameFault(part) !== undefined)) return;
    const at = root.enter(folder);
    for (const name of disk.list(`${at}/.`)) if (name.startsWith(prefix)) removeQuietly(disk, `${at}/${name}`);
  } catch (error) {
    if (errnoOf(error) === undefined && !hasCode(error, 'refused')) throw error;
  }
}
