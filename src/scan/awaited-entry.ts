/** Entries of a scanned folder while their files are read: one reading each, or one for all names of a file. */
import type { TreeEntry } from '../object/tree-entry.ts';
import type { FileReader, FileReading, FileRequest } from './file-reader.ts';
import type { ListedStat } from './listing.ts';
import { NUMBERS_BYTES, numbersOffset, readStat, sizeAt } from './listing.ts';
import type { FolderEntries, ScannedFolder } from './scanned-folder.ts';
import { join } from './scanned-folder.ts';

/** Makes entries of what was read. */
interface EntryMaker {
  entryOf(entry: AwaitedEntry, reading: Exclude<FileReading, { kind: 'replaced' }>): TreeEntry | undefined;
  lookAgain(entry: AwaitedEntry): void;
}

/** An entry that is being made. */
export class AwaitedEntry implements FileRequest {
  readonly folder: ScannedFolder;
  readonly position: number;
  readonly base: TreeEntry | undefined;
  readonly name: string;
  readonly path: string;
  linkKey: string | undefined;
  /** How often it was looked at again. */
  looks = 0;
  readonly #leaves: EntryMaker;
  readonly #entries: FolderEntries;
  readonly #place: number;

  constructor(
    leaves: EntryMaker,
    entries: FolderEntries,
    folder: ScannedFolder,
    position: number,
    base: TreeEntry | undefined,
  ) {
    this.folder = folder;
    this.position = position;
    this.base = base;
    this.name = folder.listing.names[position] ?? '';
    this.path = join(folder.path, this.name);
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

  get listed(): ListedStat {
    return readStat(this.stat, this.position);
  }

  settle(reading: FileReading): void {
    if (reading.kind === 'replaced') this.#leaves.lookAgain(this);
    else this.fill(this.#leaves.entryOf(this, reading));
  }

  fill(entry: TreeEntry | undefined): void {
    this.#entries.fill(this.#place, entry);
  }

  fail(error: unknown): void {
    this.#entries.fail(error);
  }
}

/** One reading for all names of a file, by the first of them that still leads to it. */
export class LinkedReading implements FileRequest {
  readonly #reader: FileReader;
  /** The first one is being read; none if no name waits. */
  readonly #waiting: AwaitedEntry[] = [];
  #reading: FileReading | undefined;
  readonly size: number;
  /** As it was listed: what the listing says of a name changes when that is read. */
  readonly stat: Buffer;
  readonly at = 0;
  readonly #inode: bigint;

  constructor(reader: FileReader, seen: AwaitedEntry) {
    this.#reader = reader;
    this.size = seen.size;
    this.stat = Buffer.from(seen.stat.subarray(seen.at, seen.at + NUMBERS_BYTES));
    this.#inode = seen.listed.inode;
  }

  get path(): string {
    return this.#waiting[0]?.path ?? '';
  }

  join(entry: AwaitedEntry): void {
    if (this.#reading !== undefined) entry.settle(this.#reading);
    else if (this.#waiting.push(entry) === 1) this.#reader.read(this);
  }

  settle(reading: FileReading): void {
    if (reading.kind === 'read' && (reading.now?.[3] ?? this.#inode) === this.#inode) {
      this.#reading = reading;
      for (const entry of this.#waiting.splice(0)) entry.settle(reading);
      return;
    }
    // This name leads elsewhere by now, the others need not.
    const entry = this.#waiting.shift();
    if (this.#waiting.length > 0) this.#reader.read(this);
    if (entry === undefined) return;
    entry.linkKey = undefined;
    entry.settle(reading);
  }

  fail(error: unknown): void {
    for (const entry of this.#waiting) entry.fail(error);
  }
}
