/**
 * Hands files to the writing workers: small files in batches that follow the blocks they lie in, so that each block is
 * decoded once; large files in segments, so that one file keeps all cores busy. Bounded in what is under way.
 */
import { hasCode, SnapError } from '../errors.ts';
import type { ChunkRef, FileEntry } from '../object/tree-entry.ts';
import { PLACES_MAX } from '../repo/blob-reader.ts';
import type { Repository } from '../repo/repository.ts';
import type { BlockRef } from '../work/block-source.ts';
import { STAT_NUMBERS } from '../work/jobs.ts';
import type { Workers } from '../work/start-workers.ts';
import type { Expected, SegmentJob, SegmentReply, WriteFile, WriteReply } from '../work/write-files.ts';
import { demandExpected } from '../work/write-files.ts';
import type { Blocks, Place } from './block-places.ts';
import { blockRefs, fetchPlaces, knownPlaces, movedChunks, writeChunks } from './block-places.ts';
import type { FailedPath } from './failed-path.ts';
import { failedPath } from './failed-path.ts';
import { fewChunks, LARGE_BYTES, stretchesOf } from './stretches.ts';
import type { Target, Temporary } from './target.ts';

const BATCH_BYTES = 4 * 1024 * 1024;
const BATCH_FILES_MAX = 1024;

interface Pending {
  readonly path: string;
  readonly file: WriteFile;
}

/** Who is told of each file in place, and who may stop the writing of large ones. */
export interface WriteReport {
  readonly wantStats: boolean;
  readonly signal: AbortSignal | undefined;
  /** So many more bytes, some of them perhaps of files that are not whole yet. */
  wrote(bytes: number): void;
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
  #blocks: Blocks = new Map();
  #batch: Pending[] = [];
  #batchBytes = 0;
  #fatal: unknown;
  #stopped = false;

  constructor(repository: Repository, workers: Workers, target: Target, report: WriteReport) {
    this.#repository = repository;
    this.#workers = workers;
    this.#target = target;
    this.#report = report;
  }

