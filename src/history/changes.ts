/**
 * The changes between two trees as a stream in tree order, with renames. Differences are held back until all are known,
 * since a rename joins two of them; past HELD_MAX they stream on and renames among the rest are not looked for.
 */
import type { Walk } from '../async/deep-walk.ts';
import { Deeper, valuesOf } from '../async/deep-walk.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { FolderEntry, TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND, entrySize } from '../object/tree-entry.ts';
import type { TreeDifference } from '../repo/tree-diff.ts';
import type { TreeReader } from '../repo/tree-reader.ts';
import type { Selection } from '../scan/selection.ts';
import type { Change, Contained } from './change.ts';
import { changeAt, changeKind } from './change.ts';
import type { Rename, Renames } from './found-renames.ts';
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
  /** A folder that is new, gone or renamed as a whole is one change. */
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
  const renames = complete ? await findRenames(before.trees, after.trees, held, options.foldFolders) : NO_RENAMES;
  const expansion: Expansion = { before: before.trees, after: after.trees, renames, options };
  for (const difference of held) yield* expand(expansion, difference);
  for await (const difference of differences) yield* expand(expansion, difference);
}

/** Folders of the same content are counted once, as long as there are not too many different ones. */
const COUNTED_MAX = 65_536;

interface CountedFolder {
  readonly tree: BlobId;
  files: number;
  bytes: number;
  /** Trees of folders in it that are still to be added. */
  readonly below: BlobId[];
}

/** How much a folder holds. */
async function containedIn(trees: TreeReader, folder: FolderEntry): Promise<Contained> {
  const counted = new Map<BlobId, Contained>();
  const open: CountedFolder[] = [];
  for (let current = await countHere(trees, folder.tree); ; ) {
    const tree = current.below.pop();
    const known = tree === undefined ? undefined : counted.get(tree);
    if (known !== undefined) add(current, known);
    else if (tree !== undefined) {
      open.push(current);
      current = await countHere(trees, tree);
    } else {
      const above = open.pop();
      if (above === undefined) return { files: current.files, bytes: current.bytes };
      if (counted.size < COUNTED_MAX) counted.set(current.tree, current);
      add(above, current);
      current = above;
    }
  }
}

function add(to: CountedFolder, { files, bytes }: Contained): void {
  to.files += files;
  to.bytes += bytes;
}

/** What lies directly in a folder. */
async function countHere(trees: TreeReader, tree: BlobId): Promise<CountedFolder> {
  const here: CountedFolder = { tree, files: 0, bytes: 0, below: [] };
  for await (const part of trees.folderParts(tree)) {
    for (const entry of part) {
      if (entry.kind === ENTRY_KIND.folder) {
        here.below.push(entry.tree);
        continue;
      }
      here.files++;
      here.bytes += entrySize(entry);
    }
  }
  return here;
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
  if (rename !== undefined) yield new Deeper(renamed(expansion, rename, path, entry));
  else if (entry.kind !== ENTRY_KIND.folder) yield changeAt('added', path, undefined, entry);
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

/** Folders are found as renamed by their trees: what is in one is what was in the other. */
async function* renamed(
  expansion: Expansion,
  rename: Pick<Rename, 'from' | 'before' | 'similarity'>,
  path: string,
  after: TreeEntry,
): Walk<Change> {
  const { after: trees, options } = expansion;
  const { from, before, similarity } = rename;
  let isFolded = true;
  if (after.kind === ENTRY_KIND.folder && !options.foldFolders) {
    if (before.mode !== after.mode) yield changeAt('mode', path, before, after);
    for await (const part of trees.folderParts(after.tree)) {
      for (const child of part) {
        isFolded = false;
        const inside = { from: joinPath(from, child.name), before: child, similarity };
        yield new Deeper(renamed(expansion, inside, joinPath(path, child.name), child));
      }
    }
  }
  if (!isFolded) return;
  const contained = after.kind === ENTRY_KIND.folder ? await containedIn(trees, after) : undefined;
  yield { kind: 'renamed', path, from, before, after, similarity, contained };
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
