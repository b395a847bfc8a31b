/**
 * Writes what a commit finds out into the index while it goes on, a few megabytes at a time. None of it claims that the
 * store has anything, so an abandoned commit leaves nothing wrong: objects are answers to "what are the bytes of this
 * id", a record is good for one tree only, and blobs are answered once the journal has named their pack.
 */
import type { BlobIndex, PlacedBlock } from '../index/blob-index.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import type { PackId } from '../object/pack-id.ts';
import type { FooterBlock } from '../pack/pack-format.ts';

const FLUSH_BYTES = 2 * 1024 * 1024;
/** About what a blob takes in memory on its way. */
const BLOB_BYTES = 256;
/** Writes under way or waiting. */
const BEHIND_MAX = 4;

export class IndexFeed {
  readonly #index: BlobIndex;
  #objects: { kind: BlobKind; id: BlobId; bytes: Uint8Array }[] = [];
  #folderRecords: { path: string; record: Uint8Array }[] = [];
  #blocks: PlacedBlock[] = [];
  #bytes = 0;
  #behind = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(index: BlobIndex) {
    this.#index = index;
  }

  addObject(kind: BlobKind, id: BlobId, bytes: Uint8Array): void {
    this.#objects.push({ kind, id, bytes });
    this.#added(bytes.length);
  }

  addRecord(path: string, record: Uint8Array): void {
    this.#folderRecords.push({ path, record });
    this.#added(record.length);
  }

  addBlock(pack: PackId, block: FooterBlock): void {
    this.#blocks.push({ pack, block });
    this.#added(block.blobs.length * BLOB_BYTES);
  }

  /** Waits while the index is far behind. Throws what failed. */
  async ready(): Promise<void> {
    while (this.#behind > BEHIND_MAX) await this.#writing;
  }

  async flush(): Promise<void> {
    this.#send();
    await this.#writing;
  }

  #added(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes >= FLUSH_BYTES) this.#send();
  }

  #send(): void {
    const [objects, folderRecords, blocks] = [this.#objects, this.#folderRecords, this.#blocks];
    this.#objects = [];
    this.#folderRecords = [];
    this.#blocks = [];
    this.#bytes = 0;
    this.#behind++;
    this.#writing = this.#writing.then(async () => {
      await this.#index.prepare(blocks);
      await this.#index.write({ objects, folderRecords });
      this.#behind--;
    });
    this.#writing.catch(() => undefined);
  }
}
