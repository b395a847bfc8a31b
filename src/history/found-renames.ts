/**
 * Renames as values, and the set of those found so far: a path is part of at most one, as are the paths below a folder.
 */
import type { FolderEntry, TreeEntry } from '../object/tree-entry.ts';

export interface Rename {
  readonly from: string;
  readonly to: string;
  readonly before: TreeEntry;
  /** Percent. */
  readonly similarity: number;
  /** Files, links and specials that it stands for. */
  readonly leaves: number;
}

export interface Renames {
  readonly byNewPath: ReadonlyMap<string, Rename>;
  readonly oldPaths: ReadonlySet<string>;
  /** Folders above a rename's new path, and above its old one. */
  readonly foldersInto: ReadonlySet<string>;
  readonly foldersFrom: ReadonlySet<string>;
}

export const NO_RENAMES: Renames = {
  byNewPath: new Map(),
  oldPaths: new Set(),
  foldersInto: new Set(),
  foldersFrom: new Set(),
};

export interface Leaf {
  readonly path: string;
  readonly entry: TreeEntry;
}

/** A folder that is on one side only, and the leaves in it at any depth. */
export interface OneSidedFolder {
  readonly path: string;
  readonly entry: FolderEntry;
  readonly leaves: number;
}

/** Renames as they are found. A path is part of at most one, as are the paths below a folder. */
export class FoundRenames {
  readonly #byNew = new Map<string, Rename>();
  readonly #old = new Set<string>();
  readonly #into = new Set<string>();
  readonly #from = new Set<string>();

  add(rename: Rename): void {
    this.#byNew.set(rename.to, rename);
    this.#old.add(rename.from);
    for (const folder of foldersAbove(rename.to)) this.#into.add(folder);
    for (const folder of foldersAbove(rename.from)) this.#from.add(folder);
  }

  /** The path or a folder above it was found. */
  hasOld(path: string): boolean {
    return this.#old.has(path) || foldersAbove(path).some((folder) => this.#old.has(folder));
  }

  hasNew(path: string): boolean {
    return this.#byNew.has(path) || foldersAbove(path).some((folder) => this.#byNew.has(folder));
  }

  /** Something below the folder was found. */
  reachesOld(path: string): boolean {
    return this.#from.has(path);
  }

  all(): Rename[] {
    return [...this.#byNew.values()];
  }

  finish(): Renames {
    return { byNewPath: this.#byNew, oldPaths: this.#old, foldersInto: this.#into, foldersFrom: this.#from };
  }
}

export function foldersAbove(path: string): string[] {
  const folders: string[] = [];
  for (let i = path.lastIndexOf('/'); i > 0; i = path.lastIndexOf('/', i - 1)) folders.push(path.slice(0, i));
  return folders;
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
