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
const SLASH = 0x2f;

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
  /** The steps are those of `lastPath`. */
  #known = true;

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
    const prefix = this.#byDescriptor ? this.#enterByDescriptor(path) : this.#enterByPath(namesOf(path));
    this.#lastPath = path;
    this.#lastPrefix = prefix;
    return prefix;
  }

  close(): void {
    this.#leave(0);
    this.#lastPath = '';
    this.#known = true;
    this.#lastPrefix = this.#byDescriptor ? `/proc/self/fd/${this.#rootFd}` : this.#rootPath;
  }

  #enterByDescriptor(path: string): string {
    const { kept, names } = this.#wayTo(path);
    this.#leave(kept);
    let open = kept;
    while (open > 0 && this.#steps[open - 1]?.fd === undefined) open--;
    const again = this.#steps.splice(open).map((step) => step.name);
    let parent = this.#steps.at(-1)?.fd ?? this.#rootFd;
    for (const name of [...again, ...names]) {
      parent = this.#openFolder(`/proc/self/fd/${parent}/${name}`, path);
      this.#steps.push({ name, fd: parent });
      this.#forget(this.#steps.length - 1 - OPEN_LEVELS);
    }
    return `/proc/self/fd/${parent}`;
  }

  /** The levels that stay as they are, and the names below. Going one level up or down costs no look at all the others. */
  #wayTo(path: string): { readonly kept: number; readonly names: readonly string[] } {
    const last = this.#lastPath;
    if (this.#known) {
      if (last === '') return { kept: 0, names: namesOf(path) };
      if (isAbove(last, path)) return { kept: this.#steps.length, names: namesOf(path.slice(last.length + 1)) };
      if (path === '') return { kept: 0, names: [] };
      if (isAbove(path, last))
        return { kept: this.#steps.length - namesOf(last.slice(path.length + 1)).length, names: [] };
    }
    const names = namesOf(path);
    let kept = 0;
    while (kept < names.length && kept < this.#steps.length && names[kept] === this.#steps[kept]?.name) kept++;
    this.#known = true;
    return { kept, names: names.slice(kept) };
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

  #openFolder(path: string, wanted: string): number {
    try {
      return this.#disk.open(path, OPEN.folder);
    } catch (error) {
      this.#lastPath = '\0';
      this.#known = false;
      const errno = errnoOf(error);
      if (errno === 'ELOOP' || errno === 'ENOTDIR') throw notFolder(wanted);
      throw error;
    }
  }

  #enterByPath(names: readonly string[]): string {
    let path = this.#rootPath;
    for (const name of names) {
      path = `${path}/${name}`;
      if (this.#disk.lstat(path)?.isDirectory() !== true) throw notFolder(names.join('/'));
    }
    return path;
  }
}

function namesOf(path: string): string[] {
  return path === '' ? [] : path.split('/');
}

function isAbove(folder: string, path: string): boolean {
  return path.length > folder.length && path.charCodeAt(folder.length) === SLASH && path.startsWith(folder);
}

function notFolder(path: string): SnapError {
  return new SnapError('refused', `${path} is not a folder, or a link stands in its way`, {
    hint: 'Move what stands there away and run the command again.',
  });
}
