/**
 * Puts new blobs into packs: decides by id what is new, has workers lay them into blocks, appends the blocks to the
 * open pack, seals and publishes packs as they fill. Nothing it publishes is reachable until a journal entry names it;
 * after a failure or a crash its packs are leftovers that gc removes.
 */
import { release } from '../bytes/release.ts';
import type { CompressionLevel } from '../compress/block-codec.ts';
import { removeQuietly } from '../disk/files.ts';
import { describing, SnapError } from '../errors.ts';
import type { BlobIndex } from '../index/blob-index.ts';
import { BlobTable } from '../index/blob-table.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import type { PackRecord } from '../object/journal-entry.ts';
import type { PackId } from '../object/pack-id.ts';
import { parsePackId } from '../object/pack-id.ts';
import type { BlobBytes } from '../pack/block.ts';
import type { FooterBlock, PackedBlob } from '../pack/pack-format.ts';
import { PackWriter } from '../pack/pack-writer.ts';
import type { Backend } from '../storage/backend.ts';
import type { PackReply } from '../work/jobs.ts';
import type { Workers } from '../work/start-workers.ts';
import type { Environment } from './environment.ts';
import { packName } from './layout.ts';

export interface BlobWriterOptions {
  readonly environment: Environment;
  readonly backend: Backend;
  readonly workers: Workers;
  /** What counts as known already. */
  readonly isKnown: (kind: BlobKind, id: BlobId) => boolean;
  readonly level: CompressionLevel;
  readonly packBytes: number;
  /** Told of each block that lies in a pack; the pack is in the store only when `finish` returns. */
  readonly placed: (pack: PackId, block: FooterBlock) => void;
}

/** Buffers kept for the next readings. */
const SPARE_MAX = 2;
/** Blobs of the main thread are collected up to this many bytes before a worker packs them. */
const COLLECT_BYTES = 1024 * 1024;

export class BlobWriter {
  readonly #options: BlobWriterOptions;
  readonly #seen = new BlobTable();
  readonly #jobs = new Set<Promise<void>>();
  readonly #seals: Promise<PackRecord>[] = [];
  readonly #spare: ArrayBuffer[] = [];
  #collected: BlobBytes[] = [];
  #collectedBytes = 0;
  #pack: PackWriter | undefined;
  #failure: unknown;
  #newBytes = 0;
  #storedBytes = 0;

  constructor(options: BlobWriterOptions) {
    this.#options = options;
  }

  /** Bytes of new blobs before compression, and of their blocks after it. */
  get newBytes(): number {
    return this.#newBytes;
  }

  get storedBytes(): number {
    return this.#storedBytes;
  }

  /** True once anything new was handed over. */
  get hasNew(): boolean {
    return this.#newBytes > 0 || this.#collected.length > 0;
  }

  /** A buffer to read into, used before; undefined if there is none. */
  spareBuffer(): ArrayBuffer | undefined {
    return this.#spare.pop();
  }

