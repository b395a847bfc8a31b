/**
 * The index in memory, built from journal and footers: for commands that find LevelDB in use by another process, for
 * gc and verify, which must not trust an index, and for tests. About 70 bytes a blob.
 */
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import type { PackId } from '../object/pack-id.ts';
import type { StoreState } from '../object/store-state.ts';
import { EMPTY_STATE } from '../object/store-state.ts';
import type { FooterBlock, PackFooter } from '../pack/pack-format.ts';
import type { BlobIndex, BlobLocation, IndexChanges, PlacedBlock } from './blob-index.ts';
import { BlobTable } from './blob-table.ts';

interface BlockPlace {
  readonly pack: PackId;
  readonly blockOffset: number;
  readonly storedLength: number;
  readonly rawLength: number;
}

export class MemoryIndex implements BlobIndex {
  readonly kind = 'memory';
  state: StoreState = EMPTY_STATE;
  readonly #table = new BlobTable();
  #blockOf = new Uint32Array(1024);
  #offsets = new Uint32Array(1024);
  #lengths = new Uint32Array(1024);
  readonly #blocks: BlockPlace[] = [];
  readonly #prepared = new Map<PackId, FooterBlock[]>();
  readonly #folderRecords = new Map<string, Buffer>();

  find(kind: BlobKind, id: BlobId): BlobLocation | undefined {
    const number = this.#table.find(kind, id);
    if (number < 0) return undefined;
    const block = this.#blocks[this.#blockOf[number] ?? 0];
    if (block === undefined || !this.state.packs.has(block.pack)) return undefined;
    return { ...block, offset: this.#offsets[number] ?? 0, length: this.#lengths[number] ?? 0 };
  }

  object(): undefined {
    return undefined;
  }

  folderRecord(path: string): Buffer | undefined {
    return this.#folderRecords.get(path);
  }

  async write(changes: IndexChanges): Promise<void> {
    for (const pack of changes.packs ?? []) this.addPack(pack.id, pack.footer);
    for (const { path, record } of changes.folderRecords ?? []) this.#folderRecords.set(path, Buffer.from(record));
    if (changes.state === undefined) return;
    this.state = changes.state;
    for (const [pack, blocks] of this.#prepared) {
      if (!changes.state.packs.has(pack)) continue;
      this.#prepared.delete(pack);
      this.addPack(pack, { blocks });
    }
  }

  async prepare(blocks: readonly PlacedBlock[]): Promise<void> {
    for (const { pack, block } of blocks) {
      const before = this.#prepared.get(pack);
      if (before === undefined) this.#prepared.set(pack, [block]);
      else before.push(block);
    }
  }

  async close(): Promise<void> {}

  /** Adds the blobs of a pack; a blob in several packs is answered from the pack added last, if the state has that. */
  addPack(pack: PackId, footer: PackFooter): void {
    for (const block of footer.blocks) {
      const blockNumber =
        this.#blocks.push({
          pack,
          blockOffset: block.offset,
          storedLength: block.storedLength,
          rawLength: block.rawLength,
        }) - 1;
      let offset = 0;
      for (const blob of block.blobs) {
        const number = this.#table.add(blob.kind, blob.id);
        this.#reserve(number);
        this.#blockOf[number] = blockNumber;
        this.#offsets[number] = offset;
        this.#lengths[number] = blob.length;
        offset += blob.length;
      }
    }
  }

  #reserve(number: number): void {
    if (number < this.#blockOf.length) return;
    const grow = (old: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> => {
      const grown = new Uint32Array(old.length * 2);
      grown.set(old);
      return grown;
    };
    this.#blockOf = grow(this.#blockOf);
    this.#offsets = grow(this.#offsets);
    this.#lengths = grow(this.#lengths);
  }
}
