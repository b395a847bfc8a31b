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
  /** How long its path is. */
  readonly length: number;
  /** Undefined: closed, and opened again from a level above it when it is needed. */
  fd: number | undefined;
}

export class AnchoredFolder {
  readonly #disk: Disk;
  readonly #rootFd: number;
  readonly #rootPath: string;
  readonly #steps: Step[] = [];
  readonly #byDescriptor: boolean;
  /** The path of the last step. */
  #steppedTo = '';
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
   * Throws `refused` if a component is not a folder, or is a link, and the system's errors, with the path of the component.
   */
  enter(path: string): string {
    if (path === this.#lastPath) return this.#lastPrefix;
    const prefix = this.#byDescriptor ? this.#enterByDescriptor(path) : this.#enterByPath(path);
    this.#lastPath = path;
    this.#lastPrefix = prefix;
    return prefix;
  }

  /** What to call the entry at `path`, which is not the root, in system calls. As good as `enter`, and throws as it does. */
  at(path: string): string {
    const slash = path.lastIndexOf('/');
    return `${this.enter(path.slice(0, Math.max(0, slash)))}/${path.slice(slash + 1)}`;
  }

  close(): void {
    while (this.#steps.length > 0) this.#leaveLast();
    this.#lastPath = '';
    this.#lastPrefix = this.#byDescriptor ? `/proc/self/fd/${this.#rootFd}` : this.#rootPath;
  }

  /** Takes as long as the way from the folder entered last: a walk of a deep tree never starts at the top again. */
  #enterByDescriptor(path: string): string {
    while (this.#steps.length > 0 && !isOnTheWay(this.#steppedTo, path)) this.#leaveLast();
    while (this.#steps.length > 0 && this.#steps.at(-1)?.fd === undefined) this.#leaveLast();
    let parent = this.#steps.at(-1)?.fd ?? this.#rootFd;
    let length = this.#steppedTo.length;
    while (length < path.length) {
      const start = length === 0 ? 0 : length + 1;
      const slash = path.indexOf('/', start);
      length = slash < 0 ? path.length : slash;
      parent = this.#openFolder(`/proc/self/fd/${parent}/${path.slice(start, length)}`, path, length);
      this.#steps.push({ length, fd: parent });
      this.#steppedTo = path.slice(0, length);
      this.#forget(this.#steps.length - 1 - OPEN_LEVELS);
    }
    return `/proc/self/fd/${parent}`;
  }

  #leaveLast(): void {
    const fd = this.#steps.pop()?.fd;
    this.#steppedTo = this.#steppedTo.slice(0, this.#steps.at(-1)?.length ?? 0);
    if (fd !== undefined) this.#disk.close(fd);
  }

  #forget(level: number): void {
    const step = this.#steps[level];
    if (step?.fd === undefined || level % OPEN_LEVELS === 0) return;
    this.#disk.close(step.fd);
    step.fd = undefined;
  }

  #openFolder(at: string, path: string, length: number): number {
    try {
      return this.#disk.open(at, OPEN.folder);
    } catch (error) {
      this.#lastPath = '\0';
      const errno = errnoOf(error);
      if (errno === 'ELOOP' || errno === 'ENOTDIR') throw notFolder(path);
      // The path that a person knows.
      if (error instanceof Error && 'path' in error) error.path = `${this.#rootPath}/${path.slice(0, length)}`;
      throw error;
    }
  }

  #enterByPath(path: string): string {
    let at = this.#rootPath;
    for (const name of path === '' ? [] : path.split('/')) {
      at = `${at}/${name}`;
      if (this.#disk.lstat(at)?.isDirectory() !== true) throw notFolder(path);
    }
    return at;
  }
}

/** True if `folder` is `path`, or above it. */
function isOnTheWay(folder: string, path: string): boolean {
  return path.startsWith(folder) && (path.length === folder.length || path[folder.length] === '/');
}

function notFolder(path: string): SnapError {
  return new SnapError('refused', `${path} is not a folder, or a link stands in its way`, {
    hint: 'Move what stands there away and run the command again.',
  });
}
