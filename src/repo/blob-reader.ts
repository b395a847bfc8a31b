/**
 * Reads blobs of a store: index first, then the footers of all packs, and only then an error. Every blob is hashed
 * before it is handed out. Decoded blocks are kept in a small cache, because neighbours are read together.
 */
import type { Zstd } from '../compress/zstd.ts';
import { loadZstd } from '../compress/zstd.ts';
import { hasCode, SnapError } from '../errors.ts';
import type { BlobIndex, BlobLocation } from '../index/blob-index.ts';
import { MemoryIndex } from '../index/memory-index.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import { BLOB_KIND, blobIdOf, blobKindName } from '../object/blob-id.ts';
import type { PackId } from '../object/pack-id.ts';
import type { StoreState } from '../object/store-state.ts';
import { blobIn, openBlock } from '../pack/block.ts';
import type { PackFooter } from '../pack/pack-format.ts';
import { BLOCK_HEADER_BYTES } from '../pack/pack-format.ts';
import { readFooter } from '../pack/pack-reader.ts';
import type { Backend } from '../storage/backend.ts';
import { readState } from './journal-base.ts';
import { packName } from './layout.ts';

const CACHED_BLOCKS_MAX = 16;

export class BlobReader {
  readonly #backend: Backend;
  readonly #index: BlobIndex;
  readonly #state: () => StoreState;
  readonly #blocks = new Map<string, Uint8Array>();
  #zstd: Zstd | undefined;
  #footers: MemoryIndex | undefined;

  constructor(backend: Backend, index: BlobIndex, state: () => StoreState) {
    this.#backend = backend;
    this.#index = index;
    this.#state = state;
  }

  /** Where a blob lies. Throws `corrupt-data` if no pack of the store has it. */
  async locate(kind: BlobKind, id: BlobId): Promise<BlobLocation> {
    const location = this.#index.find(kind, id) ?? (await this.#fromFooters(kind, id));
    if (location !== undefined) return location;
    throw new SnapError('corrupt-data', `the ${blobKindName(kind)} ${id} is missing from the store`, {
      hint: 'Run `snap verify` to see which snapshots and paths need it.',
      context: { kind: blobKindName(kind), blob: id },
    });
  }

  /** The bytes of a blob. Throws `corrupt-data` if they are missing or damaged. */
  async read(kind: BlobKind, id: BlobId): Promise<Buffer> {
    if (kind === BLOB_KIND.tree || kind === BLOB_KIND.snapshot) {
      const cached = this.#index.object(kind, id);
      if (cached !== undefined && blobIdOf(cached) === id) return cached;
    }
    return this.readStored(kind, id);
  }

  /** As `read`, from the store, whatever the index keeps. */
  async readStored(kind: BlobKind, id: BlobId): Promise<Buffer> {
    const location = await this.locate(kind, id);
    try {
      return await this.#readAt(location, id);
    } catch (error) {
      if (!hasCode(error, 'corrupt-data')) throw error;
      // Gc may have moved it to another pack since this process read the journal.
      const moved = await this.#fromFooters(kind, id);
      if (moved === undefined || moved.pack === location.pack) throw error;
      return this.#readAt(moved, id);
    }
  }

  /** The footer of a live pack. */
  async footer(pack: PackId): Promise<PackFooter> {
    return readPackFooter(this.#backend, this.#state(), pack);
  }

  async #readAt(location: BlobLocation, id: BlobId): Promise<Buffer> {
    const { offset, length, pack } = location;
    const bytes = blobIn(await this.#block(location), offset, { id, length }, `pack ${pack}`);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  async #block(location: BlobLocation): Promise<Uint8Array> {
    const key = `${location.pack}:${location.blockOffset}`;
    const cached = this.#blocks.get(key);
    if (cached !== undefined) return cached;
    const length = BLOCK_HEADER_BYTES + location.storedLength;
    const bytes = await this.#backend.get(packName(location.pack), { offset: location.blockOffset, length });
    const what = `block at ${location.blockOffset} of pack ${location.pack}`;
    if (bytes === undefined)
      throw new SnapError('corrupt-data', `pack ${location.pack} is missing from the store`, {
        hint: 'Run `snap verify` to see which snapshots and paths need it.',
        context: { pack: location.pack },
      });
    this.#zstd ??= await loadZstd();
    const { raw } = openBlock(this.#zstd, bytes, what);
    if (this.#blocks.size >= CACHED_BLOCKS_MAX) {
      const oldest = this.#blocks.keys().next().value;
      if (oldest !== undefined) this.#blocks.delete(oldest);
    }
    this.#blocks.set(key, raw);
    return raw;
  }

  async #fromFooters(kind: BlobKind, id: BlobId): Promise<BlobLocation | undefined> {
    const state = await this.#newestState();
    if (this.#footers === undefined || this.#footers.state.hash !== state.hash)
      this.#footers = await indexFromFooters(this.#backend, state);
    return this.#footers.find(kind, id);
  }

  /** For reading only: what is published must rest on the state that the repository knows. */
  async #newestState(): Promise<StoreState> {
    const known = this.#state();
    try {
      return (await readState(this.#backend, known)).state;
    } catch (error) {
      if (hasCode(error, 'corrupt-data')) return known;
      throw error;
    }
  }
}

/** The footer of a pack, read with the size that the journal gives. */
export async function readPackFooter(backend: Backend, state: StoreState, pack: PackId): Promise<PackFooter> {
  const record = state.packs.get(pack);
  if (record === undefined) throw new SnapError('internal', `pack ${pack} is not in the journal`);
  return readFooter(pack, record.size, async (offset, length) => {
    const bytes = await backend.get(packName(pack), { offset, length });
    if (bytes === undefined)
      throw new SnapError('corrupt-data', `pack ${pack} is missing from the store`, {
        hint: 'Run `snap verify` to see which snapshots and paths need it.',
        context: { pack },
      });
    return bytes;
  });
}

/** An index of all readable packs of `state`; packs whose footer is damaged are left out. */
export async function indexFromFooters(
  backend: Backend,
  state: StoreState,
  damaged?: (pack: PackId, error: SnapError) => void,
): Promise<MemoryIndex> {
  const index = new MemoryIndex();
  for (const pack of state.packs.keys()) {
    try {
      index.addPack(pack, await readPackFooter(backend, state, pack));
    } catch (error) {
      if (!(error instanceof SnapError) || error.code !== 'corrupt-data') throw error;
      damaged?.(pack, error);
    }
  }
  await index.write({ state });
  return index;
}
