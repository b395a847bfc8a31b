/**
 * The walk of a scan. Folders whose listing is the one that the index remembers, for the same tree, are taken as they
 * are without reading a file; of the others only entries whose stat changed are read. The walk goes on while workers
 * read: `walk` returns when a folder's files are all queued, its `done` when its tree is made.
 */

import { errnoOf, fromSystemError, hasCode, SnapError } from '../errors.ts';
import type { FolderRecord } from '../index/folder-record.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import { IGNORE_FILE, JOURNAL, WORKSPACE } from '../repo/layout.ts';
import type { WalkedFolder } from './folder-trees.ts';
import { FolderTrees } from './folder-trees.ts';
import type { IgnoreRules } from './ignore-rules.ts';
import { LeafEntries } from './leaf-entries.ts';
import { LeftOut } from './left-out.ts';
import type { Listing } from './listing.ts';
import { isIgnoredAt, kindAt, listFolder, markIgnored, readStat, smudge } from './listing.ts';
import type { ScanContext } from './scan.ts';
import type { ScannedFolder } from './scanned-folder.ts';
import { FolderEntries, GONE_REASON, join } from './scanned-folder.ts';

/** A folder whose files are queued. `done`: its tree, or undefined if it cannot be had. */
interface Walk {
  readonly done: Promise<WalkedFolder | undefined>;
  /** It is no folder any more, or one above it is none. */
  readonly replaced: boolean;
}

interface FolderView {
  readonly listing: Listing;
  readonly rules: IgnoreRules;
  /** Names, stats and rules are those of the record. */
  readonly isRemembered: boolean;
}

/** Longer paths are better entered from open folders. */
const QUICK_PATH_MAX = 1000;
const YIELD_MS = 40;
const FILES_BETWEEN_WAITS = 256;

export class FolderWalk {
  readonly #context: ScanContext;
  readonly #leaves: LeafEntries;
  readonly #trees: FolderTrees;
  readonly #leftOut: LeftOut;
  #lastYield = 0;

  constructor(context: ScanContext) {
    this.#context = context;
    this.#leaves = new LeafEntries(context);
    this.#trees = new FolderTrees(context);
    this.#leftOut = new LeftOut(context);
  }

  /** Walks the folder at `path`; `outer`: the rules of the folder above; `base`: the tree of the last snapshot there. */
  async walk(path: string, outer: IgnoreRules, base: BlobId | undefined): Promise<Walk> {
    const context = this.#context;
    await this.#breathe();
    const scannedNs = BigInt(context.environment.now().getTime()) * 1_000_000n;
    const record = this.#trees.recordFor(path, base);
    let view: FolderView;
    try {
      view = this.#lookQuickly(path, outer, record) ?? this.#look(context.anchor.enter(path), path, outer, record);
    } catch (error) {
      const errno = errnoOf(error);
      const replaced = hasCode(error, 'refused');
      if (errno === undefined || (error instanceof SnapError && !replaced)) throw error;
      if (path === '') throw fromSystemError(error, 'reading', context.root);
      return this.#leaveOut(path, base, replaced ? undefined : errno === 'ENOENT' ? GONE_REASON : errno, replaced);
    }
    const { names } = view.listing;
    const mayBeOwn = path !== '' && (names.includes(JOURNAL) || names.includes(WORKSPACE.config));
    const own = mayBeOwn ? this.#leftOut.isSnapsOwn(path) : undefined;
    if (own !== undefined) return this.#leaveOut(path, base, own);
    const { listing, rules, isRemembered } = view;
    for (const { name, reason } of listing.failed) context.skipped.push({ path: join(path, name), reason });
    context.progress(listing.names.length);
    const folder = { path, rules, base, listing, record, scannedNs };
    if (record !== undefined && isRemembered && listing.linked.size === 0 && context.selection.has(path)) {
      return this.#walkUnchanged(folder, record);
    }
    return this.#walkChanged(folder);
  }

