/**
 * Makes the tree of a scanned folder from its entries, counts what is below it, and writes the record that the next
 * scan compares with.
 */
import { compareNames } from '../bytes/names.ts';
import type { FolderRecord, FolderTotals } from '../index/folder-record.ts';
import { decodeFolderRecord, encodeFolderRecord } from '../index/folder-record.ts';
import type { BlobId } from '../object/blob-id.ts';
import { BLOB_KIND } from '../object/blob-id.ts';
import type { TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import { encodeFolder } from '../object/tree-parts.ts';
import { isIgnoredAt, kindAt, smudgeRacy } from './listing.ts';
import type { ScanContext } from './scan.ts';
import type { FolderEntries, ScannedFolder } from './scanned-folder.ts';
import { join } from './scanned-folder.ts';

export interface WalkedFolder {
  readonly tree: BlobId;
  readonly totals: FolderTotals;
}

const NO_TOTALS: FolderTotals = { files: 0, folders: 0, others: 0, bytes: 0 };

export class FolderTrees {
  readonly #context: ScanContext;

  constructor(context: ScanContext) {
    this.#context = context;
  }

  /** Makes the tree of a folder from its entries, and the record that the next scan compares with. */
  async finish(
    folder: ScannedFolder,
    coming: FolderEntries,
    results: ReadonlyMap<string, WalkedFolder>,
  ): Promise<WalkedFolder> {
    const entries = await coming.all();
    const made = await this.#make(folder.path, folder.base, entries, results);
    this.#remember(folder, entries, made.tree, made.totals);
    return made;
  }

  /**
   * The tree `base` of a folder that is gone, or no folder any more, without what is selected; undefined if nothing of
   * it is left.
   */
  async withoutSelected(
    path: string,
    base: BlobId,
    removed: (path: string, entry: TreeEntry) => Promise<void>,
  ): Promise<WalkedFolder | undefined> {
    const { selection, trees } = this.#context;
    const left: TreeEntry[] = [];
    const results = new Map<string, WalkedFolder>();
    let isChanged = false;
    for (const entry of await trees.folder(base)) {
      const at = join(path, entry.name);
      if (selection.has(at)) {
        await removed(at, entry);
        isChanged = true;
      } else if (entry.kind === ENTRY_KIND.folder && selection.reaches(at)) {
        const folder = await this.withoutSelected(at, entry.tree, removed);
        if (folder !== undefined) {
          results.set(entry.name, folder);
          left.push({ ...entry, tree: folder.tree });
        }
        isChanged ||= folder?.tree !== entry.tree;
      } else left.push(entry);
    }
    if (isChanged && left.length === 0) return undefined;
    return this.#make(path, base, left, results);
  }

  async #make(
    path: string,
    base: BlobId | undefined,
    entries: TreeEntry[],
    results: ReadonlyMap<string, WalkedFolder>,
  ): Promise<WalkedFolder> {
    entries.sort((a, b) => compareNames(a.name, b.name));
    const totals = { ...NO_TOTALS };
    for (const entry of entries) {
      count(totals, entry);
      if (entry.kind !== ENTRY_KIND.folder) continue;
      const walked = results.get(entry.name);
      add(
        totals,
        walked?.tree === entry.tree ? walked.totals : await this.#countTree(join(path, entry.name), entry.tree),
      );
    }
    const trees = encodeFolder(entries);
    const tree = trees.at(-1);
    if (tree === undefined) throw new RangeError('a folder without a tree');
    // Without records every tree is offered again: a pack that held it may be lost.
    if (tree.id !== base || !this.#context.useRecords)
      for (const { id, bytes } of trees) this.#context.keep(BLOB_KIND.tree, id, bytes);
    return { tree: tree.id, totals };
  }

  #remember(folder: ScannedFolder, entries: readonly TreeEntry[], tree: BlobId, totals: FolderTotals): void {
    const { listing } = folder;
    const trees = new Map(
      entries.flatMap((entry) => (entry.kind === ENTRY_KIND.folder ? [[entry.name, entry.tree] as const] : [])),
    );
    // Of what is not there any more, and was not selected, nothing in a record would tell the next scan.
    const there = new Set(listing.names.filter((_, position) => !isIgnoredAt(listing.stats, position)));
    if (entries.some(({ name }) => !there.has(name))) return;
    const folderTrees: BlobId[] = [];
    for (const [position, name] of listing.names.entries()) {
      if (kindAt(listing.stats, position) !== ENTRY_KIND.folder || isIgnoredAt(listing.stats, position)) continue;
      const id = trees.get(name);
      // A folder that could not be read has no tree: no record, so that it is looked at again.
      if (id === undefined) return;
      folderTrees.push(id);
    }
    smudgeRacy(listing.stats, folder.scannedNs);
    this.#context.remember(
      folder.path,
      tree,
      encodeFolderRecord({
        rulesDigest: folder.rules.digest,
        tree,
        totals,
        stats: listing.stats,
        names: listing.names.join('/'),
        folderTrees,
      }),
    );
  }

  async #countTree(path: string, tree: BlobId): Promise<FolderTotals> {
    const record = this.recordFor(path, tree);
    if (record !== undefined) return record.totals;
    const totals = { ...NO_TOTALS };
    for (const entry of await this.#context.trees.folder(tree)) {
      count(totals, entry);
      if (entry.kind === ENTRY_KIND.folder) add(totals, await this.#countTree(join(path, entry.name), entry.tree));
    }
    return totals;
  }

  /** The record of a folder, if it is good for this very tree. */
  recordFor(path: string, base: BlobId | undefined): FolderRecord | undefined {
    if (base === undefined || !this.#context.useRecords) return undefined;
    const bytes = this.#context.index.folderRecord(path);
    const record = bytes === undefined ? undefined : decodeFolderRecord(bytes);
    return record?.tree === base ? record : undefined;
  }
}

type Sum = { -readonly [field in keyof FolderTotals]: FolderTotals[field] };

function add(totals: Sum, more: FolderTotals): void {
  totals.files += more.files;
  totals.folders += more.folders;
  totals.others += more.others;
  totals.bytes += more.bytes;
}

/** Counts the entry itself, not what is in a folder. */
function count(totals: Sum, entry: TreeEntry): void {
  if (entry.kind === ENTRY_KIND.file) {
    totals.files++;
    totals.bytes += entry.size;
  } else if (entry.kind === ENTRY_KIND.folder) totals.folders++;
  else totals.others++;
}
