/**
 * Writes new trees, snapshots and folder records into the index while a commit goes on, a few megabytes at a time.
 * Objects are answers to "what are the bytes of this id", and a record is good for one tree only: neither claims that
 * the store has anything, so an abandoned commit leaves nothing wrong.
 */
import type { BlobIndex } from '../index/blob-index.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';

const FLUSH_BYTES = 4 * 1024 * 1024;

export class IndexFeed {
  readonly #index: BlobIndex;
  #objects: { kind: BlobKind; id: BlobId; bytes: Uint8Array }[] = [];
  #folderRecords: { path: string; record: Uint8Array }[] = [];
  #bytes = 0;
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

  async flush(): Promise<void> {
    this.#send();
    await this.#writing;
  }

  #added(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes >= FLUSH_BYTES) this.#send();
  }

  #send(): void {
    const objects = this.#objects;
    const folderRecords = this.#folderRecords;
    this.#objects = [];
    this.#folderRecords = [];
    this.#bytes = 0;
    this.#writing = this.#writing.then(() => this.#index.write({ objects, folderRecords }));
    this.#writing.catch(() => undefined);
  }
}
