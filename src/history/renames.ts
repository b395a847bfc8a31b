/**
 * Finds what moved among what was removed and added, from ids alone: whole folders by their tree ids, files and links
 * by their content, then large files by the chunks they share; contents are never read. Where asked for, folders all of
 * whose files moved to the same places below another folder are joined to one rename. Bounded: see the limits below.
 */
import type { BlobId } from '../object/blob-id.ts';
import { blobIdOf } from '../object/blob-id.ts';
import { encodeTree } from '../object/tree.ts';
import type { TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import type { TreeDifference } from '../repo/tree-diff.ts';
import type { TreeReader } from '../repo/tree-reader.ts';
import { contentId } from './change.ts';
import { foldFolderRenames } from './folder-renames.ts';
import type { Leaf, OneSidedFolder, Renames } from './found-renames.ts';
import { baseName, FoundRenames, NO_RENAMES } from './found-renames.ts';
import { similarFiles } from './similar-files.ts';
import { joinPath } from './tree-compare.ts';

/**
 * With more entries than this below removed or below added folders, only those folders as wholes are matched: 20,000
 * on both sides took 80 MB.
 */
const ENTRIES_MAX = 50_000;
/** Every empty folder has this tree, so it says nothing about where one came from. */
const EMPTY_TREE = blobIdOf(encodeTree([]));

/** Renames among `differences`, whose one-sided folders are not expanded. `foldFolders`: of alike folders as wholes. */
export async function findRenames(
  before: TreeReader,
  after: TreeReader,
  differences: readonly TreeDifference[],
  foldFolders: boolean,
): Promise<Renames> {
  const gone = leavesOf(differences, 'before');
  const fresh = leavesOf(differences, 'after');
  if (gone.length === 0 || fresh.length === 0) return NO_RENAMES;
  const found = new FoundRenames();
  matchRoots(found, gone, fresh);
  const old = await expand(
    before,
    gone.filter(({ path }) => !found.hasOld(path)),
    ENTRIES_MAX,
  );
  const now = await expand(
    after,
    fresh.filter(({ path }) => !found.hasNew(path)),
    ENTRIES_MAX,
  );
  if (old === undefined || now === undefined) return found.finish();
  matchFolders(found, old.folders, now.folders);
  const oldLeaves = old.leaves.filter(({ path }) => !found.hasOld(path));
  const newLeaves = now.leaves.filter(({ path }) => !found.hasNew(path));
  matchContents(found, oldLeaves, newLeaves);
  const similar = await similarFiles(
    before,
    oldLeaves.filter(({ path }) => !found.hasOld(path)),
    after,
    newLeaves.filter(({ path }) => !found.hasNew(path)),
  );
  for (const rename of similar) found.add(rename);
  if (!foldFolders) return found.finish();
  return foldFolderRenames(found.all(), byPath(old.folders), byPath(now.folders)).finish();
}

function leavesOf(differences: readonly TreeDifference[], side: 'before' | 'after'): Leaf[] {
  const leaves: Leaf[] = [];
  for (const difference of differences) {
    const entry = difference[side];
    if (entry !== undefined && difference[side === 'before' ? 'after' : 'before'] === undefined)
      leaves.push({ path: difference.path, entry });
  }
  return leaves;
}

/** Folders that moved as they are, known without reading them: what is in them does not matter then. */
function matchRoots(found: FoundRenames, gone: readonly Leaf[], fresh: readonly Leaf[]): void {
  const byTree = new Map<BlobId, Leaf[]>();
  for (const leaf of gone)
    if (leaf.entry.kind === ENTRY_KIND.folder)
      byTree.set(leaf.entry.tree, [...(byTree.get(leaf.entry.tree) ?? []), leaf]);
  for (const { path, entry } of fresh) {
    if (entry.kind !== ENTRY_KIND.folder || entry.tree === EMPTY_TREE) continue;
    const from = byTree.get(entry.tree)?.shift();
    if (from !== undefined) found.add({ from: from.path, to: path, before: from.entry, similarity: 100, leaves: 1 });
  }
}

interface Expanded {
  readonly leaves: readonly Leaf[];
  readonly folders: readonly OneSidedFolder[];
}

/** Everything at and below `roots`, folders before what is in them; undefined if there is more than `limit`. */
async function expand(trees: TreeReader, roots: readonly Leaf[], limit: number): Promise<Expanded | undefined> {
  const leaves: Leaf[] = [];
  const folders: OneSidedFolder[] = [];
  const walk = async (path: string, entry: TreeEntry): Promise<boolean> => {
    if (leaves.length + folders.length >= limit) return false;
    if (entry.kind !== ENTRY_KIND.folder) {
      leaves.push({ path, entry });
      return true;
    }
    const place = folders.push({ path, entry, leaves: 0 }) - 1;
    const first = leaves.length;
    for await (const part of trees.folderParts(entry.tree)) {
      for (const child of part) if (!(await walk(joinPath(path, child.name), child))) return false;
    }
    folders[place] = { path, entry, leaves: leaves.length - first };
    return true;
  };
  for (const root of roots) if (!(await walk(root.path, root.entry))) return undefined;
  return { leaves, folders };
}

/** Folders inside others: `folders` come before what is in them, so the largest match is found first. */
function matchFolders(found: FoundRenames, old: readonly OneSidedFolder[], now: readonly OneSidedFolder[]): void {
  const byTree = new Map<BlobId, OneSidedFolder[]>();
  for (const folder of old)
    if (folder.leaves > 0) byTree.set(folder.entry.tree, [...(byTree.get(folder.entry.tree) ?? []), folder]);
  for (const { path, entry } of now) {
    const candidates = byTree.get(entry.tree);
    if (candidates === undefined || found.hasNew(path)) continue;
    const at = candidates.findIndex((candidate) => !found.hasOld(candidate.path) && !found.reachesOld(candidate.path));
    const from = at < 0 ? undefined : candidates.splice(at, 1)[0];
    if (from !== undefined)
      found.add({ from: from.path, to: path, before: from.entry, similarity: 100, leaves: from.leaves });
  }
}

/** Files and links with the same content: first those that kept their name, then the others in the order of paths. */
function matchContents(found: FoundRenames, old: readonly Leaf[], now: readonly Leaf[]): void {
  for (const keyOf of [keyWithName, keyOfContent]) {
    const candidates = new Map<string, Leaf[]>();
    for (const leaf of old) {
      const key = found.hasOld(leaf.path) ? undefined : keyOf(leaf);
      if (key === undefined) continue;
      const same = candidates.get(key);
      if (same === undefined) candidates.set(key, [leaf]);
      else same.push(leaf);
    }
    for (const same of candidates.values()) same.reverse();
    for (const leaf of now) {
      const key = found.hasNew(leaf.path) ? undefined : keyOf(leaf);
      const from = key === undefined ? undefined : candidates.get(key)?.pop();
      if (from !== undefined)
        found.add({ from: from.path, to: leaf.path, before: from.entry, similarity: 100, leaves: 1 });
    }
  }
}

function keyOfContent({ entry }: Leaf): string | undefined {
  const content = contentId(entry);
  return content === undefined ? undefined : `${entry.kind} ${content}`;
}

function keyWithName(leaf: Leaf): string | undefined {
  const key = keyOfContent(leaf);
  return key === undefined ? undefined : `${key} ${baseName(leaf.path)}`;
}

function byPath(folders: readonly OneSidedFolder[]): ReadonlyMap<string, OneSidedFolder> {
  return new Map(folders.map((folder) => [folder.path, folder]));
}