  /** Queues a file; waits only where it must. Throws what is wrong with its chunks, if they are few; what fails later is collected. */
  write(path: string, entry: FileEntry, expected: Expected): Promise<void> | undefined {
    if (entry.size < LARGE_BYTES && 'chunks' in entry.content) {
      const { chunks } = entry.content;
      const places = knownPlaces(this.#repository, chunks, this.#blocks);
      if (places !== undefined && !this.#isFull(places)) {
        this.#add(path, entry, chunks, places, expected);
        return undefined;
      }
    }
    return this.#writeSlowly(path, entry, expected);
  }

  /** Waits until everything queued is in place. */
  async finish(): Promise<void> {
    this.#send();
    while (this.#running.size > 0) await Promise.all(this.#running);
    this.#check();
  }

  /** Gives up what is not begun, and waits until no worker writes any more. */
  async settle(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  async #writeSlowly(path: string, entry: FileEntry, expected: Expected): Promise<void> {
    const chunks = await fewChunks(this.#repository.trees, entry);
    if (chunks === undefined) {
      await this.#room();
      this.#track(this.#writeLarge(path, entry, expected));
      return;
    }
    const places = await fetchPlaces(this.#repository, chunks, this.#blocks);
    while (this.#isFull(places)) {
      this.#send();
      await this.#room();
    }
    this.#add(path, entry, chunks, places, expected);
  }

  /** True if a batch should go before a file of these chunks comes into it. */
  #isFull(places: readonly Place[]): boolean {
    if (this.#batch.length >= BATCH_FILES_MAX || this.#batchBytes >= BATCH_BYTES) return true;
    const first = places[0];
    return this.#batchBytes >= BATCH_BYTES / 2 && first !== undefined && !this.#blocks.has(first.key);
  }

  /** Puts a file into the batch. Nothing is awaited here: the numbers of the blocks are the batch's. */
  #add(
    path: string,
    entry: FileEntry,
    chunks: readonly ChunkRef[],
    places: readonly Place[],
    expected: Expected,
  ): void {
    const slash = path.lastIndexOf('/');
    this.#batch.push({
      path,
      file: {
        folder: slash < 0 ? '' : path.slice(0, slash),
        name: path.slice(slash + 1),
        mode: entry.mode,
        mtime: entry.mtime,
        owner: this.#target.owner(entry),
        size: entry.size,
        sparse: entry.sparse,
        expected,
        chunks: writeChunks(this.#blocks, chunks, places),
      },
    });
    this.#batchBytes += entry.size;
  }

  #send(): void {
    const batch = this.#batch;
    const blocks = blockRefs(this.#blocks);
    this.#batch = [];
    this.#batchBytes = 0;
    this.#blocks = new Map();
    if (batch.length === 0) return;
    this.#track(this.#writeBatch(batch, blocks));
  }

  /** Writes a batch, and once more those of its files that gc took the packs away from. */
  async #writeBatch(batch: readonly Pending[], blocks: readonly BlockRef[]): Promise<void> {
    for (let left = batch, refs = blocks, attempt = 1; left.length > 0; attempt++) {
      const failed = await this.#writeOnce(left, refs);
      const again: Pending[] = [];
      const places: Blocks = new Map();
      for (const { pending, error } of failed) {
        const moved = attempt < PLACES_MAX ? await this.#moved(pending, refs, error, places) : error;
        if ('code' in moved) this.failures.push({ path: pending.path, code: moved.code, reason: moved.message });
        else again.push(moved);
      }
      left = again;
      refs = blockRefs(places);
    }
  }

  /** A file that failed, with the places where its chunks are now, or why it cannot be written. */
  async #moved(
    pending: Pending,
    blocks: readonly BlockRef[],
    error: SnapError,
    places: Blocks,
  ): Promise<Pending | SnapError> {
    if (error.code !== 'corrupt-data') return error;
    try {
      const chunks = await movedChunks(this.#repository, pending.file.chunks, blocks, error, places);
      return { ...pending, file: { ...pending.file, chunks } };
    } catch (failure) {
      if (!hasCode(failure, 'corrupt-data')) throw failure;
      return failure;
    }
  }

  /** Reports the files that are in place, and returns the others. */
  async #writeOnce(
    batch: readonly Pending[],
    blocks: readonly BlockRef[],
  ): Promise<{ readonly pending: Pending; readonly error: SnapError }[]> {
    const { wantStats } = this.#report;
    const reply = (await this.#workers.run({
      kind: 'write',
      root: this.#target.writeRoot,
      blocks,
      files: batch.map((pending) => pending.file),
      wantStats,
    })) as WriteReply;
    const failed: { pending: Pending; error: SnapError }[] = [];
    for (const [i, pending] of batch.entries()) {
      const failure = reply.failures[i];
      const numbers = wantStats ? reply.stats.slice(i * STAT_NUMBERS, (i + 1) * STAT_NUMBERS) : undefined;
      if (failure !== undefined) failed.push({ pending, error: new SnapError(failure.code, failure.message) });
      else {
        this.#report.wrote(pending.file.size);
        this.#report.written(pending.path, numbers, pending.file.size);
      }
    }
    return failed;
  }

  async #writeLarge(path: string, entry: FileEntry, expected: Expected): Promise<void> {
    let temporary: Temporary | undefined;
    const segments: Promise<unknown>[] = [];
    try {
      temporary = this.#target.createTemporary(entry.size, path);
      let position = 0;
      for await (const chunks of stretchesOf(this.#repository.trees, entry)) {
        while (segments.length >= this.#workers.capacity) await segments.shift();
        if (this.#stopped || this.#report.signal?.aborted === true)
          throw new SnapError('interrupted', 'the checkout was given up');
        const job = await this.#segment(temporary.path, path, entry, position, chunks);
        const running = this.#runSegment(job);
        running.catch(() => undefined);
        segments.push(running);
        for (const { length } of chunks) position += length;
      }
      await Promise.all(segments);
      demandExpected(this.#target.look(path), expected, path);
      this.#target.finish(temporary, path, entry);
      this.#report.written(path, undefined, entry.size);
    } catch (error) {
      await Promise.allSettled(segments);
      if (temporary !== undefined) this.#target.discard(temporary);
      this.failures.push(failedPath(path, 'writing', error));
    }
  }

  /** Runs the job, again with other places if gc took away what it was to read. */
  async #runSegment(first: SegmentJob): Promise<void> {
    for (let job = first, attempt = 1; ; attempt++) {
      try {
        const { written } = (await this.#workers.run(job)) as SegmentReply;
        this.#report.wrote(written);
        return;
      } catch (error) {
        if (!hasCode(error, 'corrupt-data') || attempt >= PLACES_MAX) throw error;
        const blocks: Blocks = new Map();
        const chunks = await movedChunks(this.#repository, job.chunks, job.blocks, error, blocks);
        job = { ...job, chunks, blocks: blockRefs(blocks) };
      }
    }
  }

  async #segment(
    temporary: string,
    file: string,
    entry: FileEntry,
    position: number,
    chunks: readonly ChunkRef[],
  ): Promise<SegmentJob> {
    const blocks: Blocks = new Map();
    const refs = writeChunks(blocks, chunks, await fetchPlaces(this.#repository, chunks, blocks));
    return {
      kind: 'segment',
      path: temporary,
      file,
      position,
      sparse: entry.sparse,
      blocks: blockRefs(blocks),
      chunks: refs,
    };
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
