/**
 * The changes between two trees as a stream in tree order, with renames. Differences are held back until all are known,
 * since a rename joins two of them; past HELD_MAX they stream on and renames among the rest are not looked for.
 */
import type { Walk } from '../async/deep-walk.ts';
import { Deeper, valuesOf } from '../async/deep-walk.ts';
import type { FolderEntry, TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND, entrySize } from '../object/tree-entry.ts';
import type { TreeDifference } from '../repo/tree-diff.ts';
import { walkTree } from '../repo/tree-diff.ts';
import type { TreeReader } from '../repo/tree-reader.ts';
import type { Selection } from '../scan/selection.ts';
import type { Change, Contained } from './change.ts';
import { changeAt, changeKind } from './change.ts';
import type { Renames } from './found-renames.ts';
import { NO_RENAMES } from './found-renames.ts';
import { findRenames } from './renames.ts';
import type { Side } from './tree-compare.ts';
import { compareTrees, joinPath } from './tree-compare.ts';

const HELD_MAX = 100_000;

export interface ChangesOptions {
  readonly selection: Selection;
  /** Join what was removed and what was added with the same or similar content. */
  readonly renames: boolean;
  /** Also what has only other times or another owner. */
  readonly metadata: boolean;
  /** A folder that is new or gone as a whole is one change. */
  readonly foldFolders: boolean;
}

/** Everything that differs, in the order of paths. Throws `corrupt-data`. */
export async function* changesBetween(before: Side, after: Side, options: ChangesOptions): AsyncGenerator<Change> {
  const differences = compareTrees(before, after, options.selection);
  const held: TreeDifference[] = [];
  while (options.renames && held.length < HELD_MAX) {
    const next = await differences.next();
    if (next.done === true) break;
    held.push(next.value);
  }
  const complete = options.renames && held.length < HELD_MAX;
  const renames = complete ? await findRenames(before.trees, after.trees, held) : NO_RENAMES;
  const expansion: Expansion = { before: before.trees, after: after.trees, renames, options };
  for (const difference of held) yield* expand(expansion, difference);
  for await (const difference of differences) yield* expand(expansion, difference);
}

/** How much a folder holds. */
export async function containedIn(trees: TreeReader, folder: FolderEntry): Promise<Contained> {
  let files = 0;
  let bytes = 0;
  for await (const { entry } of walkTree(trees, folder.tree)) {
    if (entry.kind === ENTRY_KIND.folder) continue;
    files++;
    bytes += entrySize(entry);
  }
  return { files, bytes };
}

interface Expansion {
  readonly before: TreeReader;
  readonly after: TreeReader;
  readonly renames: Renames;
  readonly options: ChangesOptions;
}

async function* expand(expansion: Expansion, { path, before, after }: TreeDifference): AsyncGenerator<Change> {
  if (before === undefined && after !== undefined) yield* valuesOf(added(expansion, path, after));
  else if (after === undefined && before !== undefined) yield* valuesOf(removed(expansion, path, before));
  else {
    const kind = changeKind(before, after);
    if (kind !== undefined && (kind !== 'metadata' || expansion.options.metadata))
      yield changeAt(kind, path, before, after);
  }
}

async function* added(expansion: Expansion, path: string, entry: TreeEntry): Walk<Change> {
  const { renames, options, after: trees } = expansion;
  const rename = renames.byNewPath.get(path);
  if (rename !== undefined) {
    const contained = entry.kind === ENTRY_KIND.folder ? await containedIn(trees, entry) : undefined;
    yield {
      kind: 'renamed',
      path,
      from: rename.from,
      before: rename.before,
      after: entry,
      similarity: rename.similarity,
      contained,
    };
  } else if (entry.kind !== ENTRY_KIND.folder) yield changeAt('added', path, undefined, entry);
  else if (options.foldFolders && !renames.foldersInto.has(path))
    yield changeAt('added', path, undefined, entry, await containedIn(trees, entry));
  else {
    let isEmpty = true;
    for await (const part of trees.folderParts(entry.tree)) {
      for (const child of part) {
        isEmpty = false;
        yield new Deeper(added(expansion, joinPath(path, child.name), child));
      }
    }
    if (isEmpty) yield changeAt('added', path, undefined, entry, { files: 0, bytes: 0 });
  }
}

async function* removed(expansion: Expansion, path: string, entry: TreeEntry): Walk<Change> {
  const { renames, options, before: trees } = expansion;
  if (renames.oldPaths.has(path)) return;
  if (entry.kind !== ENTRY_KIND.folder) yield changeAt('removed', path, entry, undefined);
  else if (options.foldFolders && !renames.foldersFrom.has(path))
    yield changeAt('removed', path, entry, undefined, await containedIn(trees, entry));
  else {
    let isEmpty = true;
    for await (const part of trees.folderParts(entry.tree)) {
      for (const child of part) {
        isEmpty = false;
        yield new Deeper(removed(expansion, joinPath(path, child.name), child));
      }
    }
    if (isEmpty) yield changeAt('removed', path, entry, undefined, { files: 0, bytes: 0 });
  }
}
