/**
 * Hands files to the writing workers: small files in batches that follow the blocks they lie in, so that each block is
 * decoded once; large files in segments, so that one file keeps all cores busy. Bounded in what is under way.
 */
import type { ErrorCode } from '../errors.ts';
import { fromSystemError, hasCode, SnapError } from '../errors.ts';
import type { BlobLocation } from '../index/blob-index.ts';
import { BLOB_KIND } from '../object/blob-id.ts';
import type { ChunkRef, FileEntry } from '../object/tree-entry.ts';
import { BLOCK_HEADER_BYTES } from '../pack/pack-format.ts';
import { packName } from '../repo/layout.ts';
import type { Repository } from '../repo/repository.ts';
import type { BlockRef } from '../work/block-source.ts';
import { STAT_NUMBERS } from '../work/jobs.ts';
import type { Workers } from '../work/start-workers.ts';
import type { WriteChunk, WriteFile, WriteReply } from '../work/write-files.ts';
import type { Target } from './target.ts';

export interface FailedPath {
  readonly path: string;
  readonly code: ErrorCode;
  readonly reason: string;
}

const BATCH_BYTES = 4 * 1024 * 1024;
const BATCH_FILES_MAX = 1024;
const LARGE_BYTES = 8 * 1024 * 1024;
const SEGMENT_BYTES = 8 * 1024 * 1024;

interface Pending {
  readonly path: string;
  readonly file: WriteFile;
}

/** Who is told of each file in place. */
export interface WriteReport {
  readonly wantStats: boolean;
  /** `numbers`: size, mtime, ctime, inode, if wanted and known. */
  written(path: string, numbers: BigInt64Array | undefined, bytes: number): void;
}

export class FileWriter {
  readonly failures: FailedPath[] = [];
  readonly #repository: Repository;
  readonly #workers: Workers;
  readonly #target: Target;
  readonly #report: WriteReport;
  readonly #running = new Set<Promise<void>>();
  #blocks = new Map<string, number>();
  #refs: BlockRef[] = [];
  #batch: Pending[] = [];
  #batchBytes = 0;
  #fatal: unknown;

  constructor(repository: Repository, workers: Workers, target: Target, report: WriteReport) {
    this.#repository = repository;
    this.#workers = workers;
    this.#target = target;
    this.#report = report;
  }

  /** Queues a file. Failures of single files are collected; a full disk throws. */
  async write(path: string, entry: FileEntry): Promise<void> {
    let chunks: readonly ChunkRef[];
    try {
      chunks = await this.#repository.trees.chunks(entry);
      if (entry.size >= LARGE_BYTES) {
        await this.#room();
        this.#track(this.#writeLarge(path, entry, chunks));
        return;
      }
      await this.#add(path, entry, chunks);
    } catch (error) {
      if (!hasCode(error, 'corrupt-data')) throw error;
      this.failures.push({ path, code: error.code, reason: error.message });
    }
  }

