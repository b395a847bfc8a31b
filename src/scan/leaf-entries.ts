/**
 * Entries that are no folders: taken from the base where their stat is the one remembered, else read and made anew.
 * Names of one file share its reading and its link key.
 */
import { errnoOf } from '../errors.ts';
import type { FileEntry, TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import { fileEntry, linkKeyOf, settleEntry, specialEntry } from './entries.ts';
import type { FileReading } from './file-reader.ts';
import type { ListedStat } from './listing.ts';
import { readStat, sameStatAt, smudge, updateStat } from './listing.ts';
import type { ScanContext } from './scan.ts';
import type { ScannedFolder, Slot } from './scanned-folder.ts';
import { absolute, join } from './scanned-folder.ts';

export class LeafEntries {
  readonly #context: ScanContext;
  readonly #readings = new Map<string, Promise<FileReading>>();
  readonly #linkKeys = new Map<string, string>();

  constructor(context: ScanContext) {
    this.#context = context;
  }

  /** An entry that is no folder: the base's if its stat is the one remembered, else made anew. */
  entry(folder: ScannedFolder, position: number, base: TreeEntry | undefined, remembered: number | undefined): Slot {
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
    if (stat.kind !== ENTRY_KIND.symlink) return this.settle(entryPath, specialEntry(name, stat), base);
    try {
      const target = context.environment.disk.readLink(absolute(context.root, entryPath));
      return this.settle(
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
    folder: ScannedFolder,
    position: number,
    stat: ListedStat,
    path: string,
    base: TreeEntry | undefined,
    identity: string | undefined,
  ): Promise<TreeEntry | undefined> {
    const context = this.#context;
    const { stats, sparse, names } = folder.listing;
    let linkKey: string | undefined;
    let reading: FileReading;
    if (identity === undefined) reading = await context.reader.read(path, stat);
    else {
      linkKey = this.#linkKeys.get(identity) ?? linkKeyOf(path);
      this.#linkKeys.set(identity, linkKey);
      const shared = this.#readings.get(identity) ?? context.reader.read(path, stat);
      this.#readings.set(identity, shared);
      reading = await shared;
    }
    if (reading.kind !== 'read') {
      smudge(stats, position);
      if (reading.kind === 'failed') context.skipped.push({ path, reason: reading.reason });
      return undefined;
    }
    if (reading.now !== undefined) updateStat(stats, position, reading.now);
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
    return this.settle(path, entry, base);
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

  /** Counts what changed against the base, and returns the entry to store. */
  settle(path: string, entry: TreeEntry, base: TreeEntry | undefined): TreeEntry {
    const result = settleEntry(entry, base);
    if (result.changed)
      this.#context.noteChange(path, base === undefined || base.kind !== entry.kind ? 'added' : 'changed', entry);
    if (result.changed && base !== undefined && base.kind !== entry.kind && base.kind !== ENTRY_KIND.folder)
      this.#context.noteChange(path, 'removed', base);
    return result.entry;
  }

  /** Counts an entry of the base, and all below it, as removed. */
  async countRemoved(path: string, base: TreeEntry): Promise<void> {
    this.#context.noteChange(path, 'removed', base);
    if (base.kind !== ENTRY_KIND.folder) return;
    for (const entry of await this.#context.trees.folder(base.tree))
      await this.countRemoved(join(path, entry.name), entry);
  }
}
