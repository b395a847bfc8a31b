/**
 * Reads, chunks and hashes changed files through the workers: small files in batches, large ones stretch by stretch, so
 * that a single huge file keeps all cores busy. Offers each chunk to a sink, which keeps what is new. A file that
 * changes while it is read is read again, up to READ_ATTEMPTS times, then taken as it was read last.
 */
import type { ChunkParams } from '../chunk/chunk-params.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { ChunkRef } from '../object/tree-entry.ts';
import type { HashedChunks, ReadReply, StretchReply } from '../work/jobs.ts';
import { READ_STATUS, STAT_NUMBERS } from '../work/jobs.ts';
import type { Workers } from '../work/start-workers.ts';

/** What became of a file. `numbers`: size, mtime, ctime, inode as they were when it was read. */
export type FileReading =
  | {
      readonly kind: 'read';
      readonly size: number;
      readonly chunks: readonly ChunkRef[];
      readonly numbers: BigInt64Array;
      readonly unsteady: boolean;
    }
  | { readonly kind: 'gone' }
  | { readonly kind: 'failed'; readonly reason: string };

/** Takes what is new of a buffer's chunks and gives the buffer back in time. */
export interface ChunkSink {
  take(buffer: ArrayBuffer, chunks: HashedChunks): void;
  spareBuffer(): ArrayBuffer | undefined;
  /** Waits while too much is under way. */
  ready(): Promise<void>;
}

const BATCH_BYTES = 2 * 1024 * 1024;
const BATCH_FILES_MAX = 1024;
/** Files from this size on are read by stretches. */
const LARGE_BYTES = 2 * 1024 * 1024;
const READ_ATTEMPTS = 3;

interface Waiting {
  readonly path: string;
  readonly numbers: BigInt64Array;
  readonly attempt: number;
  resolve(reading: FileReading): void;
  reject(error: unknown): void;
}

export class FileReader {
  readonly #workers: Workers;
  readonly #root: string;
  readonly #chunker: ChunkParams;
  readonly #sink: ChunkSink;
  readonly #signal: AbortSignal | undefined;
  readonly #running = new Set<Promise<void>>();
  #batch: Waiting[] = [];
  #batchBytes = 0;
  #eager = false;
  #bytesRead = 0;

  constructor(options: {
    workers: Workers;
    root: string;
    chunker: ChunkParams;
    sink: ChunkSink;
    signal: AbortSignal | undefined;
  }) {
    this.#workers = options.workers;
    this.#root = options.root;
    this.#chunker = options.chunker;
    this.#sink = options.sink;
    this.#signal = options.signal;
  }

