/**
 * Compares two trees by walking them side by side; equal subtrees are skipped by their ids without being read. Yields
 * one pair for each path that differs, in tree order, folders before what is in them.
 */
import type { Walk } from '../async/deep-walk.ts';
import { Deeper, valuesOf } from '../async/deep-walk.ts';
import { compareNames } from '../bytes/names.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND, sameContent, sameMetadata } from '../object/tree-entry.ts';
import type { TreeReader } from './tree-reader.ts';

/** A path that differs: `before` undefined is added, `after` undefined is removed. */
export interface TreeDifference {
  readonly path: string;
  readonly before: TreeEntry | undefined;
  readonly after: TreeEntry | undefined;
}

/** `before` or `after` undefined: an empty folder. Each side has its own reader, since one may be a live overlay. */
export function diffTrees(before: Side, after: Side): AsyncGenerator<TreeDifference> {
  return valuesOf(diffFolders(before, after, ''));
}

interface Side {
  readonly trees: TreeReader;
  readonly tree: BlobId | undefined;
}

async function* diffFolders(before: Side, after: Side, path: string): Walk<TreeDifference> {
  if (before.tree === after.tree) return;
  const old = before.tree === undefined ? [] : await before.trees.folder(before.tree);
  const now = after.tree === undefined ? [] : await after.trees.folder(after.tree);
  let i = 0;
  let j = 0;
  while (i < old.length || j < now.length) {
    const a = old[i];
    const b = now[j];
    const order = a === undefined ? 1 : b === undefined ? -1 : compareNames(a.name, b.name);
    const left = order <= 0 ? a : undefined;
    const right = order >= 0 ? b : undefined;
    if (order <= 0) i++;
    if (order >= 0) j++;
    const { name } = (left ?? right) as TreeEntry;
    yield new Deeper(diffEntries(before.trees, after.trees, path === '' ? name : `${path}/${name}`, left, right));
  }
}

async function* diffEntries(
  oldTrees: TreeReader,
  newTrees: TreeReader,
  path: string,
  left: TreeEntry | undefined,
  right: TreeEntry | undefined,
): Walk<TreeDifference> {
  const leftTree = left?.kind === ENTRY_KIND.folder ? left.tree : undefined;
  const rightTree = right?.kind === ENTRY_KIND.folder ? right.tree : undefined;
  const sameFolder = leftTree !== undefined && rightTree !== undefined;
  const same =
    left !== undefined &&
    right !== undefined &&
    left.kind === right.kind &&
    sameMetadata(left, right) &&
    (sameFolder || (sameContent(left, right) && sameLink(left, right)));
  if (!same) yield { path, before: left, after: right };
  if (leftTree !== undefined || rightTree !== undefined)
    yield new Deeper(diffFolders({ trees: oldTrees, tree: leftTree }, { trees: newTrees, tree: rightTree }, path));
}

function sameLink(a: TreeEntry, b: TreeEntry): boolean {
  return a.kind !== ENTRY_KIND.file || b.kind !== ENTRY_KIND.file || a.linkKey === b.linkKey;
}

/** All entries below a tree, folders before what is in them. */
export function walkTree(trees: TreeReader, tree: BlobId): AsyncGenerator<WalkedEntry> {
  return valuesOf(walkFolder(trees, tree, ''));
}

interface WalkedEntry {
  readonly path: string;
  readonly entry: TreeEntry;
}

async function* walkFolder(trees: TreeReader, tree: BlobId, path: string): Walk<WalkedEntry> {
  for await (const part of trees.folderParts(tree)) {
    for (const entry of part) {
      const entryPath = path === '' ? entry.name : `${path}/${entry.name}`;
      yield { path: entryPath, entry };
      if (entry.kind === ENTRY_KIND.folder) yield new Deeper(walkFolder(trees, entry.tree, entryPath));
    }
  }
}