  giveBack(buffer: ArrayBuffer): void {
    if (buffer.byteLength >= 64 * 1024 && this.#spare.length < SPARE_MAX) this.#spare.push(buffer);
    else release(new Uint8Array(buffer));
  }

  /** True if this blob is new, and from now on known: the caller must store it. */
  claim(kind: BlobKind, id: BlobId): boolean {
    const before = this.#seen.size;
    this.#seen.add(kind, id);
    return this.#seen.size > before && !this.#options.isKnown(kind, id);
  }

  /** Stores claimed blobs that lie at `offsets` in `buffer`, which moves to a worker. */
  storeFrom(buffer: ArrayBuffer, blobs: readonly PackedBlob[], offsets: Uint32Array<ArrayBuffer>): void {
    const kinds = new Uint8Array(blobs.length);
    const lengths = new Uint32Array(blobs.length);
    for (const [i, blob] of blobs.entries()) {
      kinds[i] = blob.kind;
      lengths[i] = blob.length;
      this.#newBytes += blob.length;
    }
    const ids = blobs.map((blob) => blob.id).join('');
    const work = this.#options.workers.run(
      { kind: 'pack', level: this.#options.level, buffer, kinds, offsets, lengths, ids },
      [buffer, kinds.buffer, offsets.buffer, lengths.buffer],
      true,
    );
    const done = work
      .then((reply) => this.#append(reply as PackReply, blobs))
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => this.#jobs.delete(done));
    this.#jobs.add(done);
  }

  /** Stores claimed blobs that lie each for itself. */
  storeAll(blobs: readonly BlobBytes[]): void {
    const offsets = new Uint32Array(blobs.length);
    const bytes = new Uint8Array(blobs.reduce((sum, { blob }) => sum + blob.length, 0));
    let offset = 0;
    for (const [i, part] of blobs.entries()) {
      bytes.set(part.bytes, offset);
      offsets[i] = offset;
      offset += part.blob.length;
    }
    this.storeFrom(
      bytes.buffer,
      blobs.map(({ blob }) => blob),
      offsets,
    );
  }

  /** Stores a blob of the main thread if it is new; returns whether it was. */
  store(kind: BlobKind, id: BlobId, bytes: Uint8Array): boolean {
    if (!this.claim(kind, id)) return false;
    this.#collected.push({ blob: { kind, id, length: bytes.length }, bytes });
    this.#collectedBytes += bytes.length;
    if (this.#collectedBytes >= COLLECT_BYTES) this.#packCollected();
    return true;
  }

  /** Waits while more packing is under way than the workers take. Throws what failed. */
  async ready(): Promise<void> {
    while (this.#jobs.size > this.#options.workers.capacity / 2) await Promise.race(this.#jobs);
    this.#check();
  }

  /** Packs what was collected and waits until it is in the open pack. */
  async drain(): Promise<void> {
    this.#packCollected();
    while (this.#jobs.size > 0) await Promise.all(this.#jobs);
    this.#check();
  }

  /** Packs and publishes the rest; afterwards every stored blob is durable in the store. */
  async finish(): Promise<PackRecord[]> {
    await this.drain();
    this.#seal();
    return Promise.all(this.#seals);
  }

  /** Gives up: removes what is staged. Published packs stay, unreferenced, for gc. */
  async abandon(): Promise<void> {
    this.#failure ??= new SnapError('interrupted', 'the commit was given up');
    await Promise.allSettled(this.#jobs);
    this.#pack?.abandon();
    this.#pack = undefined;
    await Promise.allSettled(this.#seals);
  }

  #packCollected(): void {
    const blobs = this.#collected;
    if (blobs.length === 0) return;
    this.#collected = [];
    this.#collectedBytes = 0;
    this.storeAll(blobs);
  }

  #append(reply: PackReply, all: readonly PackedBlob[]): void {
    this.giveBack(reply.buffer);
    if (this.#failure !== undefined) return;
    let next = 0;
    for (const { header, bytes, blobs: count } of reply.blocks) {
      const blobs = all.slice(next, next + count);
      next += count;
      this.#pack ??= this.#newPack();
      this.#options.placed(this.#pack.id, this.#pack.append({ header, bytes, blobs }));
      this.#storedBytes += bytes.length;
      release(bytes);
      if (this.#pack.size >= this.#options.packBytes) this.#seal();
    }
  }

  #newPack(): PackWriter {
    const { environment, backend } = this.#options;
    const id = parsePackId(environment.uniqueName(), 'new pack');
    const path = `${backend.stagingFolder()}/${id}.pack`;
    return describing('writing', path, () => new PackWriter(environment.disk, id, path));
  }

  #seal(): void {
    const pack = this.#pack;
    if (pack === undefined) return;
    this.#pack = undefined;
    const sealed = publishPack(this.#options, pack);
    sealed.catch((error: unknown) => {
      this.#failure ??= error;
    });
    this.#seals.push(sealed);
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}

async function publishPack({ environment, backend }: BlobWriterOptions, pack: PackWriter): Promise<PackRecord> {
  const { path, record } = await pack.seal();
  try {
    await backend.publish(path, packName(pack.id));
  } catch (error) {
    // Most of all on a full disk: what is not published takes room for nothing.
    removeQuietly(environment.disk, path);
    throw error;
  }
  return record;
}

/** What a commit knows already: blobs that the index places in packs which are really there. */
export function knownInIndex(index: BlobIndex, missing: ReadonlySet<PackId>): (kind: BlobKind, id: BlobId) => boolean {
  // The index of a first commit holds nothing but what the commit itself has just put in.
  if (index.state.packs.size === 0) return () => false;
  return (kind, id) => {
    const location = index.find(kind, id);
    return location !== undefined && !missing.has(location.pack);
  };
}
