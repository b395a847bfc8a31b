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

/** A file as the walk saw it. A listed stat is one; no array is made for each of a million files. */
export interface ExpectedFile {
  /** Bytes. */
  readonly size: number;
  readonly mtime: bigint;
  readonly ctime: bigint;
  readonly inode: bigint;
}

/** What became of a file. `now`: size, mtime, ctime, inode when it was read, where they are not the expected ones. */
export type FileReading =
  | {
      readonly kind: 'read';
      readonly size: number;
      readonly chunks: readonly ChunkRef[];
      readonly now: BigInt64Array | undefined;
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
  readonly expected: ExpectedFile;
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

  /** Reads the file at `path`, which the walk saw as `expected`. Does not throw for what is wrong with the file. */
  read(path: string, expected: ExpectedFile): Promise<FileReading> {
    return new Promise((resolve, reject) => this.#add({ path, expected, attempt: 1, resolve, reject }));
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
    const { size } = waiting.expected;
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
    for (const [i, waiting] of batch.entries()) {
      expected[i * STAT_NUMBERS] = BigInt(waiting.expected.size);
      expected[i * STAT_NUMBERS + 1] = waiting.expected.mtime;
      expected[i * STAT_NUMBERS + 2] = waiting.expected.ctime;
      expected[i * STAT_NUMBERS + 3] = waiting.expected.inode;
    }
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
    const now = (): BigInt64Array => reply.stats.slice(i * STAT_NUMBERS, (i + 1) * STAT_NUMBERS);
    const status = reply.status[i];
    switch (status) {
      case READ_STATUS.ok:
      case READ_STATUS.unsteady: {
        let size = 0;
        for (const chunk of chunks) size += chunk.length;
        this.#bytesRead += size;
        const unsteady = status === READ_STATUS.unsteady;
        // In a batch that takes changed files as they are, those on their first try are not unsteady yet.
        if (unsteady && waiting.attempt < READ_ATTEMPTS) this.#again(waiting, now());
        else
          waiting.resolve({
            kind: 'read',
            size,
            chunks,
            now: unsteady || waiting.attempt > 1 ? now() : undefined,
            unsteady,
          });
        return;
      }
      case READ_STATUS.changed:
        this.#again(waiting, now());
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

  #again(waiting: Waiting, now: BigInt64Array): void {
    const [size = 0n, mtime = 0n, ctime = 0n, inode = 0n] = now;
    this.#add({ ...waiting, expected: { size: Number(size), mtime, ctime, inode }, attempt: waiting.attempt + 1 });
  }

  async #readLarge(waiting: Waiting): Promise<void> {
    const { size, mtime, ctime, inode } = waiting.expected;
    let before = BigInt64Array.of(BigInt(size), mtime, ctime, inode);
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
        waiting.resolve({ kind: 'read', size: position, chunks, now: reply.stat, unsteady: !steady });
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
