/**
 * Walks two trees side by side, part by part, and yields what differs among the selected paths. Unlike `diffTrees` it
 * leaves a folder that only one side has as it is, unread: the caller may know it by its id (a folder that moved).
 */
import type { Walk } from '../async/deep-walk.ts';
import { Deeper, valuesOf } from '../async/deep-walk.ts';
import { compareNames } from '../bytes/names.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import type { TreeDifference } from '../repo/tree-diff.ts';
import type { TreeReader } from '../repo/tree-reader.ts';
import type { Selection } from '../scan/selection.ts';
import { changeKind } from './change.ts';

/** One side of a comparison; without a tree: an empty folder. */
export interface Side {
  readonly trees: TreeReader;
  readonly tree: BlobId | undefined;
}

/** Differences in tree order. A path that is a folder on one side and something else on the other is two of them. */
export function compareTrees(before: Side, after: Side, selection: Selection): AsyncGenerator<TreeDifference> {
  return valuesOf(compareFolders(before, after, selection, ''));
}

export function joinPath(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

async function* compareFolders(before: Side, after: Side, selection: Selection, path: string): Walk<TreeDifference> {
  if (before.tree === after.tree) return;
  const old = new EntryCursor(before);
  const now = new EntryCursor(after);
  try {
    for (;;) {
      const a = await old.current();
      const b = await now.current();
      if (a === undefined && b === undefined) return;
      const order = a === undefined ? 1 : b === undefined ? -1 : compareNames(a.name, b.name);
      const left = order <= 0 ? a : undefined;
      const right = order >= 0 ? b : undefined;
      if (left !== undefined) old.step();
      if (right !== undefined) now.step();
      const at = joinPath(path, left?.name ?? right?.name ?? '');
      if (!selection.has(at) && !selection.reaches(at)) continue;
      if (left !== undefined && right !== undefined && isFolder(left) !== isFolder(right)) {
        yield new Deeper(compareEntries(before, after, selection, at, left, undefined));
        yield new Deeper(compareEntries(before, after, selection, at, undefined, right));
      } else yield new Deeper(compareEntries(before, after, selection, at, left, right));
    }
  } finally {
    await old.end();
    await now.end();
  }
}

async function* compareEntries(
  before: Side,
  after: Side,
  selection: Selection,
  path: string,
  left: TreeEntry | undefined,
  right: TreeEntry | undefined,
): Walk<TreeDifference> {
  const whole = selection.has(path);
  if (whole && changeKind(left, right) !== undefined) yield { path, before: left, after: right };
  const oldTree = left?.kind === ENTRY_KIND.folder ? left.tree : undefined;
  const newTree = right?.kind === ENTRY_KIND.folder ? right.tree : undefined;
  const oneSided = oldTree === undefined || newTree === undefined;
  if ((oldTree === undefined && newTree === undefined) || (oneSided && whole)) return;
  const [oldSide, newSide] = [
    { trees: before.trees, tree: oldTree },
    { trees: after.trees, tree: newTree },
  ];
  yield new Deeper(compareFolders(oldSide, newSide, selection, path));
}

function isFolder(entry: TreeEntry): boolean {
  return entry.kind === ENTRY_KIND.folder;
}

/** The entries of a folder, one after the other; holds one part of it. */
class EntryCursor {
  readonly #parts: AsyncGenerator<TreeEntry[]> | undefined;
  #part: readonly TreeEntry[] = [];
  #position = 0;

  constructor(side: Side) {
    this.#parts = side.tree === undefined ? undefined : side.trees.folderParts(side.tree);
  }

  async current(): Promise<TreeEntry | undefined> {
    while (this.#position >= this.#part.length) {
      const next = await this.#parts?.next();
      if (next === undefined || next.done === true) return undefined;
      this.#part = next.value;
      this.#position = 0;
    }
    return this.#part[this.#position];
  }

  step(): void {
    this.#position++;
  }

  async end(): Promise<void> {
    await this.#parts?.return(undefined);
  }
}