  /** Bytes of file content read so far. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** Reads the file at `path`, which the walk saw with `numbers`. Does not throw for what is wrong with the file. */
  read(path: string, numbers: BigInt64Array): Promise<FileReading> {
    return new Promise((resolve, reject) => this.#add({ path, numbers, attempt: 1, resolve, reject }));
  }

  /** Waits while as much is under way as the workers take. */
  async ready(): Promise<void> {
    while (this.#running.size > this.#workers.capacity / 2) await Promise.race(this.#running);
    await this.#sink.ready();
    this.#signal?.throwIfAborted();
  }

  /** Sends the rest; from now on nothing waits for a full batch. */
  flush(): void {
    this.#eager = true;
    this.#send();
  }

  #add(waiting: Waiting): void {
    const size = Number(waiting.numbers[0] ?? 0n);
    if (size >= LARGE_BYTES) {
      this.#track(this.#readLarge(waiting), [waiting]);
      return;
    }
    this.#batch.push(waiting);
    this.#batchBytes += size;
    if (this.#eager || this.#batchBytes >= BATCH_BYTES || this.#batch.length >= BATCH_FILES_MAX) this.#send();
  }

  #send(): void {
    const batch = this.#batch;
    if (batch.length === 0) return;
    this.#batch = [];
    this.#batchBytes = 0;
    const last = batch.some((waiting) => waiting.attempt >= READ_ATTEMPTS);
    this.#track(this.#readBatch(batch, last), batch);
  }

  #track(work: Promise<void>, batch: readonly Waiting[]): void {
    const done = work
      .catch((error: unknown) => {
        for (const waiting of batch) waiting.reject(error);
      })
      .finally(() => this.#running.delete(done));
    this.#running.add(done);
  }

  async #readBatch(batch: readonly Waiting[], acceptChanged: boolean): Promise<void> {
    const expected = new BigInt64Array(batch.length * STAT_NUMBERS);
    for (const [i, waiting] of batch.entries()) expected.set(waiting.numbers, i * STAT_NUMBERS);
    const buffer = this.#sink.spareBuffer();
    const job = {
      kind: 'read' as const,
      chunker: this.#chunker,
      root: this.#root,
      paths: batch.map((waiting) => waiting.path),
      expected,
      acceptChanged,
      buffer,
    };
    const reply = (await this.#workers.run(
      job,
      buffer === undefined ? [expected.buffer] : [expected.buffer, buffer],
    )) as ReadReply;
    const refs = chunkRefs(reply.chunks);
    this.#sink.take(reply.buffer, reply.chunks);
    let next = 0;
    for (const [i, waiting] of batch.entries()) {
      const count = reply.chunkCounts[i] ?? 0;
      this.#settle(waiting, reply, i, refs.slice(next, next + count));
      next += count;
    }
  }

  #settle(waiting: Waiting, reply: ReadReply, i: number, chunks: readonly ChunkRef[]): void {
    const numbers = reply.stats.slice(i * STAT_NUMBERS, (i + 1) * STAT_NUMBERS);
    const status = reply.status[i];
    switch (status) {
      case READ_STATUS.ok:
      case READ_STATUS.unsteady: {
        const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
        this.#bytesRead += size;
        // In a batch that takes changed files as they are, those on their first try are not unsteady yet.
        if (status === READ_STATUS.unsteady && waiting.attempt < READ_ATTEMPTS)
          this.#add({ ...waiting, numbers, attempt: waiting.attempt + 1 });
        else waiting.resolve({ kind: 'read', size, chunks, numbers, unsteady: status === READ_STATUS.unsteady });
        return;
      }
      case READ_STATUS.changed:
        this.#add({ ...waiting, numbers, attempt: waiting.attempt + 1 });
        return;
      case READ_STATUS.stream:
        this.#track(this.#readLarge(waiting), [waiting]);
        return;
      case READ_STATUS.failed:
        waiting.resolve({ kind: 'failed', reason: reply.errors[i] ?? 'unknown error' });
        return;
      default:
        waiting.resolve({ kind: 'gone' });
    }
  }

  async #readLarge(waiting: Waiting): Promise<void> {
    let before = waiting.numbers;
    for (let attempt = 1; ; attempt++) {
      const chunks: ChunkRef[] = [];
      let position = 0;
      for (;;) {
        await this.#sink.ready();
        this.#signal?.throwIfAborted();
        const buffer = this.#sink.spareBuffer();
        const job = {
          kind: 'stretch' as const,
          chunker: this.#chunker,
          path: `${this.#root}/${waiting.path}`,
          position,
          buffer,
        };
        const reply = (await this.#workers.run(job, buffer === undefined ? [] : [buffer])) as StretchReply;
        if (reply.status !== READ_STATUS.ok) {
          waiting.resolve(
            reply.status === READ_STATUS.failed
              ? { kind: 'failed', reason: reply.error ?? 'unknown error' }
              : { kind: 'gone' },
          );
          return;
        }
        for (const chunk of chunkRefs(reply.chunks)) chunks.push(chunk);
        this.#sink.take(reply.buffer, reply.chunks);
        position += reply.consumed;
        this.#bytesRead += reply.consumed;
        if (!reply.atEnd) continue;
        const steady = reply.stat.every((value, i) => value === before[i]);
        if (!steady && attempt < READ_ATTEMPTS) {
          before = reply.stat;
          break;
        }
        waiting.resolve({ kind: 'read', size: position, chunks, numbers: reply.stat, unsteady: !steady });
        return;
      }
    }
  }
}

function chunkRefs(chunks: HashedChunks): ChunkRef[] {
  const ids = Buffer.from(chunks.ids.buffer, chunks.ids.byteOffset, chunks.ids.length);
  const refs: ChunkRef[] = [];
  for (const [i, length] of chunks.lengths.entries())
    refs.push({ id: ids.toString('hex', i * 32, i * 32 + 32) as BlobId, length });
  return refs;
}
