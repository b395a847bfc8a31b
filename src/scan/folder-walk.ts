/**
 * The walk of a scan. Folders whose listing is the one that the index remembers, for the same tree, are taken as they
 * are without reading a file; of the others only entries whose stat changed are read. The walk goes on while workers
 * read: `walk` returns when a folder's files are all queued, its `done` when its tree is made.
 */

import { errnoOf, fromSystemError } from '../errors.ts';
import type { FolderRecord } from '../index/folder-record.ts';
import type { BlobId } from '../object/blob-id.ts';
import { entryNameFault } from '../object/entry-name.ts';
import type { TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import { isStore, STORE_REASON } from '../repo/is-store.ts';
import { IGNORE_FILE, JOURNAL } from '../repo/layout.ts';
import type { WalkedFolder } from './folder-trees.ts';
import { FolderTrees } from './folder-trees.ts';
import type { IgnoreRules } from './ignore-rules.ts';
import { LeafEntries } from './leaf-entries.ts';
import type { Listing } from './listing.ts';
import { isIgnoredAt, kindAt, listFolder, markIgnored, readStat, smudge } from './listing.ts';
import type { ScanContext } from './scan.ts';
import type { ScannedFolder } from './scanned-folder.ts';
import { absolute, FolderEntries, join } from './scanned-folder.ts';

const YIELD_MS = 40;
const FILES_BETWEEN_WAITS = 256;

export class FolderWalk {
  readonly #context: ScanContext;
  readonly #leaves: LeafEntries;
  readonly #trees: FolderTrees;
  /** Folders that turned out to be stores. */
  readonly #stores = new Set<string>();
  #lastYield = 0;

  constructor(context: ScanContext) {
    this.#context = context;
    this.#leaves = new LeafEntries(context);
    this.#trees = new FolderTrees(context);
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
      // A link by now: what was listed may be of somewhere else.
      if (path !== '' && context.environment.disk.lstat(absolute(context.root, path))?.isDirectory() !== true)
        return settled(undefined);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === undefined) throw error;
      if (path === '') throw fromSystemError(error, 'reading', context.root);
      return this.#leaveOut(path, base, errno === 'ENOENT' || errno === 'ENOTDIR' ? undefined : errno);
    }
    if (path !== '' && listing.names.includes(JOURNAL) && this.#isStore(path)) {
      this.#stores.add(path);
      return this.#leaveOut(path, base, STORE_REASON);
    }
    for (const { name, reason } of listing.failed) context.skipped.push({ path: join(path, name), reason });
    context.progress(listing.names.length);
    const record = this.#trees.recordFor(path, base);
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

  /** `reason`: why the folder is not in the snapshot, unless it is not there either. */
  async #leaveOut(
    path: string,
    base: BlobId | undefined,
    reason: string | undefined,
  ): Promise<{ done: Promise<undefined> }> {
    if (reason !== undefined) this.#context.skipped.push({ path, reason });
    for (const entry of base === undefined ? [] : await this.#context.trees.folder(base))
      await this.#leaves.countRemoved(join(path, entry.name), entry);
    return settled(undefined);
  }

  #isStore(path: string): boolean {
    const { root, environment } = this.#context;
    return isStore(environment.disk, (name) => `${absolute(root, path)}/${name}`);
  }

  /** Only subfolders may differ. */
  async #walkUnchanged(
    folder: ScannedFolder,
    record: FolderRecord,
  ): Promise<{ done: Promise<WalkedFolder | undefined> }> {
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
      const entries = new FolderEntries();
      const results = new Map<string, WalkedFolder>();
      const byName = new Map(children.map((child) => [child.name, child.done]));
      for (const entry of await this.#context.trees.folder(record.tree)) {
        const walked = await byName.get(entry.name);
        if (walked !== undefined) results.set(entry.name, walked);
        if (entry.kind !== ENTRY_KIND.folder) entries.add(entry);
        else if (walked !== undefined) entries.add({ ...entry, tree: walked.tree });
      }
      return this.#trees.finish(folder, entries, results);
    })();
    return quiet(done);
  }

  async #walkChanged(folder: ScannedFolder): Promise<{ done: Promise<WalkedFolder | undefined> }> {
    const context = this.#context;
    const { path, listing } = folder;
    const baseEntries = new Map<string, TreeEntry>();
    if (folder.base !== undefined)
      for (const entry of await context.trees.folder(folder.base)) baseEntries.set(entry.name, entry);
    const remembered = new Map<string, number>();
    if (folder.record !== undefined)
      for (const [position, name] of folder.record.names.split('/').entries()) remembered.set(name, position);

    const entries = new FolderEntries();
    const results = new Map<string, WalkedFolder>();
    const folders: { position: number; place: number }[] = [];
    for (const [position, name] of listing.names.entries()) {
      if (isIgnoredAt(listing.stats, position)) continue;
      const base = baseEntries.get(name);
      baseEntries.delete(name);
      const entryPath = join(path, name);
      const isFolder = kindAt(listing.stats, position) === ENTRY_KIND.folder;
      if (!context.selection.has(entryPath) && !(isFolder && context.selection.reaches(entryPath))) {
        smudge(listing.stats, position);
        entries.add(base);
      } else if (isFolder) {
        folders.push({ position, place: entries.reserve() });
        if (base !== undefined) baseEntries.set(name, base);
      } else {
        const replaced = base?.kind === ENTRY_KIND.folder;
        if (replaced) await this.#leaves.countRemoved(entryPath, base);
        this.#leaves.add(entries, folder, position, replaced ? undefined : base, remembered.get(name));
        if (position % FILES_BETWEEN_WAITS === 0) await context.reader.ready();
      }
    }
    for (const { position, place } of folders) {
      const name = listing.names[position] ?? '';
      const base = baseEntries.get(name);
      baseEntries.delete(name);
      const child = await this.#walkChild(folder, name, base?.kind === ENTRY_KIND.folder ? base.tree : undefined);
      child.done
        .then((walked) => {
          if (walked !== undefined) results.set(name, walked);
          else if (this.#stores.has(join(path, name))) markIgnored(listing.stats, position);
          entries.fill(place, walked === undefined ? undefined : this.#folderEntry(folder, position, walked, base));
        })
        .catch((error: unknown) => entries.fail(error));
    }
    for (const base of baseEntries.values()) {
      if (context.selection.has(join(path, base.name))) await this.#leaves.countRemoved(join(path, base.name), base);
      else entries.add(base);
    }
    return quiet(this.#trees.finish(folder, entries, results));
  }

  #folderEntry(
    folder: ScannedFolder,
    position: number,
    { tree }: WalkedFolder,
    base: TreeEntry | undefined,
  ): TreeEntry {
    const { mode, mtime, uid, gid } = readStat(folder.listing.stats, position);
    const name = folder.listing.names[position] ?? '';
    return this.#leaves.settle(
      join(folder.path, name),
      { kind: ENTRY_KIND.folder, name, mode, mtime, uid, gid, tree },
      base,
    );
  }

  #walkChild(
    folder: ScannedFolder,
    name: string,
    base: BlobId | undefined,
  ): Promise<{ done: Promise<WalkedFolder | undefined> }> {
    const path = join(folder.path, name);
    return this.walk(path, folder.rules.enter(path, this.#hasIgnoreFile(path)), base);
  }

  /** Of a folder that may not be entered: no; listing it says so then. */
  #hasIgnoreFile(folder: string): boolean {
    const { root, environment } = this.#context;
    try {
      return environment.disk.lstat(`${absolute(root, folder)}/${IGNORE_FILE}`)?.isFile() === true;
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
      return false;
    }
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
      const at = join(path, name);
      const byRules = (): boolean =>
        entryNameFault(name) !== undefined || rules.ignores(at, kind === ENTRY_KIND.folder);
      const remembered = decided !== undefined && kindAt(decided.stats, position) === kind;
      let ignored = at === this.#context.ownStore || (remembered ? isIgnoredAt(decided.stats, position) : byRules());
      // A store is remembered as ignored, and may be none by now.
      if (ignored && remembered && kind === ENTRY_KIND.folder && at !== this.#context.ownStore && !byRules()) {
        ignored = this.#isStore(at);
        if (ignored) this.#context.skipped.push({ path: at, reason: STORE_REASON });
      }
      if (!ignored) continue;
      markIgnored(listing.stats, position);
      if (entryNameFault(name) === undefined) this.#context.ignored?.(at, kind === ENTRY_KIND.folder);
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

function settled(value: undefined): { done: Promise<undefined> } {
  return { done: Promise.resolve(value) };
}

/** A promise whose failure is reported by whoever awaits it, later. */
function quiet<T>(done: Promise<T>): { done: Promise<T> } {
  done.catch(() => undefined);
  return { done };
}
