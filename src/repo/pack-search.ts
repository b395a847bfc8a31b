/**
 * Finds blobs by packs alone, on the newest state of the store: where the index does not know, or knows of a pack that
 * gc has swept since. A pack without its footer is scanned for its blocks. For reading only: what is published must
 * rest on the state that the repository knows, and on whole packs.
 */
import { loadZstd } from '../compress/zstd.ts';
import { hasCode, isUnreadable } from '../errors.ts';
import type { BlobLocation } from '../index/blob-index.ts';
import { MemoryIndex } from '../index/memory-index.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import { BLOB_KIND } from '../object/blob-id.ts';
import type { PackId } from '../object/pack-id.ts';
import type { StoreState } from '../object/store-state.ts';
import { scanPack } from '../pack/pack-reader.ts';
import type { Backend } from '../storage/backend.ts';
import { readState } from './journal-base.ts';
import { packName } from './layout.ts';
import { indexFromFooters } from './pack-footers.ts';

/** The packs of one state. */
interface Packs {
  readonly state: StoreState;
  readonly whole: MemoryIndex;
  /** Packs whose footer cannot be read. */
  readonly damaged: readonly PackId[];
  /** What lies in those, once somebody has asked for a blob that no footer lists. */
  scanned: Promise<MemoryIndex> | undefined;
}

/** Sweeps that may take packs away while footers are read; each is a whole gc. */
const ATTEMPTS_MAX = 5;

export class PackSearch {
  readonly #backend: Backend;
  readonly #known: () => StoreState;
  #packs: Packs | undefined;

  /** `known`: the state as the repository knows it. */
  constructor(backend: Backend, known: () => StoreState) {
    this.#backend = backend;
    this.#known = known;
  }

  /** Where a blob lies, or undefined if no pack of the newest state has it. */
  async find(kind: BlobKind, id: BlobId): Promise<BlobLocation | undefined> {
    for (let attempt = 1; ; attempt++) {
      const state = await this.newestState();
      const isCurrent = this.#packs?.state.hash === state.hash;
      const packs = this.#packs !== undefined && isCurrent ? this.#packs : await this.#read(state);
      const found = packs.whole.find(kind, id);
      if (found !== undefined) return found;
      // Swept while they were read: their entry is in the journal by now.
      if (!isCurrent && packs.damaged.length > 0 && attempt < ATTEMPTS_MAX) continue;
      // That a blob is a snapshot is said by refs and by whole footers, not by bytes that look like a block of them.
      return kind === BLOB_KIND.snapshot ? undefined : (await this.#scan(packs)).find(kind, id);
    }
  }

  /** The fold of the journal as it is now, or, if that is damaged, what the repository knows. */
  async newestState(): Promise<StoreState> {
    const known = this.#known();
    try {
      return (await readState(this.#backend, known)).state;
    } catch (error) {
      if (hasCode(error, 'corrupt-data')) return known;
      throw error;
    }
  }

  async #read(state: StoreState): Promise<Packs> {
    const damaged: PackId[] = [];
    const whole = await indexFromFooters(this.#backend, state, (pack) => damaged.push(pack));
    const packs = { state, whole, damaged, scanned: undefined };
    this.#packs = packs;
    return packs;
  }

  #scan(packs: Packs): Promise<MemoryIndex> {
    packs.scanned ??= scanAll(this.#backend, packs);
    return packs.scanned;
  }
}

/** An index of the blocks that a forward scan finds in damaged packs; every id in it is the hash of the bytes. */
async function scanAll(backend: Backend, { state, damaged }: Packs): Promise<MemoryIndex> {
  const index = new MemoryIndex();
  if (damaged.length === 0) return index;
  await index.write({ state });
  const zstd = await loadZstd();
  for (const pack of damaged) {
    const name = packName(pack);
    const size = (await backend.size(name)) ?? 0;
    const read = async (offset: number, length: number): Promise<Buffer> =>
      (await backend.get(name, { offset, length })) ?? Buffer.alloc(0);
    try {
      for await (const { parts, header, offset } of scanPack(zstd, pack, size, read, 0))
        index.addPack(pack, { blocks: [{ ...header, offset, blobs: parts.map(({ blob }) => blob) }] });
    } catch (error) {
      // What the disk does not give back any more costs the blobs behind it.
      if (!isUnreadable(error)) throw error;
    }
  }
  return index;
}
