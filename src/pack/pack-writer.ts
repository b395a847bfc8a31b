/**
 * Writes one pack into a staging file: header, blocks as they come, footer, trailer; then syncs it. It is published by
 * the storage layer under its final name afterwards. After any failure the writer is poisoned and the file removed.
 */
import { createHash } from 'node:crypto';
import type { Disk } from '../disk/disk.ts';
import { OPEN } from '../disk/disk.ts';
import { removeQuietly } from '../disk/files.ts';
import { writeFully } from '../disk/whole-calls.ts';
import { fromSystemError, SnapError } from '../errors.ts';
import type { PackRecord } from '../object/journal-entry.ts';
import type { PackId } from '../object/pack-id.ts';
import type { SealedBlock } from './block.ts';
import type { FooterBlock } from './pack-format.ts';
import { encodePackHeader, FooterEncoder } from './pack-format.ts';

/** A pack that is whole and durable in its staging file. */
export interface StagedPack {
  readonly record: PackRecord;
  readonly path: string;
}

export class PackWriter {
  readonly id: PackId;
  readonly #disk: Disk;
  readonly #path: string;
  readonly #hash = createHash('sha256');
  readonly #footer = new FooterEncoder();
  #fd: number | undefined;
  #size = 0;
  #blobs = 0;

  /** Creates the staging file; `path` must not exist. */
  constructor(disk: Disk, id: PackId, path: string) {
    this.id = id;
    this.#disk = disk;
    this.#path = path;
    this.#fd = disk.open(path, OPEN.create, 0o600);
    this.#write(encodePackHeader(id));
  }

  /** Bytes of the pack if it were sealed now: of tiny blobs the footer is larger than what they are stored as. */
  get size(): number {
    return this.#size + this.#footer.size;
  }

  /** Appends a block and returns its place. */
  append(block: SealedBlock): FooterBlock {
    const placed = { ...block.header, offset: this.#size, blobs: block.blobs };
    this.#write(block.bytes);
    this.#footer.add(placed);
    this.#blobs += block.blobs.length;
    return placed;
  }

  /** Writes the footer and makes the file durable. The writer is of no use afterwards. */
  async seal(): Promise<StagedPack> {
    this.#write(this.#footer.finish());
    const fd = this.#take();
    try {
      await this.#disk.syncLater(fd);
    } catch (error) {
      this.#discard(fd);
      throw fromSystemError(error, 'writing', this.#path);
    }
    try {
      this.#disk.close(fd);
    } catch (error) {
      removeQuietly(this.#disk, this.#path);
      throw fromSystemError(error, 'writing', this.#path);
    }
    return {
      record: { id: this.id, size: this.#size, sha256: this.#hash.digest('hex'), blobs: this.#blobs },
      path: this.#path,
    };
  }

  /** Gives the pack up and removes its file. May be called after anything. */
  abandon(): void {
    if (this.#fd !== undefined) this.#discard(this.#take());
  }

  #write(bytes: Uint8Array): void {
    if (this.#fd === undefined) throw new SnapError('internal', 'a pack writer was used after it failed or was sealed');
    try {
      writeFully(this.#disk, this.#fd, bytes, null);
    } catch (error) {
      this.#discard(this.#take());
      throw fromSystemError(error, 'writing', this.#path);
    }
    this.#hash.update(bytes);
    this.#size += bytes.length;
  }

  #take(): number {
    const fd = this.#fd;
    if (fd === undefined) throw new SnapError('internal', 'a pack writer was used after it failed or was sealed');
    this.#fd = undefined;
    return fd;
  }

  #discard(fd: number): void {
    removeQuietly(this.#disk, this.#path);
    this.#disk.close(fd);
  }
}
