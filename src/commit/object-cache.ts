/**
 * Writes new trees and snapshots into the index while a commit goes on, a few megabytes at a time. They are answers to
 * "what are the bytes of this id", not claims that the store has them, so an abandoned commit leaves nothing wrong.
 */
import type { BlobIndex } from '../index/blob-index.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';

const FLUSH_BYTES = 4 * 1024 * 1024;

export class ObjectCache {
  readonly #index: BlobIndex;
  #objects: { kind: BlobKind; id: BlobId; bytes: Uint8Array }[] = [];
  #bytes = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(index: BlobIndex) {
    this.#index = index;
  }

  add(kind: BlobKind, id: BlobId, bytes: Uint8Array): void {
    this.#objects.push({ kind, id, bytes });
    this.#bytes += bytes.length;
    if (this.#bytes >= FLUSH_BYTES) this.#send();
  }

  async flush(): Promise<void> {
    this.#send();
    await this.#writing;
  }

  #send(): void {
    const objects = this.#objects;
    this.#objects = [];
    this.#bytes = 0;
    this.#writing = this.#writing.then(() => this.#index.write({ objects }));
    this.#writing.catch(() => undefined);
  }
}
