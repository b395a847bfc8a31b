/**
 * Reachability: which blobs snapshots need, marked with one bit for each in a PackTable. Reads trees and lists from
 * packs only, block by block: a block is decoded once, because what a tree refers to was stored before it, so the walk
 * goes from the last block to the first. Marks add up: marking the roots to keep first and others after them gives
 * exactly what only the others hold.
 */
import { loadZstd } from '../compress/zstd.ts';
import type { Zstd } from '../compress/zstd.ts';
import { hasCode, SnapError } from '../errors.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import { BLOB_KIND, blobIdOf, blobKindName } from '../object/blob-id.ts';
import type { PackId } from '../object/pack-id.ts';
import { openBlock } from '../pack/block.ts';
import { BLOCK_HEADER_BYTES } from '../pack/pack-format.ts';
import type { Backend } from '../storage/backend.ts';
import { BitSet } from './bit-set.ts';
import { packName } from './layout.ts';
import type { PackTable } from './pack-table.ts';
import { findReferences } from './references.ts';

const CACHED_BLOCKS_MAX = 12;

/** What one call of `mark` added. Stored bytes are shares of blocks (PackTable.storedShare). */
export interface MarkTotals {
  readonly blobs: number;
  readonly rawBytes: number;
  readonly storedBytes: number;
}

/** A blob that is needed and cannot be read; `place` is undefined if no pack has it. */
export interface MarkFault {
  readonly kind: BlobKind;
  readonly id: BlobId;
  readonly place: { readonly pack: PackId; readonly offset: number } | undefined;
  readonly reason: string;
}

export interface MarkerOptions {
  readonly backend: Backend;
  readonly table: PackTable;
  /** Told of each blob that cannot be read; the walk goes on. By default it throws `corrupt-data`. */
  readonly fault?: (fault: MarkFault) => void;
  /** Given each tree, list and snapshot once, as they are read; the bytes are a view of the block. */
  readonly visit?: (kind: BlobKind, number: number, bytes: Buffer) => void;
  readonly signal?: AbortSignal | undefined;
}

export class Marker {
  readonly table: PackTable;
  readonly marked: BitSet;
  readonly #options: MarkerOptions;
  readonly #pending: (number[] | undefined)[] = [];
  readonly #cache = new Map<number, Uint8Array>();
  #highest = -1;
  #zstd: Zstd | undefined;
  #rawBytes = 0;
  #storedBytes = 0;

  constructor(options: MarkerOptions) {
    this.#options = options;
    this.table = options.table;
    this.marked = new BitSet(options.table.size);
  }

  /** Raw and stored bytes of all that is marked. */
  get totals(): MarkTotals {
    return { blobs: this.marked.count, rawBytes: this.#rawBytes, storedBytes: this.#storedBytes };
  }

  /** Marks all that these snapshots need and returns what that added. Throws `corrupt-data` unless faults are taken. */
  async mark(snapshots: Iterable<BlobId>): Promise<MarkTotals> {
    const before = this.totals;
    for (const id of snapshots) this.#touch(BLOB_KIND.snapshot, Buffer.from(id, 'hex'), 0);
    for (; this.#highest >= 0; this.#highest--) {
      for (let numbers = this.#pending[this.#highest]; numbers !== undefined; numbers = this.#pending[this.#highest]) {
        const block = this.#highest;
        await this.#walkBlock(block, numbers);
        // What was found in later blocks goes first.
        if (this.#highest > block) continue;
      }
    }
    const { blobs, rawBytes, storedBytes } = this.totals;
    return { blobs: blobs - before.blobs, rawBytes: rawBytes - before.rawBytes, storedBytes: storedBytes - before.storedBytes };
  }

  #touch(kind: BlobKind, bytes: Buffer, offset: number): void {
    const { table } = this;
    const number = table.find(kind, bytes, offset);
    if (number < 0) {
      this.#fault({ kind, id: bytes.toString('hex', offset, offset + 32) as BlobId, place: undefined, reason: 'it is missing from the store' });
      return;
    }
    if (!this.marked.add(number)) return;
    this.#rawBytes += table.lengthOf(number);
    this.#storedBytes += table.storedShare(number);
    if (kind === BLOB_KIND.data) return;
    const block = table.blockNumberOf(number);
    const pending = this.#pending[block];
    if (pending !== undefined) pending.push(number);
    else this.#pending[block] = [number];
    if (block > this.#highest) this.#highest = block;
  }

  /** Follows blobs of one block, and those of the same block that they lead to. */
  async #walkBlock(block: number, numbers: number[]): Promise<void> {
    this.#options.signal?.throwIfAborted();
    await new Promise(setImmediate);
    const raw = await this.#rawBlock(block, numbers);
    for (let number = numbers.pop(); number !== undefined; number = numbers.pop()) {
      if (raw !== undefined) this.#follow(number, raw);
    }
    this.#pending[block] = undefined;
  }

  #follow(number: number, raw: Uint8Array): void {
    const { table } = this;
    const kind = table.kindOf(number);
    const offset = table.offsetOf(number);
    const bytes = Buffer.from(raw.buffer, raw.byteOffset + offset, Math.min(table.lengthOf(number), Math.max(0, raw.length - offset)));
    if (blobIdOf(bytes) !== table.idOf(number)) {
      this.#faultAt(number, 'its bytes are not what was stored');
      return;
    }
    try {
      findReferences(kind, bytes, (childKind, holder, at) => this.#touch(childKind, holder, at));
    } catch (error) {
      if (!hasCode(error, 'corrupt-data')) throw error;
      this.#faultAt(number, error.message);
      return;
    }
    this.#options.visit?.(kind, number, bytes);
  }

  /** The decoded block; read a second time before it counts as damaged, since a bad read may pass. */
  async #rawBlock(block: number, numbers: readonly number[]): Promise<Uint8Array | undefined> {
    const cached = this.#cache.get(block);
    if (cached !== undefined) return cached;
    for (let attempt = 1; ; attempt++) {
      try {
        const raw = await this.#readBlock(block, attempt > 1);
        if (attempt < 2 && numbers.some((number) => !this.#isWhole(number, raw))) continue;
        if (this.#cache.size >= CACHED_BLOCKS_MAX) {
          const oldest = this.#cache.keys().next().value;
          if (oldest !== undefined) this.#cache.delete(oldest);
        }
        this.#cache.set(block, raw);
        return raw;
      } catch (error) {
        if (!hasCode(error, 'corrupt-data')) throw error;
        if (attempt < 2) continue;
        for (const number of numbers) this.#faultAt(number, error.message);
        return undefined;
      }
    }
  }
}
