/**
 * The plan of a checkout: the steps from one tree to another, as data. Equal subtrees are skipped without being read.
 * Steps come in an order that can be carried out one after the other: what stands in the way goes first, folders come
 * before what is in them, and each changed folder's own metadata last. SPEC.md "Checkout".
 */
import { compareNames } from '../bytes/names.ts';
import type { SnapError } from '../errors.ts';
import { hasCode } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { FileEntry, FolderEntry, SpecialEntry, SymlinkEntry, TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND, linkGroup, sameContent, sameMetadata } from '../object/tree-entry.ts';
import type { LostPart, TreeReader } from '../repo/tree-reader.ts';
import type { Selection } from '../scan/selection.ts';

export type Step =
  | { readonly kind: 'remove'; readonly path: string; readonly before: TreeEntry }
  | { readonly kind: 'remove-folder'; readonly path: string; readonly before: FolderEntry }
  /** Something of another kind that is not to be replaced, or a store. */
  | { readonly kind: 'keep'; readonly path: string; readonly before: TreeEntry }
  /** `below`: nothing is there, as nothing is where a folder above it is to be. */
  | { readonly kind: 'make-folder'; readonly path: string; readonly entry: FolderEntry; readonly below: boolean }
  | { readonly kind: 'write'; readonly path: string; readonly entry: FileEntry; readonly before: TreeEntry | undefined }
  | {
      readonly kind: 'symlink';
      readonly path: string;
      readonly entry: SymlinkEntry;
      readonly before: TreeEntry | undefined;
    }
  | {
      readonly kind: 'special';
      readonly path: string;
      readonly entry: SpecialEntry;
      readonly before: TreeEntry | undefined;
    }
  /** The bytes are right; mode, owner or time are not. Without `before` it is a file that no snapshot knew. */
  | {
      readonly kind: 'metadata';
      readonly path: string;
      readonly entry: FileEntry | SymlinkEntry | SpecialEntry;
      readonly before: TreeEntry | undefined;
    }
  /** A folder that differs somewhere inside or in itself; `entry` undefined is the root. */
  | { readonly kind: 'folder'; readonly path: string; readonly entry: FolderEntry | undefined; readonly tree: BlobId };

/** What puts something new in its place. */
export type PlaceStep = Extract<Step, { kind: 'write' | 'symlink' | 'special' }>;

export interface PlanOptions {
  readonly before: { readonly trees: TreeReader; readonly tree: BlobId | undefined };
  readonly after: { readonly trees: TreeReader; readonly tree: BlobId };
  readonly selection: Selection;
  /** Leave what the target does not have. */
  readonly keepExtra: boolean;
  /** Leave what is of another kind in the target, such as a folder where a file is to be. */
  readonly keepKinds: boolean;
  /** True for what the target's own rules ignore: it stays when the target does not have it. */
  readonly ignoredAfter: (path: string, isFolder: boolean) => Promise<boolean>;
  /** Groups of hard links to write anew although a member did not change: another one did. */
  readonly relink: ReadonlySet<string>;
  /**
   * True for a folder that is a store now, or the workspace's `.snap` mounted there: nothing in it is touched. Undefined
   * where nothing is.
   */
  readonly isSnapsOwn?: ((path: string) => boolean | undefined) | undefined;
  /**
   * Told of a folder of `after` that is damaged, or of a part of a large one and what it held; the rest is then planned
   * all the same. Without it that is an error: where something could be removed, nothing may be while something is missing.
   */
  readonly unreadable?: ((path: string, error: SnapError, part?: string) => void) | undefined;
}

/** Takes one step; what it returns is awaited before the next. Most take theirs at once: no promise for each file. */
export type TakeStep = (step: Step) => Promise<void> | undefined;

/** Gives the steps that turn `before` into `after` to `take`. */
export async function planCheckout(options: PlanOptions, take: TakeStep): Promise<void> {
  if (options.before.tree === options.after.tree) return;
  await planFolder({ ...options, take }, '', options.before.tree, options.after.tree, undefined);
}

/** Keys of hard-linked files that the plan changes: every member of such a group must be written or linked again. */
export async function changedLinkKeys(options: PlanOptions): Promise<Set<string>> {
  const keys = new Set<string>();
  await planCheckout(options, (step) => {
    const key = step.kind === 'write' ? linkGroup(step.entry) : undefined;
    if (key !== undefined) keys.add(key);
    return undefined;
  });
  return keys;
}

interface Planning extends PlanOptions {
  readonly take: TakeStep;
}

async function planFolder(
  planning: Planning,
  path: string,
  beforeTree: BlobId | undefined,
  afterTree: BlobId,
  entry: FolderEntry | undefined,
): Promise<void> {
  const old = beforeTree === undefined ? [] : await planning.before.trees.folder(beforeTree);
  let i = 0;
  for await (const part of planning.after.trees.folderParts(afterTree, lostPart(planning, path))) {
    for (const now of part) {
      let before = old[i];
      for (; before !== undefined && compareNames(before.name, now.name) < 0; before = old[++i])
        await planRemoval(planning, path, before);
      if (before?.name === now.name) i++;
      else before = undefined;
      const waiting = planEntry(planning, join(path, now.name), before, now);
      if (waiting !== undefined) await waiting;
    }
  }
  for (const before of old.slice(i)) await planRemoval(planning, path, before);
  if (planning.selection.has(path) || path === '')
    await planning.take({ kind: 'folder', path, entry, tree: afterTree });
}

