/**
 * Reading source files in a worker: whole small files into one buffer, large ones stretch by stretch. A file is opened
 * without following a link, at its end or above it, and without waiting for a FIFO, and its stat after reading must be
 * the one the walk saw; otherwise the main thread decides what to do.
 */
import { clampInt64 } from '../bytes/int64.ts';
import { release } from '../bytes/release.ts';
import type { ChunkParams } from '../chunk/chunk-params.ts';
import type { Cutter } from '../chunk/cutter.ts';
import { createCutter } from '../chunk/cutter.ts';
import { gearTable } from '../chunk/gear-table.ts';
import { AnchoredFolder } from '../disk/anchored-folder.ts';
import type { Disk, FileStat } from '../disk/disk.ts';
import { OPEN } from '../disk/disk.ts';
import { readSome } from '../disk/whole-calls.ts';
import { errnoOf } from '../errors.ts';
import { hashChunks } from './hash-chunks.ts';
import type { CutJob, CutReply, HashedChunks, ReadJob, ReadReply } from './jobs.ts';
import { READ_STATUS, STAT_NUMBERS } from './jobs.ts';

/** How much of a large file one job reads. */
export const STRETCH_BYTES = 4 * 1024 * 1024;

/** Longer paths are better entered from open folders. */
const QUICK_PATH_MAX = 1000;

/** Enough for most batches of small files, so that their buffers can be used again. */
const BATCH_BUFFER_BYTES = 2.25 * 1024 * 1024;

/** Reads the files of a job, one after the other. Never throws for a file: its status tells. */
export function readFiles(disk: Disk, job: ReadJob): ReadReply {
  const sizes = job.paths.map((_, i) => Number(job.expected[i * STAT_NUMBERS] ?? 0n));
  const bytesNeeded = sizes.reduce((sum, size) => sum + size, 0);
  const buffer = bufferFor(job.buffer, bytesNeeded);
  const bytes = Buffer.from(buffer);
  const cutter = cutterFor(job.chunker);
  const cuts = new Cuts();
  const reply = {
    buffer,
    status: new Uint8Array(job.paths.length),
    stats: new BigInt64Array(job.paths.length * STAT_NUMBERS),
    errors: {} as Record<number, string>,
    chunkCounts: new Uint32Array(job.paths.length),
  };
  let offset = 0;
  const root = new AnchoredFolder(disk, job.root.fd, job.root.path);
  try {
    for (const [i, path] of job.paths.entries()) {
      const expected = job.expected.subarray(i * STAT_NUMBERS, (i + 1) * STAT_NUMBERS);
      const read = (at: () => string): ReadOne =>
        readOne(disk, at, bytes, offset, sizes[i] ?? 0, expected, job.acceptChanged);
      // By its path, which is faster: what has the very numbers expected is that file, whatever the path led through.
      const quick = path.length <= QUICK_PATH_MAX ? read(() => `${job.root.path}/${path}`) : undefined;
      const result = quick?.status === READ_STATUS.ok ? quick : read(() => root.at(path));
      reply.status[i] = result.status;
      if (result.errno !== undefined) reply.errors[i] = result.errno;
      if (result.stat !== undefined) reply.stats.set(result.stat, i * STAT_NUMBERS);
      if (result.status !== READ_STATUS.ok && result.status !== READ_STATUS.unsteady) continue;
      const before = cuts.count;
      cutAll(cutter, bytes, offset, offset + result.length, true, cuts);
      reply.chunkCounts[i] = cuts.count - before;
      offset += result.length;
    }
  } finally {
    root.close();
  }
  return { ...reply, chunks: hashChunks(buffer, cuts.finish()) };
}

/** Reads and cuts one stretch. Never throws for the file: its status tells. */
export function cutStretch(disk: Disk, job: CutJob): CutReply {
  const buffer = bufferFor(job.buffer, STRETCH_BYTES);
  const cuts = new Cuts();
  const none = { buffer, ...cuts.finish(), consumed: 0, atEnd: true };
  let fd: number;
  const root = new AnchoredFolder(disk, job.root.fd, job.root.path);
  try {
    fd = disk.open(root.at(job.path), OPEN.source);
  } catch (error) {
    return { ...none, ...failure(error), stat: new BigInt64Array(STAT_NUMBERS) };
  } finally {
    root.close();
  }
  try {
    const bytes = Buffer.from(buffer, 0, STRETCH_BYTES);
    const length = fill(disk, fd, bytes, 0, STRETCH_BYTES, job.position);
    const stat = disk.stat(fd);
    if (!stat.isFile()) return { ...none, status: READ_STATUS.replaced, error: undefined, stat: numbersOf(stat) };
    const atEnd = length < STRETCH_BYTES;
    const consumed = cutAll(cutterFor(job.chunker), bytes, 0, length, atEnd, cuts);
    return {
      buffer,
      status: READ_STATUS.ok,
      error: undefined,
      stat: numbersOf(stat),
      ...cuts.finish(),
      consumed,
      atEnd,
    };
  } catch (error) {
    return { ...none, ...failure(error), stat: new BigInt64Array(STAT_NUMBERS) };
  } finally {
    disk.close(fd);
  }
}

