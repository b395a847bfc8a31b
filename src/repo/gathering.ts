/** Blobs that are copied from pack to pack, gathered so that those of like kind share a block. */
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import type { BlobBytes } from '../pack/block.ts';
import type { BlobWriter } from './blob-writer.ts';

/** Blobs are collected up to this many bytes and packed together. */
const GATHER_BYTES = 1024 * 1024;

/** Claimed blobs on their way into a block. */
export class Gathering {
  readonly #writer: BlobWriter;
  #blobs: BlobBytes[] = [];
  #bytes = 0;

  constructor(writer: BlobWriter) {
    this.#writer = writer;
  }

  /** Copies the bytes, so that a block of a megabyte is not held for one blob of it. */
  add(kind: BlobKind, id: BlobId, bytes: Uint8Array): void {
    this.#blobs.push({ blob: { kind, id, length: bytes.length }, bytes: new Uint8Array(bytes) });
    this.#bytes += bytes.length;
    if (this.#bytes >= GATHER_BYTES) this.flush();
  }

  flush(): void {
    const blobs = this.#blobs;
    if (blobs.length === 0) return;
    this.#blobs = [];
    this.#bytes = 0;
    this.#writer.storeAll(blobs);
  }
}
