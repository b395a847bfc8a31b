/**
 * Entries that are no folders: taken from the base where their stat is the one remembered, else read and made anew.
 * Names of one file share its reading and its link key.
 */
import { errnoOf } from '../errors.ts';
import type { FileEntry, TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import { fileEntry, linkKeyOf, settleEntry, specialEntry } from './entries.ts';
import type { FileReading, FileRequest } from './file-reader.ts';
import { kindAt, numbersOffset, readStat, sameStatAt, sizeAt, smudge, updateStat } from './listing.ts';
import type { ScanContext } from './scan.ts';
import type { FolderEntries, ScannedFolder } from './scanned-folder.ts';
import { absolute, join } from './scanned-folder.ts';

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
    else if (kind === ENTRY_KIND.file) this.#readFile(entries, folder, position, base);
    else entries.add(this.#linkOrSpecial(folder, position, base));
  }

  #linkOrSpecial(folder: ScannedFolder, position: number, base: TreeEntry | undefined): TreeEntry | undefined {
    const { context } = this;
    const { names, stats } = folder.listing;
    const name = names[position] ?? '';
    const path = join(folder.path, name);
    const stat = readStat(stats, position);
    if (stat.kind !== ENTRY_KIND.symlink) return this.settle(path, specialEntry(name, stat), base);
    try {
      const target = context.environment.disk.readLink(absolute(context.root, path));
      const { mode, mtime, uid, gid } = stat;
      return this.settle(path, { kind: ENTRY_KIND.symlink, name, mode, mtime, uid, gid, target }, base);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === undefined) throw error;
      smudge(stats, position);
      if (errno !== 'ENOENT') context.skipped.push({ path, reason: errno });
      if (base !== undefined) context.noteChange(path, 'removed', base);
      return undefined;
    }
  }

  #readFile(entries: FolderEntries, folder: ScannedFolder, position: number, base: TreeEntry | undefined): void {
    const file = new AwaitedFile(this, entries, folder, position, base);
    const identity = folder.listing.linked.get(position);
    if (identity === undefined) {
      this.context.reader.read(file);
      return;
    }
    file.linkKey = this.#linkKeys.get(identity) ?? linkKeyOf(file.path);
    this.#linkKeys.set(identity, file.linkKey);
    let shared = this.#linked.get(identity);
    if (shared === undefined) {
      shared = new LinkedReading(file);
      this.#linked.set(identity, shared);
      this.context.reader.read(shared);
    } else shared.join(file);
  }

  /** The entry of a file that was read. */
  entryOf(file: AwaitedFile, reading: FileReading): TreeEntry | undefined {
    const { context } = this;
    const { path, position, base } = file;
    const { stats, sparse, names } = file.folder.listing;
    if (reading.kind !== 'read') {
      smudge(stats, position);
      if (reading.kind === 'failed') context.skipped.push({ path, reason: reading.reason });
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
      names[position] ?? '',
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

/** A file whose entry waits for its reading. */
class AwaitedFile implements FileRequest {
  readonly folder: ScannedFolder;
  readonly position: number;
  readonly base: TreeEntry | undefined;
  readonly path: string;
  linkKey: string | undefined;
  readonly #leaves: LeafEntries;
  readonly #entries: FolderEntries;
  readonly #place: number;

  constructor(
    leaves: LeafEntries,
    entries: FolderEntries,
    folder: ScannedFolder,
    position: number,
    base: TreeEntry | undefined,
  ) {
    this.folder = folder;
    this.position = position;
    this.base = base;
    this.path = join(folder.path, folder.listing.names[position] ?? '');
    this.linkKey = undefined;
    this.#leaves = leaves;
    this.#entries = entries;
    this.#place = entries.reserve();
  }

  get size(): number {
    return sizeAt(this.stat, this.position);
  }

  get stat(): Buffer {
    return this.folder.listing.stats;
  }

  get at(): number {
    return numbersOffset(this.position);
  }

  settle(reading: FileReading): void {
    this.#entries.fill(this.#place, this.#leaves.entryOf(this, reading));
  }

  fail(error: unknown): void {
    this.#entries.fail(error);
  }
}

/** One reading for all names of a file. */
class LinkedReading implements FileRequest {
  readonly path: string;
  readonly size: number;
  readonly stat: Buffer;
  readonly at: number;
  readonly #files: AwaitedFile[];
  #reading: FileReading | undefined;

  constructor(first: AwaitedFile) {
    this.path = first.path;
    this.size = first.size;
    this.stat = first.stat;
    this.at = first.at;
    this.#files = [first];
  }

  join(file: AwaitedFile): void {
    if (this.#reading === undefined) this.#files.push(file);
    else file.settle(this.#reading);
  }

  settle(reading: FileReading): void {
    this.#reading = reading;
    for (const file of this.#files.splice(0)) file.settle(reading);
  }

  fail(error: unknown): void {
    for (const file of this.#files) file.fail(error);
  }
}