interface ReadOne {
  readonly status: number;
  readonly length: number;
  readonly stat?: BigInt64Array;
  readonly errno?: string;
}

function readOne(
  disk: Disk,
  at: () => string,
  bytes: Buffer,
  offset: number,
  size: number,
  expected: BigInt64Array,
  accept: boolean,
): ReadOne {
  let fd: number;
  try {
    fd = disk.open(at(), OPEN.source);
  } catch (error) {
    const { status, error: errno } = failure(error);
    return { status, length: 0, ...(errno === undefined ? {} : { errno }) };
  }
  try {
    const length = size === 0 ? 0 : fill(disk, fd, bytes, offset, size, null);
    const stat = disk.stat(fd);
    if (!stat.isFile()) return { status: READ_STATUS.replaced, length: 0 };
    const numbers = numbersOf(stat);
    if (numbers.every((value, i) => value === expected[i]) && length === size) {
      const more = size === 0 && fill(disk, fd, Buffer.alloc(1), 0, 1, null) > 0;
      return { status: more ? READ_STATUS.stream : READ_STATUS.ok, length, stat: numbers };
    }
    return { status: accept ? READ_STATUS.unsteady : READ_STATUS.changed, length, stat: numbers };
  } catch (error) {
    const { status, error: errno } = failure(error);
    return { status, length: 0, ...(errno === undefined ? {} : { errno }) };
  } finally {
    disk.close(fd);
  }
}

function fill(disk: Disk, fd: number, bytes: Buffer, offset: number, length: number, position: number | null): number {
  let done = 0;
  while (done < length) {
    const count = readSome(disk, fd, bytes, offset + done, length - done, position === null ? null : position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

function failure(error: unknown): { status: number; error: string | undefined } {
  const errno = errnoOf(error);
  if (errno === 'ENOENT' || errno === 'ENOTDIR') return { status: READ_STATUS.gone, error: undefined };
  // A link above it; O_NOFOLLOW on a link; O_NONBLOCK on a socket, a device without its other end, or an empty FIFO;
  // reading a FIFO from a position, or a folder.
  if (['refused', 'ELOOP', 'ENXIO', 'EAGAIN', 'ESPIPE', 'EISDIR'].includes(errno ?? ''))
    return { status: READ_STATUS.replaced, error: undefined };
  return { status: READ_STATUS.failed, error: errno ?? String(error) };
}

export function numbersOf(stat: FileStat): BigInt64Array<ArrayBuffer> {
  return BigInt64Array.of(stat.size, clampInt64(stat.mtimeNs), clampInt64(stat.ctimeNs), stat.ino);
}

/** Returns how many bytes the chunks have. */
function cutAll(cutter: Cutter, bytes: Buffer, start: number, end: number, atEnd: boolean, cuts: Cuts): number {
  let at = start;
  while (at < end) {
    const length = cutter.cut(bytes, at, end, atEnd);
    if (length === 0) break;
    cuts.add(at, length);
    at += length;
  }
  return at - start;
}

/** Collects where chunks begin and end. */
class Cuts {
  readonly #offsets: number[] = [];
  readonly #lengths: number[] = [];

  get count(): number {
    return this.#lengths.length;
  }

  add(offset: number, length: number): void {
    this.#offsets.push(offset);
    this.#lengths.push(length);
  }

  finish(): Pick<HashedChunks, 'offsets' | 'lengths'> {
    return { offsets: Uint32Array.from(this.#offsets), lengths: Uint32Array.from(this.#lengths) };
  }
}

const cutters = new Map<string, Cutter>();

function cutterFor(params: ChunkParams): Cutter {
  const key = `${params.minBytes}/${params.averageBytes}/${params.maxBytes}`;
  let cutter = cutters.get(key);
  if (cutter === undefined) {
    cutter = createCutter(params, gearTable());
    cutters.set(key, cutter);
  }
  return cutter;
}

/** A buffer of at least `bytes`: the one given, if it is large enough. A new one holds whatever was in the memory. */
function bufferFor(given: ArrayBuffer | undefined, bytes: number): ArrayBuffer {
  if (given !== undefined && given.byteLength >= bytes) return given;
  if (given !== undefined) release(new Uint8Array(given));
  return Buffer.allocUnsafeSlow(Math.max(bytes, BATCH_BUFFER_BYTES)).buffer;
}
