/**
 * Entries that are no folders: taken from the base where their stat is the one remembered, else read and made anew.
 * Names of one file share its reading and its link key.
 */
import { errnoOf } from '../errors.ts';
import type { FileEntry, TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import { AwaitedEntry, LinkedReading } from './awaited-entry.ts';
import { fileEntry, linkKeyOf, settleEntry, specialEntry } from './entries.ts';
import type { FileReading } from './file-reader.ts';
import { kindAt, markIgnored, readStat, sameStatAt, smudge, updateStat, writeStat } from './listing.ts';
import type { ScanContext } from './scan.ts';
import type { FolderEntries, ScannedFolder } from './scanned-folder.ts';
import { GONE_REASON, join } from './scanned-folder.ts';

/** Looks at what stands at a path by now, before it is given up. */
const LOOKS_MAX = 3;

export class LeafEntries {
  readonly context: ScanContext;
  readonly #linked = new Map<string, LinkedReading>();
  readonly #linkKeys = new Map<string, string>();

  constructor(context: ScanContext) {
    this.context = context;
  }

  /** Gives `entries` an entry that is no folder: the base's if its stat is the one remembered, else one made anew. */
  add(
    entries: FolderEntries,
    folder: ScannedFolder,
    position: number,
    base: TreeEntry | undefined,
    remembered: number | undefined,
  ): void {
    const { listing, record } = folder;
    const kind = kindAt(listing.stats, position);
    if (
      base !== undefined &&
      base.kind === kind &&
      record !== undefined &&
      remembered !== undefined &&
      sameStatAt(listing.stats, position, record.stats, remembered)
    )
      entries.add(this.#withKnownLink(base, listing.linked.get(position)));
    else this.#take(new AwaitedEntry(this, entries, folder, position, base), kind);
  }

  /** Gives `entries` what is there now in the place of a folder that was listed and is one no more. */
  addReplaced(entries: FolderEntries, folder: ScannedFolder, position: number): void {
    this.lookAgain(new AwaitedEntry(this, entries, folder, position, undefined));
  }

  /** Takes an entry as what it is by now, since it is no more what the listing says. */
  lookAgain(entry: AwaitedEntry): void {
    if (++entry.looks > LOOKS_MAX) {
      entry.settle({ kind: 'failed', reason: 'it, or a folder above it, was replaced again and again' });
      return;
    }
    const stat = this.#tried(entry, () => this.context.environment.disk.lstat(this.context.anchor.at(entry.path)));
    if (stat === undefined) return;
    if (stat.isDirectory()) {
      entry.settle({ kind: 'failed', reason: 'a folder took its place meanwhile' });
      return;
    }
    const { stats } = entry.folder.listing;
    writeStat(stats, entry.position, stat);
    if (entry.folder.rules.ignores(entry.path, false)) {
      markIgnored(stats, entry.position);
      entry.fill(undefined);
    } else this.#take(entry, kindAt(stats, entry.position));
  }

  #take(entry: AwaitedEntry, kind: number): void {
    if (kind === ENTRY_KIND.file) this.#readFile(entry);
    else if (kind === ENTRY_KIND.symlink) this.#readLink(entry);
    else entry.fill(this.settle(entry.path, specialEntry(entry.name, entry.listed), entry.base));
  }

  #readLink(entry: AwaitedEntry): void {
    const { context } = this;
    const target = this.#tried(entry, () => context.environment.disk.readLink(context.anchor.at(entry.path)));
    if (target === undefined) return;
    const { mode, mtime, uid, gid } = entry.listed;
    const link = { kind: ENTRY_KIND.symlink, name: entry.name, mode, mtime, uid, gid, target };
    entry.fill(this.settle(entry.path, link, entry.base));
  }

  /** What `look` returns; undefined if the entry is settled already, since there is nothing or it cannot be looked at. */
  #tried<T>(entry: AwaitedEntry, look: () => T | undefined): T | undefined {
    try {
      const found = look();
      if (found === undefined) entry.settle({ kind: 'gone' });
      return found;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === undefined) throw error;
      // No link any more.
      if (errno === 'EINVAL') this.lookAgain(entry);
      else if (errno === 'ENOENT') entry.settle({ kind: 'gone' });
      else if (errno === 'refused')
        entry.settle({ kind: 'failed', reason: 'a folder above it was replaced meanwhile' });
      else entry.settle({ kind: 'failed', reason: errno });
      return undefined;
    }
  }

  #readFile(file: AwaitedEntry): void {
    if (!Number.isSafeInteger(file.listed.size)) {
      file.settle({ kind: 'failed', reason: 'it is larger than 8 PiB, which no snapshot can hold' });
      return;
    }
    const identity = file.looks > 0 ? undefined : file.folder.listing.linked.get(file.position);
    if (identity === undefined) {
      this.context.reader.read(file);
      return;
    }
    file.linkKey = this.#linkKeys.get(identity) ?? linkKeyOf(file.path);
    this.#linkKeys.set(identity, file.linkKey);
    const shared = this.#linked.get(identity) ?? new LinkedReading(this.context.reader, file);
    this.#linked.set(identity, shared);
    shared.join(file);
  }

  /** The entry of a file that was read. */
  entryOf(file: AwaitedEntry, reading: Exclude<FileReading, { kind: 'replaced' }>): TreeEntry | undefined {
    const { context } = this;
    const { path, position, base } = file;
    const { stats, sparse } = file.folder.listing;
    if (reading.kind !== 'read') {
      smudge(stats, position);
      context.skipped.push({ path, reason: reading.kind === 'gone' ? GONE_REASON : reading.reason });
      if (base !== undefined) context.noteChange(path, 'removed', base);
      return undefined;
    }
    const stat = readStat(stats, position);
    if (reading.now !== undefined) updateStat(stats, position, reading.now);
    if (reading.unsteady) {
      smudge(stats, position);
      context.unsteady.push(path);
    }
    const entry: FileEntry = fileEntry(
      file.name,
      stat,
      reading,
      { linkKey: file.linkKey, sparse: sparse.has(position) },
      context.keep,
    );
    this.#noteSilentChange(path, entry, base);
    return this.settle(path, entry, base);
  }

  /** Same size and time, other bytes: somebody set the time back, or the disk rots. */
  #noteSilentChange(path: string, entry: FileEntry, base: TreeEntry | undefined): void {
    if (base?.kind !== ENTRY_KIND.file || base.size !== entry.size || base.mtime !== entry.mtime || base.unsteady)
      return;
    const settledEntry = settleEntry(entry, base);
    if (settledEntry.changed && base.mode === entry.mode && base.uid === entry.uid && base.gid === entry.gid)
      this.context.silent.push(path);
  }

  #withKnownLink(base: TreeEntry, identity: string | undefined): TreeEntry {
    if (base.kind !== ENTRY_KIND.file || identity === undefined || base.linkKey === undefined) return base;
    const known = this.#linkKeys.get(identity) ?? base.linkKey;
    this.#linkKeys.set(identity, known);
    return known === base.linkKey ? base : { ...base, linkKey: known };
  }

  /** Counts what changed against the base, and returns the entry to store. */
  settle(path: string, entry: TreeEntry, base: TreeEntry | undefined): TreeEntry {
    const result = settleEntry(entry, base);
    if (result.changed)
      this.context.noteChange(path, base === undefined || base.kind !== entry.kind ? 'added' : 'changed', entry);
    if (result.changed && base !== undefined && base.kind !== entry.kind && base.kind !== ENTRY_KIND.folder)
      this.context.noteChange(path, 'removed', base);
    return result.entry;
  }

  /** Counts an entry of the base, and all below it, as removed. */
  async countRemoved(path: string, base: TreeEntry): Promise<void> {
    this.context.noteChange(path, 'removed', base);
    if (base.kind !== ENTRY_KIND.folder) return;
    for (const entry of await this.context.trees.folder(base.tree))
      await this.countRemoved(join(path, entry.name), entry);
  }
}
