/**
 * Reads, chunks and hashes changed files through the workers: small files in batches, large ones stretch by stretch, so
 * that a single huge file keeps all cores busy. Offers each chunk to a sink, which keeps what is new. A file that
 * changes while it is read is read again, up to READ_ATTEMPTS times, then taken as it was read last.
 */
import type { ChunkParams } from '../chunk/chunk-params.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { ChunkRef } from '../object/tree-entry.ts';
import type { CutReply, HashedChunks, HashReply, ReadReply, ReadRoot } from '../work/jobs.ts';
import { READ_STATUS, STAT_NUMBERS } from '../work/jobs.ts';
import type { Workers } from '../work/start-workers.ts';

/** A file to read, and who is told what became of it: an object each, not promises, for a million files. */
export interface FileRequest {
  /** From the root. */
  readonly path: string;
  /** Bytes, as it was seen. */
  readonly size: number;
  /** Size, mtime, ctime and inode as they were seen: four 64-bit numbers from `at` on. */
  readonly stat: Buffer;
  readonly at: number;
  /** Called once, with what is wrong with the file if anything is. */
  settle(reading: FileReading): void;
  /** Called instead when the reading of all files fails. */
  fail(error: unknown): void;
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
  /** No regular file any more, or not in the folder that it was seen in. */
  | { readonly kind: 'replaced' }
  | { readonly kind: 'failed'; readonly reason: string };

/** Takes what is new of a buffer's chunks and gives the buffer back in time. */
export interface ChunkSink {
  take(buffer: ArrayBuffer, chunks: HashedChunks, refs: readonly ChunkRef[]): void;
  spareBuffer(): ArrayBuffer | undefined;
  /** Waits while too much is under way. */
  ready(): Promise<void>;
}

const BATCH_BYTES = 2 * 1024 * 1024;
const BATCH_FILES_MAX = 1024;
/** Files from this size on are read by stretches. */
const LARGE_BYTES = 2 * 1024 * 1024;
/** Each has some stretches under way, and two keep all cores busy. */
const LARGE_AT_ONCE = 2;
const LARGE_WAITING_MAX = 64;
const READ_ATTEMPTS = 3;

/** Stretches of one file that are hashed, or wait to be, while the next one is read. */
const HASHING_MAX = 2;

type StretchReading =
  | Exclude<FileReading, { kind: 'read' }>
  | (Extract<FileReading, { kind: 'read' }> & { readonly now: BigInt64Array });

/** Files that are read by one job. */
class Batch {
  readonly requests: FileRequest[] = [];
  /** How often each was tried before. */
  readonly tries: number[] = [];
  readonly expected = new BigInt64Array(BATCH_FILES_MAX * STAT_NUMBERS);
  bytes = 0;

  add(request: FileRequest, tries: number, seen: BigInt64Array | undefined): void {
    const at = this.requests.length * STAT_NUMBERS;
    if (seen !== undefined) this.expected.set(seen, at);
    else request.stat.copy(Buffer.from(this.expected.buffer), at * 8, request.at, request.at + STAT_NUMBERS * 8);
    this.requests.push(request);
    this.tries.push(tries);
    this.bytes += seen === undefined ? request.size : Number(seen[0]);
  }
}

export class FileReader {
  /** Of file content: to be read, by the sizes that were seen, and read so far. */
  readonly bytes = { asked: 0, read: 0 };
  readonly #workers: Workers;
  readonly #root: ReadRoot;
  readonly #chunker: ChunkParams;
  readonly #sink: ChunkSink;
  readonly #signal: AbortSignal | undefined;
  readonly #running = new Set<Promise<void>>();
  readonly #large: { readonly request: FileRequest; readonly seen: BigInt64Array | undefined }[] = [];
  #largeRunning = 0;
  #batch = new Batch();
  #eager = false;

