/**
 * The plan of a checkout: the steps from one tree to another, as data. Equal subtrees are skipped without being read.
 * Steps come in an order that can be carried out one after the other: what stands in the way goes first, folders come
 * before what is in them, and each changed folder's own metadata last. SPEC.md "Checkout".
 */
import { compareNames } from '../bytes/names.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { FileEntry, FolderEntry, SpecialEntry, SymlinkEntry, TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND, linkGroup, sameContent, sameMetadata } from '../object/tree-entry.ts';
import type { TreeReader } from '../repo/tree-reader.ts';
import type { Selection } from '../scan/selection.ts';

export type Step =
  | { readonly kind: 'remove'; readonly path: string; readonly before: TreeEntry }
  | { readonly kind: 'remove-folder'; readonly path: string; readonly before: FolderEntry }
  | { readonly kind: 'make-folder'; readonly path: string; readonly entry: FolderEntry }
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
  /** The bytes are right; mode, owner or time are not. */
  | {
      readonly kind: 'metadata';
      readonly path: string;
      readonly entry: FileEntry | SymlinkEntry | SpecialEntry;
      readonly before: TreeEntry;
    }
  /** A folder that differs somewhere inside or in itself; `entry` undefined is the root. */
  | { readonly kind: 'folder'; readonly path: string; readonly entry: FolderEntry | undefined; readonly tree: BlobId };

export interface PlanOptions {
  readonly before: { readonly trees: TreeReader; readonly tree: BlobId | undefined };
  readonly after: { readonly trees: TreeReader; readonly tree: BlobId };
  readonly selection: Selection;
  /** Leave what the target does not have. */
  readonly keepExtra: boolean;
  /** Groups of hard links to write anew although a member did not change: another one did. */
  readonly relink: ReadonlySet<string>;
}

/** The steps that turn `before` into `after`. */
export async function* planCheckout(options: PlanOptions): AsyncGenerator<Step> {
  if (options.before.tree === options.after.tree && options.relink.size === 0) return;
  yield* planFolder(options, '', options.before.tree, options.after.tree, undefined);
}

/** Keys of hard-linked files that the plan changes: every member of such a group must be written or linked again. */
export async function changedLinkKeys(options: PlanOptions): Promise<Set<string>> {
  const keys = new Set<string>();
  for await (const step of planCheckout(options)) {
    const key = step.kind === 'write' ? linkGroup(step.entry) : undefined;
    if (key !== undefined) keys.add(key);
  }
  return keys;
}

async function* planFolder(
  options: PlanOptions,
  path: string,
  beforeTree: BlobId | undefined,
  afterTree: BlobId,
  entry: FolderEntry | undefined,
): AsyncGenerator<Step> {
  const old = beforeTree === undefined ? [] : await options.before.trees.folder(beforeTree);
  let i = 0;
  for await (const part of options.after.trees.folderParts(afterTree)) {
    for (const now of part) {
      for (; i < old.length && compareNames(old[i]?.name ?? '', now.name) < 0; i++)
        yield* planRemoval(options, path, old[i]);
      const before = old[i]?.name === now.name ? old[i] : undefined;
      if (before !== undefined) i++;
      yield* planEntry(options, join(path, now.name), before, now);
    }
  }
  for (; i < old.length; i++) yield* planRemoval(options, path, old[i]);
  if (options.selection.has(path) || path === '') yield { kind: 'folder', path, entry, tree: afterTree };
}

async function* planEntry(
  options: PlanOptions,
  path: string,
  before: TreeEntry | undefined,
  now: TreeEntry,
): AsyncGenerator<Step> {
  const { selection } = options;
  if (!selection.has(path) && !(now.kind === ENTRY_KIND.folder && selection.reaches(path))) return;
  if (before !== undefined && before.kind !== now.kind) {
    yield* removeEntry(options, path, before);
    yield* planEntry(options, path, undefined, now);
    return;
  }
  if (now.kind === ENTRY_KIND.folder) {
    const tree = before?.kind === ENTRY_KIND.folder ? before.tree : undefined;
    if (before === undefined) yield { kind: 'make-folder', path, entry: now };
    if (tree !== now.tree || options.relink.size > 0) yield* planFolder(options, path, tree, now.tree, now);
    else if (before === undefined || !sameMetadata(before, now))
      yield { kind: 'folder', path, entry: now, tree: now.tree };
    return;
  }
  const group = now.kind === ENTRY_KIND.file ? linkGroup(now) : undefined;
  const relinked = group !== undefined && options.relink.has(group);
  const sameLink = before?.kind !== ENTRY_KIND.file || now.kind !== ENTRY_KIND.file || before.linkKey === now.linkKey;
  if (before !== undefined && sameContent(before, now) && sameLink && !relinked) {
    if (!sameMetadata(before, now)) yield { kind: 'metadata', path, entry: now, before };
    return;
  }
  if (now.kind === ENTRY_KIND.file) yield { kind: 'write', path, entry: now, before };
  else if (now.kind === ENTRY_KIND.symlink) yield { kind: 'symlink', path, entry: now, before };
  else yield { kind: 'special', path, entry: now, before };
}

async function* planRemoval(options: PlanOptions, folder: string, before: TreeEntry | undefined): AsyncGenerator<Step> {
  if (before === undefined || options.keepExtra) return;
  yield* removeEntry(options, join(folder, before.name), before);
}

async function* removeEntry(options: PlanOptions, path: string, before: TreeEntry): AsyncGenerator<Step> {
  if (before.kind !== ENTRY_KIND.folder) {
    if (options.selection.has(path)) yield { kind: 'remove', path, before };
    return;
  }
  for (const entry of await options.before.trees.folder(before.tree))
    yield* removeEntry(options, join(path, entry.name), entry);
  if (options.selection.has(path)) yield { kind: 'remove-folder', path, before };
}

function join(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}
