/**
 * Reads blobs of a store: index first, then the packs of the newest state, and only then an error. Every blob is hashed
 * before it is handed out. Decoded blocks are kept in a small cache, because neighbours are read together.
 */
import type { Breath } from '../async/breath.ts';
import type { Zstd } from '../compress/zstd.ts';
import { loadZstd } from '../compress/zstd.ts';
import { hasCode, SnapError } from '../errors.ts';
import type { BlobIndex, BlobLocation } from '../index/blob-index.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import { BLOB_KIND, blobIdOf, blobKindName } from '../object/blob-id.ts';
import type { PackId } from '../object/pack-id.ts';
import type { StoreState } from '../object/store-state.ts';
import { blobIn, openBlock } from '../pack/block.ts';
import type { PackFooter } from '../pack/pack-format.ts';
import { BLOCK_HEADER_BYTES } from '../pack/pack-format.ts';
import type { Backend } from '../storage/backend.ts';
import { readPackFooter } from './pack-footers.ts';
import { PackSearch } from './pack-search.ts';
import { readPackRange } from './read-pack.ts';

const CACHED_BLOCKS_MAX = 16;
/** Places where a blob is looked for, one after the other: each is a gc that moved it while it was looked for. */
export const PLACES_MAX = 5;

type Place = Pick<BlobLocation, 'pack' | 'blockOffset'>;

export class BlobReader {
  readonly #backend: Backend;
  readonly #index: BlobIndex;
  readonly #blocks = new Map<string, Uint8Array>();
  readonly #state: () => StoreState;
  readonly #packs: PackSearch;
  #zstd: Zstd | undefined;

  readonly #breath: Breath | undefined;

  /** `breath`: taken at each read, so that no walk through trees, however long, keeps signals out. */
  constructor(backend: Backend, index: BlobIndex, state: () => StoreState, breath?: Breath) {
    this.#backend = backend;
    this.#index = index;
    this.#state = state;
    this.#packs = new PackSearch(backend, state);
    this.#breath = breath;
  }

  /** Where a blob lies. Throws `corrupt-data` if no pack of the store has it. */
  async locate(kind: BlobKind, id: BlobId): Promise<BlobLocation> {
    const location = this.#index.find(kind, id) ?? (await this.#packs.find(kind, id));
    if (location !== undefined) return location;
    throw new SnapError('corrupt-data', `the ${blobKindName(kind)} ${id} is missing from the store`, {
      hint: 'Run `snap verify` to see which snapshots and paths need it.',
      context: { kind: blobKindName(kind), blob: id },
    });
  }

  /** The bytes of a blob. Throws `corrupt-data` if they are missing or damaged. */
  async read(kind: BlobKind, id: BlobId): Promise<Buffer> {
    const pause = this.#breath?.take();
    if (pause !== undefined) await pause;
    if (kind === BLOB_KIND.tree || kind === BLOB_KIND.snapshot) {
      const cached = this.#index.object(kind, id);
      if (cached !== undefined && blobIdOf(cached) === id) return cached;
    }
    return this.readStored(kind, id);
  }

  /** As `read`, from the store, whatever the index keeps. */
  async readStored(kind: BlobKind, id: BlobId): Promise<Buffer> {
    let location = await this.locate(kind, id);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#readAt(location, id);
      } catch (error) {
        if (!hasCode(error, 'corrupt-data') || attempt >= PLACES_MAX) throw error;
        location = await this.moved(kind, id, location, error);
      }
    }
  }

  /**
   * Where else a blob lies that could not be read at `before`: gc may have moved it since this process read the journal.
   * Throws `error` if it is nowhere else.
   */
  async moved(kind: BlobKind, id: BlobId, before: Place, error: SnapError): Promise<BlobLocation> {
    const now = await this.#packs.find(kind, id);
    if (now !== undefined && (now.pack !== before.pack || now.blockOffset !== before.blockOffset)) return now;
    if (now !== undefined || (await this.newestState()).packs.has(before.pack)) throw error;
    throw new SnapError('corrupt-data', `the ${blobKindName(kind)} ${id} is not in the store any more: gc removed it`, {
      hint: 'The snapshot that needs it was pruned while this command ran: `snap log` shows which ones there are.',
      context: { kind: blobKindName(kind), blob: id, pack: before.pack },
      cause: error,
    });
  }

  /** The footer of a live pack. */
  async footer(pack: PackId): Promise<PackFooter> {
    return readPackFooter(this.#backend, this.#state(), pack);
  }

  /** The state of the store as it is now, for reading only. */
  newestState(): Promise<StoreState> {
    return this.#packs.newestState();
  }

  async #readAt(location: BlobLocation, id: BlobId): Promise<Buffer> {
    const { offset, length, pack } = location;
    const block = await this.#block(location);
    try {
      const bytes = blobIn(block, offset, { id, length }, `pack ${pack}`);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    } catch (error) {
      // Perhaps only this reading of the disk was bad: the next one is a new one.
      this.#blocks.delete(blockKey(location));
      throw error;
    }
  }

  async #block(location: BlobLocation): Promise<Uint8Array> {
    const key = blockKey(location);
    const cached = this.#blocks.get(key);
    if (cached !== undefined) return cached;
    const length = BLOCK_HEADER_BYTES + location.storedLength;
    const bytes = await readPackRange(this.#backend, location.pack, { offset: location.blockOffset, length });
    const what = `block at ${location.blockOffset} of pack ${location.pack}`;
    this.#zstd ??= await loadZstd();
    const { raw } = openBlock(this.#zstd, bytes, what);
    if (this.#blocks.size >= CACHED_BLOCKS_MAX) {
      const oldest = this.#blocks.keys().next().value;
      if (oldest !== undefined) this.#blocks.delete(oldest);
    }
    this.#blocks.set(key, raw);
    return raw;
  }
}

function blockKey({ pack, blockOffset }: BlobLocation): string {
  return `${pack}:${blockOffset}`;
}
