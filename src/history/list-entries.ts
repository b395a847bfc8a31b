/** What is in a folder of a snapshot, as a stream. */
import type { BlobId } from '../object/blob-id.ts';
import type { TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import { walkTree } from '../repo/tree-diff.ts';
import type { TreeReader } from '../repo/tree-reader.ts';

export interface ListedEntry {
  /** Relative to the snapshot. */
  readonly path: string;
  /** Relative to the listed folder. */
  readonly name: string;
  readonly entry: TreeEntry;
}

/** The entries of the folder `entry` (undefined: of the snapshot's tree), or `entry` itself if it is no folder. */
export async function* listEntries(
  trees: TreeReader,
  entry: TreeEntry | undefined,
  tree: BlobId,
  path: string,
  recursive: boolean,
): AsyncGenerator<ListedEntry> {
  if (entry !== undefined && entry.kind !== ENTRY_KIND.folder) {
    yield { path, name: entry.name, entry };
    return;
  }
  const folder = entry?.tree ?? tree;
  const prefix = path === '' ? '' : `${path}/`;
  if (recursive)
    for await (const found of walkTree(trees, folder))
      yield { path: prefix + found.path, name: found.path, entry: found.entry };
  else
    for await (const part of trees.folderParts(folder))
      for (const child of part) yield { path: prefix + child.name, name: child.name, entry: child };
}
