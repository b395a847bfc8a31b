/** One folder while it is scanned, and how its paths are joined. */
import type { FolderRecord } from '../index/folder-record.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { TreeEntry } from '../object/tree-entry.ts';
import type { IgnoreRules } from './ignore-rules.ts';
import type { Listing } from './listing.ts';

/** Of what was listed, and gone when it was to be read: it was removed, or moved to where the walk had been already. */
export const GONE_REASON = 'it was removed or moved meanwhile';

export interface ScannedFolder {
  readonly path: string;
  readonly rules: IgnoreRules;
  readonly base: BlobId | undefined;
  readonly listing: Listing;
  readonly record: FolderRecord | undefined;
  readonly scannedNs: bigint;
}

/** The entries of a folder while they come in: there, absent, or still being made. */
export class FolderEntries {
  readonly #entries: (TreeEntry | undefined)[] = [];
  #open = 0;
  #failure: { readonly error: unknown } | undefined;
  #done: (() => void) | undefined;

  add(entry: TreeEntry | undefined): void {
    this.#entries.push(entry);
  }

  /** A place for an entry to come: `fill` it, or `fail`, once. */
  reserve(): number {
    this.#open++;
    return this.#entries.push(undefined) - 1;
  }

  fill(place: number, entry: TreeEntry | undefined): void {
    this.#entries[place] = entry;
    this.#open--;
    this.#check();
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#check();
  }

  /** Waits for the open places. Throws what one failed with. */
  async all(): Promise<TreeEntry[]> {
    if (this.#open > 0 && this.#failure === undefined)
      await new Promise<void>((resolve) => {
        this.#done = resolve;
      });
    if (this.#failure !== undefined) throw this.#failure.error;
    return this.#entries.filter((entry) => entry !== undefined);
  }

  #check(): void {
    if (this.#open === 0 || this.#failure !== undefined) this.#done?.();
  }
}

/** The path of an entry, from the workspace. */
export function join(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}