  /** Waits until everything queued is in place. */
  async finish(): Promise<void> {
    this.#send();
    while (this.#running.size > 0) await Promise.all(this.#running);
    this.#check();
  }

  async #add(path: string, entry: FileEntry, chunks: readonly ChunkRef[]): Promise<void> {
    const located: BlobLocation[] = [];
    for (const chunk of chunks)
      located.push(
        this.#repository.index.find(BLOB_KIND.data, chunk.id) ??
          (await this.#repository.blobs.locate(BLOB_KIND.data, chunk.id)),
      );
    const first = located[0];
    const newBlock = first !== undefined && !this.#blocks.has(blockKey(first));
    if (
      this.#batch.length >= BATCH_FILES_MAX ||
      this.#batchBytes >= BATCH_BYTES ||
      (newBlock && this.#batchBytes >= BATCH_BYTES / 2)
    ) {
      this.#send();
      await this.#room();
    }
    const slash = path.lastIndexOf('/');
    const refs: WriteChunk[] = [];
    for (const [i, location] of located.entries()) {
      const chunk = chunks[i];
      if (chunk === undefined || chunk.length !== location.length)
        throw new SnapError('corrupt-data', `${path}: a chunk has another length than its file says`);
      refs.push({
        block: await this.#blockNumber(location),
        offset: location.offset,
        length: chunk.length,
        id: chunk.id,
      });
    }
    const file = {
      folder: slash < 0 ? '' : path.slice(0, slash),
      name: path.slice(slash + 1),
      mode: entry.mode,
      mtime: entry.mtime,
      owner: this.#target.owner(entry),
      size: entry.size,
      sparse: entry.sparse,
      chunks: refs,
    };
    this.#batch.push({ path, file });
    this.#batchBytes += entry.size;
  }

  #send(): void {
    const batch = this.#batch;
    const blocks = this.#refs;
    this.#batch = [];
    this.#batchBytes = 0;
    this.#blocks = new Map();
    this.#refs = [];
    if (batch.length === 0) return;
    this.#track(this.#writeBatch(batch, blocks));
  }

  async #writeBatch(batch: readonly Pending[], blocks: readonly BlockRef[]): Promise<void> {
    const reply = (await this.#workers.run({
      kind: 'write',
      root: this.#target.writeRoot,
      blocks,
      files: batch.map((pending) => pending.file),
      wantStats: this.#report.wantStats,
    })) as WriteReply;
    const { wantStats } = this.#report;
    for (const [i, { path, file }] of batch.entries()) {
      const failure = reply.failures[i];
      if (failure !== undefined) this.failures.push({ path, code: failure.code, reason: failure.message });
      else
        this.#report.written(
          path,
          wantStats ? reply.stats.slice(i * STAT_NUMBERS, (i + 1) * STAT_NUMBERS) : undefined,
          file.size,
        );
    }
  }

  async #writeLarge(path: string, entry: FileEntry, chunks: readonly ChunkRef[]): Promise<void> {
    let temporary: string | undefined;
    try {
      temporary = this.#target.createTemporary(entry.size);
      const segments: Promise<unknown>[] = [];
      let position = 0;
      let start = 0;
      let bytes = 0;
      for (const [i, chunk] of chunks.entries()) {
        bytes += chunk.length;
        if (bytes < SEGMENT_BYTES && i < chunks.length - 1) continue;
        while (segments.length >= this.#workers.capacity) await segments.shift();
        const job = await this.#segment(temporary, entry, position, chunks.slice(start, i + 1));
        const running = this.#workers.run(job);
        running.catch(() => undefined);
        segments.push(running);
        position += bytes;
        start = i + 1;
        bytes = 0;
      }
      await Promise.all(segments);
      if (position !== entry.size)
        throw new SnapError('corrupt-data', `the chunks of ${path} have ${position} bytes where ${entry.size} belong`);
      this.#target.finish(temporary, path, entry);
      this.#report.written(path, undefined, entry.size);
    } catch (error) {
      if (temporary !== undefined) this.#target.discard(temporary);
      const failure = fromSystemError(error, 'writing', path);
      if (failure.code === 'no-space' || failure.code === 'interrupted' || failure.code === 'internal') throw failure;
      this.failures.push({ path, code: failure.code, reason: failure.message });
    }
  }

  async #segment(
    path: string,
    entry: FileEntry,
    position: number,
    chunks: readonly ChunkRef[],
  ): Promise<Extract<import('../work/jobs.ts').Job, { kind: 'segment' }>> {
    const blocks: BlockRef[] = [];
    const numbers = new Map<string, number>();
    const refs: WriteChunk[] = [];
    for (const chunk of chunks) {
      const location = await this.#repository.blobs.locate(BLOB_KIND.data, chunk.id);
      if (location.length !== chunk.length)
        throw new SnapError('corrupt-data', 'a chunk has another length than its file says');
      const key = blockKey(location);
      let number = numbers.get(key);
      if (number === undefined) {
        number = blocks.push(await this.#blockRef(location)) - 1;
        numbers.set(key, number);
      }
      refs.push({ block: number, offset: location.offset, length: chunk.length, id: chunk.id });
    }
    return { kind: 'segment', path, position, sparse: entry.sparse, blocks, chunks: refs };
  }

  async #blockNumber(location: BlobLocation): Promise<number> {
    const key = blockKey(location);
    const known = this.#blocks.get(key);
    if (known !== undefined) return known;
    const number = this.#refs.push(await this.#blockRef(location)) - 1;
    this.#blocks.set(key, number);
    return number;
  }

  async #blockRef(location: BlobLocation): Promise<BlockRef> {
    const { backend } = this.#repository;
    const name = packName(location.pack);
    const base = { pack: location.pack, offset: location.blockOffset, storedLength: location.storedLength };
    const path = backend.localPath(name);
    if (path !== undefined) return { ...base, source: { path } };
    const bytes = await backend.get(name, {
      offset: location.blockOffset,
      length: BLOCK_HEADER_BYTES + location.storedLength,
    });
    if (bytes === undefined) throw new SnapError('corrupt-data', `pack ${location.pack} is missing from the store`);
    return { ...base, source: { bytes: new Uint8Array(bytes) } };
  }

  #track(work: Promise<void>): void {
    const done = work
      .catch((error: unknown) => {
        this.#fatal ??= error;
      })
      .finally(() => this.#running.delete(done));
    this.#running.add(done);
  }

  async #room(): Promise<void> {
    while (this.#running.size > this.#workers.capacity) await Promise.race(this.#running);
    this.#check();
  }

  #check(): void {
    if (this.#fatal !== undefined) throw this.#fatal;
  }
}

function blockKey(location: BlobLocation): string {
  return `${location.pack}:${location.blockOffset}`;
}
