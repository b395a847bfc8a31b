/**
 * The walk of a scan. Folders whose listing is the one that the index remembers, for the same tree, are taken as they
 * are without reading a file; of the others only entries whose stat changed are read. The walk goes on while workers
 * read: `walk` returns when a folder's files are all queued, its `done` when its tree is made.
 */

import { compareNames } from '../bytes/names.ts';
import { errnoOf } from '../errors.ts';
import type { FolderRecord, FolderTotals } from '../index/folder-record.ts';
import { decodeFolderRecord, encodeFolderRecord } from '../index/folder-record.ts';
import type { BlobId } from '../object/blob-id.ts';
import { BLOB_KIND } from '../object/blob-id.ts';
import { entryNameFault } from '../object/entry-name.ts';
import type { FileEntry, TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import { encodeFolder } from '../object/tree-parts.ts';
import { IGNORE_FILE } from '../repo/layout.ts';
import { fileEntry, linkKeyOf, settleEntry, specialEntry } from './entries.ts';
import type { FileReading } from './file-reader.ts';
import type { IgnoreRules } from './ignore-rules.ts';
import type { ListedStat, Listing } from './listing.ts';
import {
  isIgnoredAt,
  kindAt,
  listFolder,
  markIgnored,
  readStat,
  sameStatAt,
  smudge,
  smudgeRacy,
  updateStat,
} from './listing.ts';
import type { ScanContext } from './scan.ts';

export interface WalkedFolder {
  readonly tree: BlobId;
  readonly totals: FolderTotals;
}

type Slot = TreeEntry | undefined | Promise<TreeEntry | undefined>;

const YIELD_MS = 40;
const FILES_BETWEEN_WAITS = 256;
const NO_TOTALS: FolderTotals = { files: 0, folders: 0, others: 0, bytes: 0 };

export class FolderWalk {
  readonly #context: ScanContext;
  readonly #readings = new Map<string, Promise<FileReading>>();
  readonly #linkKeys = new Map<string, string>();
  #lastYield = 0;

  constructor(context: ScanContext) {
    this.#context = context;
  }

  /** Walks the folder at `path`; `base` is the tree that the last snapshot has there. */
  async walk(
    path: string,
    rules: IgnoreRules,
    base: BlobId | undefined,
  ): Promise<{ done: Promise<WalkedFolder | undefined> }> {
    const context = this.#context;
    await this.#breathe();
    const scannedNs = BigInt(context.environment.now().getTime()) * 1_000_000n;
    let listing: Listing;
    try {
      listing = listFolder(context.environment.disk, absolute(context.root, path));
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === undefined || path === '') throw error;
      if (errno !== 'ENOENT' && errno !== 'ENOTDIR') context.skipped.push({ path, reason: errno });
      return settled(undefined);
    }
    context.progress(listing.names.length);
    const record = this.#recordFor(path, base);
    const sameNames = record !== undefined && record.names === listing.names.join('/');
    this.#applyRules(path, rules, listing, record, sameNames);
    const folder = { path, rules, base, listing, record, scannedNs };
    if (
      record !== undefined &&
      sameNames &&
      record.rulesDigest === rules.digest &&
      listing.linked.size === 0 &&
      record.stats.equals(listing.stats) &&
      context.selection.has(path)
    ) {
      return this.#walkUnchanged(folder, record);
    }
    return this.#walkChanged(folder);
  }

  /** Only subfolders may differ. */
  async #walkUnchanged(folder: Folder, record: FolderRecord): Promise<{ done: Promise<WalkedFolder | undefined> }> {
    const children: { name: string; before: BlobId; done: Promise<WalkedFolder | undefined> }[] = [];
    for (const [position, name] of folder.listing.names.entries()) {
      if (kindAt(folder.listing.stats, position) !== ENTRY_KIND.folder || isIgnoredAt(folder.listing.stats, position))
        continue;
      const before = record.folderTrees[children.length];
      if (before === undefined) return this.#walkChanged(folder);
      const child = await this.#walkChild(folder, name, before);
      children.push({ name, before, done: child.done });
    }
    const done = (async (): Promise<WalkedFolder | undefined> => {
      let changed = false;
      for (const child of children) if ((await child.done)?.tree !== child.before) changed = true;
      if (!changed) return { tree: record.tree, totals: record.totals };
      const slots: Slot[] = [];
      const results = new Map<string, WalkedFolder>();
      const byName = new Map(children.map((child) => [child.name, child.done]));
      for (const entry of await this.#context.trees.folder(record.tree)) {
        const walked = await byName.get(entry.name);
        if (walked !== undefined) results.set(entry.name, walked);
        slots.push(
          entry.kind !== ENTRY_KIND.folder ? entry : walked === undefined ? undefined : { ...entry, tree: walked.tree },
        );
      }
      return this.#finish(folder, slots, results);
    })();
    return quiet(done);
  }

  async #walkChanged(folder: Folder): Promise<{ done: Promise<WalkedFolder | undefined> }> {
    const context = this.#context;
    const { path, listing } = folder;
    const baseEntries = new Map<string, TreeEntry>();
    if (folder.base !== undefined)
      for (const entry of await context.trees.folder(folder.base)) baseEntries.set(entry.name, entry);
    const remembered = new Map<string, number>();
    if (folder.record !== undefined)
      for (const [position, name] of folder.record.names.split('/').entries()) remembered.set(name, position);

    const slots: Slot[] = [];
    const results = new Map<string, WalkedFolder>();
    const folders: number[] = [];
    for (const [position, name] of listing.names.entries()) {
      if (isIgnoredAt(listing.stats, position)) continue;
      const base = baseEntries.get(name);
      baseEntries.delete(name);
      const entryPath = join(path, name);
      const isFolder = kindAt(listing.stats, position) === ENTRY_KIND.folder;
      if (!context.selection.has(entryPath) && !(isFolder && context.selection.reaches(entryPath))) {
        smudge(listing.stats, position);
        slots.push(base);
      } else if (isFolder) {
        folders.push(position);
        slots.push(undefined);
        if (base !== undefined) baseEntries.set(name, base);
      } else {
        slots.push(handled(this.#leaf(folder, position, base, remembered.get(name))));
        if (position % FILES_BETWEEN_WAITS === 0) await context.reader.ready();
      }
    }
    const firstSlot = new Map(slotPositions(listing).map((position, slot) => [position, slot]));
    for (const position of folders) {
      const name = listing.names[position] ?? '';
      const base = baseEntries.get(name);
      baseEntries.delete(name);
      const child = await this.#walkChild(folder, name, base?.kind === ENTRY_KIND.folder ? base.tree : undefined);
      const stat = readStat(listing.stats, position);
      const slot = child.done.then((walked) => {
        if (walked === undefined) return undefined;
        results.set(name, walked);
        return this.#settle(
          join(path, name),
          {
            kind: ENTRY_KIND.folder,
            name,
            mode: stat.mode,
            mtime: stat.mtime,
            uid: stat.uid,
            gid: stat.gid,
            tree: walked.tree,
          },
          base,
        );
      });
      slots[firstSlot.get(position) ?? 0] = handled(slot);
    }
    for (const base of baseEntries.values()) {
      if (context.selection.has(join(path, base.name))) await this.#countRemoved(join(path, base.name), base);
      else slots.push(base);
    }
    return quiet(this.#finish(folder, slots, results));
  }

  #walkChild(
    folder: Folder,
    name: string,
    base: BlobId | undefined,
  ): Promise<{ done: Promise<WalkedFolder | undefined> }> {
    const path = join(folder.path, name);
    const { disk } = this.#context.environment;
    const hasRules = disk.lstat(`${absolute(this.#context.root, path)}/${IGNORE_FILE}`)?.isFile() === true;
    return this.walk(path, folder.rules.enter(path, hasRules), base);
  }

  /** An entry that is no folder: the base's if its stat is the one remembered, else made anew. */
  #leaf(folder: Folder, position: number, base: TreeEntry | undefined, remembered: number | undefined): Slot {
    const context = this.#context;
    const { listing, record, path } = folder;
    const name = listing.names[position] ?? '';
    const entryPath = join(path, name);
    const stat = readStat(listing.stats, position);
    const identity = listing.linked.get(position);
    if (
      base !== undefined &&
      base.kind === stat.kind &&
      record !== undefined &&
      remembered !== undefined &&
      sameStatAt(listing.stats, position, record.stats, remembered)
    ) {
      return this.#withKnownLink(base, identity);
    }
    if (stat.kind === ENTRY_KIND.file) return this.#readFile(folder, position, stat, entryPath, base, identity);
    if (stat.kind !== ENTRY_KIND.symlink) return this.#settle(entryPath, specialEntry(name, stat), base);
    try {
      const target = context.environment.disk.readLink(absolute(context.root, entryPath));
      return this.#settle(
        entryPath,
        { kind: ENTRY_KIND.symlink, name, mode: stat.mode, mtime: stat.mtime, uid: stat.uid, gid: stat.gid, target },
        base,
      );
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === undefined) throw error;
      smudge(listing.stats, position);
      if (errno !== 'ENOENT') context.skipped.push({ path: entryPath, reason: errno });
      return undefined;
    }
  }

  async #readFile(
    folder: Folder,
    position: number,
    stat: ListedStat,
    path: string,
    base: TreeEntry | undefined,
    identity: string | undefined,
  ): Promise<TreeEntry | undefined> {
    const context = this.#context;
    const { stats, sparse, names } = folder.listing;
    const numbers = BigInt64Array.of(BigInt(stat.size), stat.mtime, stat.ctime, stat.inode);
    let linkKey: string | undefined;
    let reading: FileReading;
    if (identity === undefined) reading = await context.reader.read(path, numbers);
    else {
      linkKey = this.#linkKeys.get(identity) ?? linkKeyOf(path);
      this.#linkKeys.set(identity, linkKey);
      const shared = this.#readings.get(identity) ?? context.reader.read(path, numbers);
      this.#readings.set(identity, shared);
      reading = await shared;
    }
    if (reading.kind !== 'read') {
      smudge(stats, position);
      if (reading.kind === 'failed') context.skipped.push({ path, reason: reading.reason });
      return undefined;
    }
    updateStat(stats, position, reading.numbers);
    if (reading.unsteady) {
      smudge(stats, position);
      context.unsteady.push(path);
    }
    const entry: FileEntry = fileEntry(
      names[position] ?? '',
      stat,
      reading,
      { linkKey, sparse: sparse.has(position) },
      context.keep,
    );
    this.#noteSilentChange(path, entry, base);
    return this.#settle(path, entry, base);
  }

  /** Same size and time, other bytes: somebody set the time back, or the disk rots. */
  #noteSilentChange(path: string, entry: FileEntry, base: TreeEntry | undefined): void {
    if (base?.kind !== ENTRY_KIND.file || base.size !== entry.size || base.mtime !== entry.mtime || base.unsteady)
      return;
    const settledEntry = settleEntry(entry, base);
    if (settledEntry.changed && base.mode === entry.mode && base.uid === entry.uid && base.gid === entry.gid)
      this.#context.silent.push(path);
  }

  #withKnownLink(base: TreeEntry, identity: string | undefined): TreeEntry {
    if (base.kind !== ENTRY_KIND.file || identity === undefined || base.linkKey === undefined) return base;
    const known = this.#linkKeys.get(identity) ?? base.linkKey;
    this.#linkKeys.set(identity, known);
    return known === base.linkKey ? base : { ...base, linkKey: known };
  }

  #settle(path: string, entry: TreeEntry, base: TreeEntry | undefined): TreeEntry {
    const result = settleEntry(entry, base);
    if (result.changed)
      this.#context.noteChange(path, base === undefined || base.kind !== entry.kind ? 'added' : 'changed', entry);
    if (result.changed && base !== undefined && base.kind !== entry.kind && base.kind !== ENTRY_KIND.folder)
      this.#context.noteChange(path, 'removed', base);
    return result.entry;
  }

  async #countRemoved(path: string, base: TreeEntry): Promise<void> {
    this.#context.noteChange(path, 'removed', base);
    if (base.kind !== ENTRY_KIND.folder) return;
    for (const entry of await this.#context.trees.folder(base.tree))
      await this.#countRemoved(join(path, entry.name), entry);
  }

  /** Makes the tree of a folder from its entries, and the record that the next scan compares with. */
  async #finish(
    folder: Folder,
    slots: readonly Slot[],
    results: ReadonlyMap<string, WalkedFolder>,
  ): Promise<WalkedFolder> {
    const entries: TreeEntry[] = [];
    for (const slot of slots) {
      const entry = await slot;
      if (entry !== undefined) entries.push(entry);
    }
    entries.sort((a, b) => compareNames(a.name, b.name));
    let totals = NO_TOTALS;
    for (const entry of entries) totals = add(totals, await this.#totalsOf(folder, entry, results));
    const trees = encodeFolder(entries);
    const tree = trees.at(-1);
    if (tree === undefined) throw new RangeError('a folder without a tree');
    if (tree.id !== folder.base) for (const { id, bytes } of trees) this.#context.keep(BLOB_KIND.tree, id, bytes);
    this.#remember(folder, entries, tree.id, totals);
    return { tree: tree.id, totals };
  }

  #remember(folder: Folder, entries: readonly TreeEntry[], tree: BlobId, totals: FolderTotals): void {
    const { listing } = folder;
    const trees = new Map(
      entries.flatMap((entry) => (entry.kind === ENTRY_KIND.folder ? [[entry.name, entry.tree] as const] : [])),
    );
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

  async #totalsOf(folder: Folder, entry: TreeEntry, results: ReadonlyMap<string, WalkedFolder>): Promise<FolderTotals> {
    if (entry.kind === ENTRY_KIND.file) return { files: 1, folders: 0, others: 0, bytes: entry.size };
    if (entry.kind !== ENTRY_KIND.folder) return { files: 0, folders: 0, others: 1, bytes: 0 };
    const walked = results.get(entry.name);
    const inside =
      walked?.tree === entry.tree ? walked.totals : await this.#countTree(join(folder.path, entry.name), entry.tree);
    return add(inside, { files: 0, folders: 1, others: 0, bytes: 0 });
  }

  async #countTree(path: string, tree: BlobId): Promise<FolderTotals> {
    const record = this.#recordFor(path, tree);
    if (record !== undefined) return record.totals;
    let totals = NO_TOTALS;
    for (const entry of await this.#context.trees.folder(tree)) {
      totals = add(
        totals,
        entry.kind === ENTRY_KIND.folder
          ? add(await this.#countTree(join(path, entry.name), entry.tree), {
              files: 0,
              folders: 1,
              others: 0,
              bytes: 0,
            })
          : entry.kind === ENTRY_KIND.file
            ? { files: 1, folders: 0, others: 0, bytes: entry.size }
            : { files: 0, folders: 0, others: 1, bytes: 0 },
      );
    }
    return totals;
  }

  #recordFor(path: string, base: BlobId | undefined): FolderRecord | undefined {
    if (base === undefined || !this.#context.useRecords) return undefined;
    const bytes = this.#context.index.folderRecord(path);
    const record = bytes === undefined ? undefined : decodeFolderRecord(bytes);
    return record?.tree === base ? record : undefined;
  }

  /** Marks what ignore rules leave out; decisions remembered under the same rules are taken over. */
  #applyRules(
    path: string,
    rules: IgnoreRules,
    listing: Listing,
    record: FolderRecord | undefined,
    sameNames: boolean,
  ): void {
    const decided = sameNames && record?.rulesDigest === rules.digest ? record : undefined;
    for (const [position, name] of listing.names.entries()) {
      const kind = kindAt(listing.stats, position);
      const ignored =
        decided !== undefined && kindAt(decided.stats, position) === kind
          ? isIgnoredAt(decided.stats, position)
          : entryNameFault(name) !== undefined || rules.ignores(join(path, name), kind === ENTRY_KIND.folder);
      if (!ignored) continue;
      markIgnored(listing.stats, position);
      if (entryNameFault(name) === undefined) this.#context.ignored?.(join(path, name), kind === ENTRY_KIND.folder);
    }
  }

  /** Lets timers and signals run now and then. */
  async #breathe(): Promise<void> {
    const now = this.#context.environment.elapsed();
    if (now - this.#lastYield < YIELD_MS) return;
    this.#lastYield = now;
    this.#context.signal?.throwIfAborted();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

interface Folder {
  readonly path: string;
  readonly rules: IgnoreRules;
  readonly base: BlobId | undefined;
  readonly listing: Listing;
  readonly record: FolderRecord | undefined;
  readonly scannedNs: bigint;
}

/** The positions that got a slot, in order. */
function slotPositions(listing: Listing): number[] {
  const positions: number[] = [];
  for (const position of listing.names.keys()) if (!isIgnoredAt(listing.stats, position)) positions.push(position);
  return positions;
}

function add(a: FolderTotals, b: FolderTotals): FolderTotals {
  return {
    files: a.files + b.files,
    folders: a.folders + b.folders,
    others: a.others + b.others,
    bytes: a.bytes + b.bytes,
  };
}

function join(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

function absolute(root: string, path: string): string {
  return path === '' ? root : `${root}/${path}`;
}

function settled(value: undefined): { done: Promise<undefined> } {
  return { done: Promise.resolve(value) };
}

/** When the walk itself fails, nobody awaits what was begun: its failures must not end the process. */
function handled(slot: Slot): Slot {
  if (slot instanceof Promise) slot.catch(() => undefined);
  return slot;
}

/** A promise whose failure is reported by whoever awaits it, later. */
function quiet<T>(done: Promise<T>): { done: Promise<T> } {
  done.catch(() => undefined);
  return { done };
}
