/**
 * A folder tree entered from one open descriptor, so that nobody who swaps a folder for a link can lead a write outside
 * it. On Linux every step opens `/proc/self/fd/<parent>/<name>` with O_NOFOLLOW; elsewhere each component is looked at
 * just before use, which leaves a short race (SPEC.md "Checkout").
 */
import { errnoOf, SnapError } from '../errors.ts';
import type { Disk } from './disk.ts';
import { OPEN } from './disk.ts';

/** Levels whose descriptors stay open: the nearest ones, and farther up every so many, so that depth costs few. */
const OPEN_LEVELS = 64;

interface Step {
  readonly name: string;
  /** Undefined: closed, and opened again from a level above it when it is needed. */
  fd: number | undefined;
}

export class AnchoredFolder {
  readonly #disk: Disk;
  readonly #rootFd: number;
  readonly #rootPath: string;
  readonly #steps: Step[] = [];
  readonly #byDescriptor: boolean;
  #lastPath = '';
  #lastPrefix: string;

  /** `rootFd`: an open descriptor of the folder `rootPath`; it stays the caller's. */
  constructor(disk: Disk, rootFd: number, rootPath: string) {
    this.#disk = disk;
    this.#rootFd = rootFd;
    this.#rootPath = rootPath;
    this.#byDescriptor = disk.lstat(`/proc/self/fd/${rootFd}`) !== undefined;
    this.#lastPrefix = this.#byDescriptor ? `/proc/self/fd/${rootFd}` : rootPath;
  }

  /**
   * A prefix for the names in the folder at `path` ('' is the root): `${prefix}/${name}`. Good until the next call.
   * Throws `refused` if a component is not a folder, or is a link.
   */
  enter(path: string): string {
    if (path === this.#lastPath) return this.#lastPrefix;
    const names = path === '' ? [] : path.split('/');
    const prefix = this.#byDescriptor ? this.#enterByDescriptor(names) : this.#enterByPath(names);
    this.#lastPath = path;
    this.#lastPrefix = prefix;
    return prefix;
  }

  close(): void {
    this.#leave(0);
    this.#lastPath = '';
    this.#lastPrefix = this.#byDescriptor ? `/proc/self/fd/${this.#rootFd}` : this.#rootPath;
  }

  #enterByDescriptor(names: readonly string[]): string {
    let shared = 0;
    while (shared < names.length && shared < this.#steps.length && names[shared] === this.#steps[shared]?.name)
      shared++;
    this.#leave(shared);
    while (shared > 0 && this.#steps[shared - 1]?.fd === undefined) shared--;
    this.#steps.length = shared;
    let parent = this.#steps.at(-1)?.fd ?? this.#rootFd;
    for (const name of names.slice(shared)) {
      parent = this.#openFolder(`/proc/self/fd/${parent}/${name}`, names);
      this.#steps.push({ name, fd: parent });
      this.#forget(this.#steps.length - 1 - OPEN_LEVELS);
    }
    return `/proc/self/fd/${parent}`;
  }

  #leave(depth: number): void {
    for (const { fd } of this.#steps.splice(depth)) if (fd !== undefined) this.#disk.close(fd);
  }

  #forget(level: number): void {
    const step = this.#steps[level];
    if (step?.fd === undefined || level % OPEN_LEVELS === 0) return;
    this.#disk.close(step.fd);
    step.fd = undefined;
  }

  #openFolder(path: string, names: readonly string[]): number {
    try {
      return this.#disk.open(path, OPEN.folder);
    } catch (error) {
      this.#lastPath = '\0';
      const errno = errnoOf(error);
      if (errno === 'ELOOP' || errno === 'ENOTDIR') throw notFolder(names);
      throw error;
    }
  }

  #enterByPath(names: readonly string[]): string {
    let path = this.#rootPath;
    for (const name of names) {
      path = `${path}/${name}`;
      if (this.#disk.lstat(path)?.isDirectory() !== true) throw notFolder(names);
    }
    return path;
  }
}

function notFolder(names: readonly string[]): SnapError {
  return new SnapError('refused', `${names.join('/')} is not a folder, or a link stands in its way`, {
    hint: 'Move what stands there away and run the command again.',
  });
}