  /**
   * By the path, which takes half the time, if nothing differs from the record: then it was that very folder, by inodes
   * and ctimes, whatever the path led through. Else undefined.
   */
  #lookQuickly(path: string, outer: IgnoreRules, record: FolderRecord | undefined): FolderView | undefined {
    const { root, ignored } = this.#context;
    if (record === undefined || ignored !== undefined || path.length > QUICK_PATH_MAX) return undefined;
    try {
      const view = this.#look(path === '' ? root : `${root}/${path}`, path, outer, record);
      return view.isRemembered ? view : undefined;
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
      return undefined;
    }
  }

  /** Lists the folder at `path`, which the system finds at `at`. */
  #look(at: string, path: string, outer: IgnoreRules, record: FolderRecord | undefined): FolderView {
    const listing = listFolder(this.#context.environment.disk, at);
    const rules = this.#rulesIn(path, outer, listing);
    const decided = record?.names === listing.names.join('/') && record.rulesDigest === rules.digest;
    this.#leftOut.apply(path, rules, listing, decided ? record : undefined);
    return { listing, rules, isRemembered: decided && record.stats.equals(listing.stats) };
  }

  #rulesIn(path: string, outer: IgnoreRules, { names, stats }: Listing): IgnoreRules {
    const position = names.indexOf(IGNORE_FILE);
    try {
      return outer.enter(path, position >= 0 && kindAt(stats, position) === ENTRY_KIND.file);
    } catch (error) {
      throw fromSystemError(error, 'reading', join(path, IGNORE_FILE));
    }
  }

  /** `reason`: why the folder is not in the snapshot, unless it is not there either. */
  async #leaveOut(path: string, base: BlobId | undefined, reason: string | undefined, replaced = false): Promise<Walk> {
    if (reason !== undefined) this.#context.skipped.push({ path, reason });
    for (const entry of base === undefined ? [] : await this.#context.trees.folder(base))
      await this.#leaves.countRemoved(join(path, entry.name), entry);
    return { done: Promise.resolve(undefined), replaced };
  }

  /** Only subfolders may differ. */
  async #walkUnchanged(folder: ScannedFolder, record: FolderRecord): Promise<Walk> {
    const children: (Walk & { position: number; name: string; before: BlobId })[] = [];
    for (const [position, name] of folder.listing.names.entries()) {
      if (kindAt(folder.listing.stats, position) !== ENTRY_KIND.folder || isIgnoredAt(folder.listing.stats, position))
        continue;
      const before = record.folderTrees[children.length];
      if (before === undefined) return this.#walkChanged(folder);
      const child = await this.#walkChild(folder, name, before);
      children.push({ ...child, position, name, before });
    }
    const done = (async (): Promise<WalkedFolder | undefined> => {
      let changed = false;
      for (const child of children) if ((await child.done)?.tree !== child.before) changed = true;
      if (!changed) return { tree: record.tree, totals: record.totals };
      const entries = new FolderEntries();
      const results = new Map<string, WalkedFolder>();
      const byName = new Map(children.map((child) => [child.name, child]));
      for (const entry of await this.#context.trees.folder(record.tree)) {
        const child = byName.get(entry.name);
        const walked = await child?.done;
        if (walked !== undefined) results.set(entry.name, walked);
        if (child?.replaced === true) this.#leaves.addReplaced(entries, folder, child.position);
        if (entry.kind !== ENTRY_KIND.folder) entries.add(entry);
        else if (walked !== undefined) entries.add({ ...entry, tree: walked.tree });
      }
      return this.#trees.finish(folder, entries, results);
    })();
    return quiet(done);
  }

  async #walkChanged(folder: ScannedFolder): Promise<Walk> {
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
        if (base !== undefined) await this.#addLeft(folder, entries, results, base, isFolder);
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
      if (child.replaced) this.#leaves.addReplaced(entries, folder, position);
      child.done
        .then((walked) => {
          if (walked !== undefined) results.set(name, walked);
          else if (this.#leftOut.snapsOwn.has(join(path, name))) markIgnored(listing.stats, position);
          entries.fill(place, walked === undefined ? undefined : this.#folderEntry(folder, position, walked, base));
        })
        .catch((error: unknown) => entries.fail(error));
    }
    for (const base of baseEntries.values()) {
      if (context.selection.has(join(path, base.name))) await this.#leaves.countRemoved(join(path, base.name), base);
      else await this.#addLeft(folder, entries, results, base, false);
    }
    return quiet(this.#trees.finish(folder, entries, results));
  }

  /** Adds an entry of the last snapshot that is not selected; of a folder that `isThere` no more, what is not selected. */
  async #addLeft(
    { path }: ScannedFolder,
    entries: FolderEntries,
    results: Map<string, WalkedFolder>,
    base: TreeEntry,
    isThere: boolean,
  ): Promise<void> {
    const at = join(path, base.name);
    if (isThere || base.kind !== ENTRY_KIND.folder || !this.#context.selection.reaches(at)) return entries.add(base);
    const left = await this.#trees.withoutSelected(at, base.tree, (gone, entry) =>
      this.#leaves.countRemoved(gone, entry),
    );
    if (left === undefined) return;
    results.set(base.name, left);
    entries.add({ ...base, tree: left.tree });
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

  #walkChild(folder: ScannedFolder, name: string, base: BlobId | undefined): Promise<Walk> {
    return this.walk(join(folder.path, name), folder.rules, base);
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

/** A promise whose failure is reported by whoever awaits it, later. */
function quiet(done: Promise<WalkedFolder | undefined>): Walk {
  done.catch(() => undefined);
  return { done, replaced: false };
}
