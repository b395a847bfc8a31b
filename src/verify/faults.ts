/** What verify finds: collected with a limit on what is kept in words, none on what is counted. */
import { BlobTable } from '../index/blob-table.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import type { PackId } from '../object/pack-id.ts';

/** Something that is not as it must be. `offset` is where the block begins in the pack. */
export interface Fault {
  readonly what: 'journal' | 'checkpoint' | 'pack' | 'blob' | 'index' | 'workspace';
  readonly reason: string;
  readonly entry?: number;
  readonly pack?: PackId;
  readonly offset?: number;
  readonly blob?: { readonly kind: BlobKind; readonly id: BlobId };
}

/** Faults that are listed; further ones are counted. Of blobs that no pack has, fewer: one lost pack makes thousands. */
const LISTED_MAX = 200;
const LISTED_MISSING_MAX = 20;

export class Faults {
  readonly listed: Fault[] = [];
  /** Blobs that are missing or damaged. */
  readonly blobs = new BlobTable();
  /** Packs that are damaged as such, not only by a blob of theirs. */
  readonly packs = new Set<PackId>();
  readonly #places = new Set<string>();
  #count = 0;
  #missing = 0;

  /** Blobs that are needed and in no readable pack; they are in `count` too. */
  get missing(): number {
    return this.#missing;
  }

  get count(): number {
    return this.#count;
  }

  add(fault: Fault): void {
    if (fault.blob !== undefined) {
      const before = this.blobs.size;
      this.blobs.add(fault.blob.kind, fault.blob.id);
      // The walk and the check of the bytes find the same blob.
      if (this.blobs.size === before) return;
    } else if (fault.pack !== undefined) {
      if (fault.what === 'pack') this.packs.add(fault.pack);
      const place = `${fault.pack}:${fault.offset ?? 0}`;
      if (this.#places.has(place)) return;
      this.#places.add(place);
    }
    this.#count++;
    const isMissing = fault.what === 'blob' && fault.pack === undefined;
    if (isMissing && ++this.#missing > LISTED_MISSING_MAX) return;
    if (this.listed.length < LISTED_MAX) this.listed.push(fault);
  }
}
