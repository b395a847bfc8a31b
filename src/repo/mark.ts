/**
 * Reachability: which blobs snapshots need, marked with one bit for each in a PackTable. Reads trees and lists from
 * packs only, block by block: a block is decoded once, because what a tree refers to was stored before it, so the walk
 * goes from the last block to the first. Marks add up: marking the roots to keep first and others after them gives
 * exactly what only the others hold.
 */

import type { Zstd } from '../compress/zstd.ts';
import { loadZstd } from '../compress/zstd.ts';
import { hasCode, SnapError } from '../errors.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import { BLOB_KIND, blobIdOf, blobKindName } from '../object/blob-id.ts';
import type { PackId } from '../object/pack-id.ts';
import { openBlock } from '../pack/block.ts';
import { BLOCK_HEADER_BYTES } from '../pack/pack-format.ts';
import type { Backend } from '../storage/backend.ts';
import { BitSet } from './bit-set.ts';
import type { PackTable } from './pack-table.ts';
import { readPackRange } from './read-pack.ts';
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
  /** What `#fault` threw: passed on through the blob that was followed, which is not at fault. */
  #raised: SnapError | undefined;
  #passesOver = false;
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

  /** As `mark`, of what can be found of what these snapshots need; what cannot is passed over. */
  async markReadable(snapshots: Iterable<BlobId>): Promise<MarkTotals> {
    this.#passesOver = true;
    try {
      return await this.mark(snapshots);
    } finally {
      this.#passesOver = false;
    }
  }

  /** Marks all that these snapshots need and returns what that added. Throws `corrupt-data` unless faults are taken. */
  async mark(snapshots: Iterable<BlobId>): Promise<MarkTotals> {
    const before = this.totals;
    for (const id of snapshots) this.#touch(BLOB_KIND.snapshot, Buffer.from(id, 'hex'), 0);
    while (this.#highest >= 0) {
      const numbers = this.#pending[this.#highest];
      if (numbers === undefined) this.#highest--;
      else await this.#walkBlock(this.#highest, numbers);
    }
    const { blobs, rawBytes, storedBytes } = this.totals;
    return {
      blobs: blobs - before.blobs,
      rawBytes: rawBytes - before.rawBytes,
      storedBytes: storedBytes - before.storedBytes,
    };
  }

  /** The bytes of a blob, good until the next call; undefined if they cannot be read. */
  async read(number: number): Promise<Buffer | undefined> {
    this.#options.signal?.throwIfAborted();
    const block = this.table.blockNumberOf(number);
    const raw = this.#cache.get(block) ?? (await this.#readBlock(block));
    if (typeof raw !== 'string') this.#remember(block, raw);
    return this.#bytesOf(number, raw);
  }

  #touch(kind: BlobKind, bytes: Buffer, offset: number): void {
    const { table } = this;
    const number = table.find(kind, bytes, offset);
    if (number < 0) {
      this.#fault({
        kind,
        id: bytes.toString('hex', offset, offset + 32) as BlobId,
        place: undefined,
        reason: 'it is missing from the store',
      });
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

  /** Follows blobs of one block, and those of the same block that they lead to, which join `numbers` meanwhile. */
  async #walkBlock(block: number, numbers: number[]): Promise<void> {
    this.#options.signal?.throwIfAborted();
    await new Promise(setImmediate);
    let raw = this.#cache.get(block) ?? (await this.#readBlock(block));
    let readAgain = false;
    for (let number = numbers.pop(); number !== undefined; number = numbers.pop()) {
      let bytes = this.#bytesOf(number, raw);
      if (bytes === undefined && !readAgain) {
        // A bad read may pass: only the second one is damage.
        readAgain = true;
        raw = await this.#readBlock(block);
        bytes = this.#bytesOf(number, raw);
      }
      if (bytes === undefined)
        this.#faultAt(number, typeof raw === 'string' ? raw : 'its bytes are not what was stored');
      else this.#follow(number, bytes);
    }
    if (typeof raw !== 'string') this.#remember(block, raw);
    this.#pending[block] = undefined;
  }

  #follow(number: number, bytes: Buffer): void {
    const kind = this.table.kindOf(number);
    try {
      findReferences(kind, bytes, (childKind, holder, offset) => this.#touch(childKind, holder, offset));
    } catch (error) {
      if (!hasCode(error, 'corrupt-data', 'unsupported-format') || error === this.#raised) throw error;
      this.#faultAt(number, error.message);
      return;
    }
    this.#options.visit?.(kind, number, bytes);
  }

  /** The bytes of a blob in its decoded block if they hash to its id. */
  #bytesOf(number: number, raw: Uint8Array | string): Buffer | undefined {
    if (typeof raw === 'string') return undefined;
    const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.length).subarray(
      this.table.offsetOf(number),
      this.table.offsetOf(number) + this.table.lengthOf(number),
    );
    return blobIdOf(bytes) === this.table.idOf(number) ? bytes : undefined;
  }

  /** The decoded block, or why there is none. */
  async #readBlock(block: number): Promise<Uint8Array | string> {
    this.#zstd ??= await loadZstd();
    return readTableBlock(this.#options.backend, this.#zstd, this.table, block);
  }

  #remember(block: number, raw: Uint8Array): void {
    this.#cache.delete(block);
    if (this.#cache.size >= CACHED_BLOCKS_MAX) {
      const oldest = this.#cache.keys().next().value;
      if (oldest !== undefined) this.#cache.delete(oldest);
    }
    this.#cache.set(block, raw);
  }

  #faultAt(number: number, reason: string): void {
    const place = { pack: this.table.packOf(number).id, offset: this.table.blockOf(number).offset };
    this.#fault({ kind: this.table.kindOf(number), id: this.table.idOf(number), place, reason });
  }

  #fault(fault: MarkFault): void {
    if (this.#passesOver) return;
    if (this.#options.fault !== undefined) {
      this.#options.fault(fault);
      return;
    }
    const where = fault.place === undefined ? '' : ` (pack ${fault.place.pack}, block at ${fault.place.offset})`;
    this.#raised = new SnapError(
      'corrupt-data',
      `the ${blobKindName(fault.kind)} ${fault.id}${where} cannot be read: ${fault.reason}`,
      {
        hint: 'Run `snap verify` to see which snapshots and paths need it. Nothing was removed.',
        context: { kind: blobKindName(fault.kind), blob: fault.id, ...fault.place },
      },
    );
    throw this.#raised;
  }
}

/** Reads and decodes a block of a table; its blobs are not hashed yet. Returns what is wrong as a text. */
export async function readTableBlock(
  backend: Backend,
  zstd: Zstd,
  table: PackTable,
  number: number,
): Promise<Uint8Array | string> {
  const block = table.blocks[number];
  const pack = block === undefined ? undefined : table.packs[block.pack];
  if (block === undefined || pack === undefined) throw new SnapError('internal', `no block ${number} in the table`);
  try {
    const bytes = await readPackRange(backend, pack.id, {
      offset: block.offset,
      length: BLOCK_HEADER_BYTES + block.storedLength,
    });
    return openBlock(zstd, bytes, `block at ${block.offset} of pack ${pack.id}`).raw;
  } catch (error) {
    if (!hasCode(error, 'corrupt-data', 'unsupported-format')) throw error;
    return error.message;
  }
}