/** Takes the damaged parts of a large folder, where damage stops nothing. */
function lostPart({ unreadable }: Planning, path: string): LostPart | undefined {
  if (unreadable === undefined) return undefined;
  return (first, next, error) => {
    const end = next === undefined ? 'the last one' : `the one before ${JSON.stringify(next)}`;
    unreadable(path, error, `what it holds from ${JSON.stringify(first)} to ${end} is lost`);
  };
}

function planEntry(
  planning: Planning,
  path: string,
  before: TreeEntry | undefined,
  now: TreeEntry,
): Promise<void> | undefined {
  const { selection, take } = planning;
  if (!selection.has(path) && !(now.kind === ENTRY_KIND.folder && selection.reaches(path))) return undefined;
  const isFolder = before?.kind === ENTRY_KIND.folder;
  if (before !== undefined && before.kind !== now.kind && (planning.keepKinds || (planning.keepExtra && isFolder)))
    return take({ kind: 'keep', path, before });
  if (before !== undefined && before.kind !== now.kind)
    return removeEntry(planning, path, before).then(() => planEntry(planning, path, undefined, now));
  if (now.kind === ENTRY_KIND.folder) return planSubfolder(planning, path, before, now);
  const group = now.kind === ENTRY_KIND.file ? linkGroup(now) : undefined;
  const relinked = group !== undefined && planning.relink.has(group);
  const sameLink = before?.kind !== ENTRY_KIND.file || now.kind !== ENTRY_KIND.file || before.linkKey === now.linkKey;
  if (before !== undefined && sameContent(before, now) && sameLink && !relinked)
    return sameMetadata(before, now) ? undefined : take({ kind: 'metadata', path, entry: now, before });
  return take(placeStep(path, now, before));
}

/** The step that puts `entry` at `path`. */
export function placeStep(
  path: string,
  entry: FileEntry | SymlinkEntry | SpecialEntry,
  before: TreeEntry | undefined,
): PlaceStep {
  if (entry.kind === ENTRY_KIND.file) return { kind: 'write', path, entry, before };
  if (entry.kind === ENTRY_KIND.symlink) return { kind: 'symlink', path, entry, before };
  return { kind: 'special', path, entry, before };
}

async function planSubfolder(
  planning: Planning,
  path: string,
  before: TreeEntry | undefined,
  now: FolderEntry,
): Promise<void> {
  const own = planning.isSnapsOwn?.(path);
  if (own === true) {
    await planning.take({ kind: 'keep', path, before: now });
    return;
  }
  const tree = before?.kind === ENTRY_KIND.folder ? before.tree : undefined;
  const inside = own === undefined ? { ...planning, isSnapsOwn: undefined } : planning;
  if (before === undefined)
    await planning.take({ kind: 'make-folder', path, entry: now, below: planning.isSnapsOwn === undefined });
  if (tree !== now.tree || planning.relink.size > 0) {
    try {
      await planFolder(inside, path, tree, now.tree, now);
    } catch (error) {
      if (planning.unreadable === undefined || !hasCode(error, 'corrupt-data')) throw error;
      planning.unreadable(path, error);
      await planning.take({ kind: 'folder', path, entry: now, tree: now.tree });
    }
  } else if (before === undefined || !sameMetadata(before, now))
    await planning.take({ kind: 'folder', path, entry: now, tree: now.tree });
}

async function planRemoval(planning: Planning, folder: string, before: TreeEntry): Promise<void> {
  if (planning.keepExtra) return;
  await removeUnlessIgnored(planning, join(folder, before.name), before);
}

/** What the target ignores is not its business: it was taken in by a snapshot with other rules, or by mistake. */
async function removeUnlessIgnored(planning: Planning, path: string, before: TreeEntry): Promise<void> {
  if (before.kind !== ENTRY_KIND.folder) {
    if (planning.selection.has(path) && !(await planning.ignoredAfter(path, false)))
      await planning.take({ kind: 'remove', path, before });
    return;
  }
  if (await planning.ignoredAfter(path, true)) return;
  if (planning.isSnapsOwn?.(path) === true) {
    await planning.take({ kind: 'keep', path, before });
    return;
  }
  for (const entry of await planning.before.trees.folder(before.tree))
    await removeUnlessIgnored(planning, join(path, entry.name), entry);
  if (planning.selection.has(path)) await planning.take({ kind: 'remove-folder', path, before });
}

async function removeEntry(planning: Planning, path: string, before: TreeEntry): Promise<void> {
  const { selection, take } = planning;
  if (before.kind !== ENTRY_KIND.folder) {
    if (selection.has(path)) await take({ kind: 'remove', path, before });
    return;
  }
  if (planning.isSnapsOwn?.(path) === true) {
    await take({ kind: 'keep', path, before });
    return;
  }
  for (const entry of await planning.before.trees.folder(before.tree))
    await removeEntry(planning, join(path, entry.name), entry);
  await take({ kind: 'remove-folder', path, before });
}

function join(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}