  constructor(options: {
    workers: Workers;
    root: ReadRoot;
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

  /** Reads a file, soon; `settle` is called when it is read. */
  read(request: FileRequest): void {
    this.#workers.warm();
    this.bytes.asked += request.size;
    this.#add(request, 0, undefined);
  }

  /** Waits while as much is under way as the workers take. */
  async ready(): Promise<void> {
    while (this.#running.size > this.#workers.capacity / 2 || this.#large.length > LARGE_WAITING_MAX)
      await Promise.race(this.#running);
    await this.#sink.ready();
    this.#signal?.throwIfAborted();
  }

  /** Sends the rest; from now on nothing waits for a full batch. */
  flush(): void {
    this.#eager = true;
    this.#send();
  }

  /** `seen`: the numbers of a later look. */
  #add(request: FileRequest, tries: number, seen: BigInt64Array | undefined): void {
    const size = seen === undefined ? request.size : Number(seen[0]);
    if (size >= LARGE_BYTES) {
      this.#addLarge(request, seen);
      return;
    }
    this.#batch.add(request, tries, seen);
    if (this.#eager || this.#batch.bytes >= BATCH_BYTES || this.#batch.requests.length >= BATCH_FILES_MAX) this.#send();
  }

  #send(): void {
    const batch = this.#batch;
    if (batch.requests.length === 0) return;
    this.#batch = new Batch();
    this.#track(this.#readBatch(batch), batch.requests);
  }

  #track(work: Promise<void>, requests: readonly FileRequest[]): void {
    const done = work
      .catch((error: unknown) => {
        for (const request of requests) request.fail(error);
      })
      .finally(() => this.#running.delete(done));
    this.#running.add(done);
  }

  async #readBatch(batch: Batch): Promise<void> {
    const { requests } = batch;
    const expected = batch.expected.slice(0, requests.length * STAT_NUMBERS);
    const buffer = this.#sink.spareBuffer();
    const job = {
      kind: 'read' as const,
      chunker: this.#chunker,
      root: this.#root,
      paths: requests.map((request) => request.path),
      expected,
      acceptChanged: batch.tries.some((tries) => tries >= READ_ATTEMPTS - 1),
      buffer,
    };
    const reply = (await this.#workers.run(
      job,
      buffer === undefined ? [expected.buffer] : [expected.buffer, buffer],
    )) as ReadReply;
    const refs = chunkRefs(reply.chunks);
    this.#sink.take(reply.buffer, reply.chunks, refs);
    let next = 0;
    for (const [i, request] of requests.entries()) {
      const count = reply.chunkCounts[i] ?? 0;
      this.#settle(request, batch.tries[i] ?? 0, reply, i, refs.slice(next, next + count));
      next += count;
    }
  }

  #settle(request: FileRequest, tries: number, reply: ReadReply, i: number, chunks: readonly ChunkRef[]): void {
    const status = reply.status[i];
    const now = (): BigInt64Array => reply.stats.slice(i * STAT_NUMBERS, (i + 1) * STAT_NUMBERS);
    switch (status) {
      case READ_STATUS.ok:
      case READ_STATUS.unsteady: {
        let size = 0;
        for (const chunk of chunks) size += chunk.length;
        this.bytes.read += size;
        const unsteady = status === READ_STATUS.unsteady;
        // In a batch that takes changed files as they are, those on their first try are not unsteady yet.
        if (unsteady && tries < READ_ATTEMPTS - 1) this.#add(request, tries + 1, now());
        else request.settle({ kind: 'read', size, chunks, now: unsteady || tries > 0 ? now() : undefined, unsteady });
        return;
      }
      case READ_STATUS.changed:
        this.#add(request, tries + 1, now());
        return;
      case READ_STATUS.stream:
        this.#addLarge(request, undefined);
        return;
      case READ_STATUS.failed:
        request.settle({ kind: 'failed', reason: reply.errors[i] ?? 'unknown error' });
        return;
      default:
        request.settle({ kind: status === READ_STATUS.replaced ? 'replaced' : 'gone' });
    }
  }

  #addLarge(request: FileRequest, seen: BigInt64Array | undefined): void {
    this.#large.push({ request, seen });
    this.#startLarge();
  }

  #startLarge(): void {
    while (this.#largeRunning < LARGE_AT_ONCE) {
      const next = this.#large.shift();
      if (next === undefined) return;
      this.#largeRunning++;
      const reading = this.#readLarge(next.request, next.seen).finally(() => {
        this.#largeRunning--;
        this.#startLarge();
      });
      this.#track(reading, [next.request]);
    }
  }

  async #readLarge(request: FileRequest, seen: BigInt64Array | undefined): Promise<void> {
    let before = seen ?? numbersAt(request);
    for (let attempt = 1; ; attempt++) {
      const reading = await this.#readStretches(request);
      if (reading.kind !== 'read') return request.settle(reading);
      const unsteady = !reading.now.every((value, i) => value === before[i]);
      if (!unsteady || attempt >= READ_ATTEMPTS) return request.settle({ ...reading, unsteady });
      before = reading.now;
    }
  }

  /** One stretch is read and cut while those before it are hashed. */
  async #readStretches(request: FileRequest): Promise<StretchReading> {
    const chunks: ChunkRef[] = [];
    const hashing: Promise<HashReply>[] = [];
    const takeOldest = async (): Promise<void> => {
      const reply = await hashing.shift();
      if (reply === undefined) return;
      const refs = chunkRefs(reply.chunks);
      for (const ref of refs) chunks.push(ref);
      this.#sink.take(reply.buffer, reply.chunks, refs);
    };
    for (let position = 0; ; ) {
      await this.#sink.ready();
      this.#signal?.throwIfAborted();
      const cut = await this.#cut(request.path, position);
      if (cut.status === READ_STATUS.failed) return { kind: 'failed', reason: cut.error ?? 'unknown error' };
      if (cut.status === READ_STATUS.replaced) return { kind: 'replaced' };
      if (cut.status !== READ_STATUS.ok) return { kind: 'gone' };
      position += cut.consumed;
      this.bytes.read += cut.consumed;
      const { buffer, offsets, lengths } = cut;
      const job = { kind: 'hash' as const, buffer, offsets, lengths };
      const hashed = this.#workers.run(job, [buffer, offsets.buffer, lengths.buffer]) as Promise<HashReply>;
      // Awaited in its turn; a failure before that must not end the process.
      hashed.catch(() => undefined);
      hashing.push(hashed);
      while (hashing.length > (cut.atEnd ? 0 : HASHING_MAX)) await takeOldest();
      if (cut.atEnd) return { kind: 'read', size: position, chunks, now: cut.stat, unsteady: false };
    }
  }

  async #cut(path: string, position: number): Promise<CutReply> {
    const buffer = this.#sink.spareBuffer();
    const job = { kind: 'cut' as const, chunker: this.#chunker, root: this.#root, path, position, buffer };
    return (await this.#workers.run(job, buffer === undefined ? [] : [buffer], true)) as CutReply;
  }
}

function numbersAt({ stat, at }: FileRequest): BigInt64Array {
  return BigInt64Array.from({ length: STAT_NUMBERS }, (_, i) => stat.readBigInt64LE(at + i * 8));
}

function chunkRefs(chunks: HashedChunks): ChunkRef[] {
  const ids = Buffer.from(chunks.ids.buffer, chunks.ids.byteOffset, chunks.ids.length);
  const refs: ChunkRef[] = [];
  for (const [i, length] of chunks.lengths.entries())
    refs.push({ id: ids.toString('hex', i * 32, i * 32 + 32) as BlobId, length });
  return refs;
}
