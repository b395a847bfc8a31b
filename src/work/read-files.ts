/**
 * Reading source files in a worker: whole small files into one buffer, large ones stretch by stretch. A file is opened
 * without following a link and without waiting for a FIFO, and its stat after reading must be the one the walk saw;
 * otherwise the main thread decides what to do.
 */
import { hash } from 'node:crypto';
import type { ChunkParams } from '../chunk/chunk-params.ts';
import type { Cutter } from '../chunk/cutter.ts';
import { createCutter } from '../chunk/cutter.ts';
import { gearTable } from '../chunk/gear-table.ts';
import type { Disk, FileStat } from '../disk/disk.ts';
import { OPEN } from '../disk/disk.ts';
import { errnoOf } from '../errors.ts';
import type { HashedChunks, ReadJob, ReadReply, StretchJob, StretchReply } from './jobs.ts';
import { READ_STATUS, STAT_NUMBERS } from './jobs.ts';

/** How much of a large file one job reads. */
export const STRETCH_BYTES = 4 * 1024 * 1024;

/** Reads the files of a job, one after the other. Never throws for a file: its status tells. */
export function readFiles(disk: Disk, job: ReadJob): ReadReply {
  const sizes = job.paths.map((_, i) => Number(job.expected[i * STAT_NUMBERS] ?? 0n));
  const bytesNeeded = sizes.reduce((sum, size) => sum + size, 0);
  const buffer = bufferFor(job.buffer, bytesNeeded);
  const bytes = Buffer.from(buffer);
  const cutter = cutterFor(job.chunker);
  const chunks = new ChunkCollector();
  const reply = {
    buffer,
    status: new Uint8Array(job.paths.length),
    stats: new BigInt64Array(job.paths.length * STAT_NUMBERS),
    errors: {} as Record<number, string>,
    chunkCounts: new Uint32Array(job.paths.length),
  };
  let offset = 0;
  for (const [i, path] of job.paths.entries()) {
    const expected = job.expected.subarray(i * STAT_NUMBERS, (i + 1) * STAT_NUMBERS);
    const result = readOne(disk, `${job.root}/${path}`, bytes, offset, sizes[i] ?? 0, expected, job.acceptChanged);
    reply.status[i] = result.status;
    if (result.errno !== undefined) reply.errors[i] = result.errno;
    if (result.stat !== undefined) reply.stats.set(result.stat, i * STAT_NUMBERS);
    if (result.status !== READ_STATUS.ok && result.status !== READ_STATUS.unsteady) continue;
    const before = chunks.count;
    cutAll(cutter, bytes, offset, offset + result.length, true, chunks);
    reply.chunkCounts[i] = chunks.count - before;
    offset += result.length;
  }
  return { ...reply, chunks: chunks.finish() };
}

/** Reads one stretch. Never throws for the file: its status tells. */
export function readStretch(disk: Disk, job: StretchJob): StretchReply {
  const buffer = bufferFor(job.buffer, STRETCH_BYTES);
  const chunks = new ChunkCollector();
  const none = { buffer, chunks: chunks.finish(), consumed: 0, atEnd: true };
  let fd: number;
  try {
    fd = disk.open(job.path, OPEN.source);
  } catch (error) {
    return { ...none, ...failure(error), stat: new BigInt64Array(STAT_NUMBERS) };
  }
  try {
    const bytes = Buffer.from(buffer, 0, STRETCH_BYTES);
    const length = fill(disk, fd, bytes, 0, STRETCH_BYTES, job.position);
    const stat = disk.stat(fd);
    if (!stat.isFile()) return { ...none, status: READ_STATUS.notFile, error: undefined, stat: numbersOf(stat) };
    const atEnd = length < STRETCH_BYTES;
    const consumed = cutAll(cutterFor(job.chunker), bytes, 0, length, atEnd, chunks);
    return {
      buffer,
      status: READ_STATUS.ok,
      error: undefined,
      stat: numbersOf(stat),
      chunks: chunks.finish(),
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
  path: string,
  bytes: Buffer,
  offset: number,
  size: number,
  expected: BigInt64Array,
  accept: boolean,
): ReadOne {
  let fd: number;
  try {
    fd = disk.open(path, OPEN.source);
  } catch (error) {
    const { status, error: errno } = failure(error);
    return { status, length: 0, ...(errno === undefined ? {} : { errno }) };
  }
  try {
    const length = size === 0 ? 0 : fill(disk, fd, bytes, offset, size, null);
    const stat = disk.stat(fd);
    if (!stat.isFile()) return { status: READ_STATUS.notFile, length: 0 };
    const numbers = numbersOf(stat);
    if (numbers.every((value, i) => value === expected[i]) && length === size) {
      const more = size === 0 && fill(disk, fd, Buffer.alloc(1), 0, 1, null) > 0;
      return { status: more ? READ_STATUS.stream : READ_STATUS.ok, length, stat: numbers };
    }
    return { status: accept ? READ_STATUS.unsteady : READ_STATUS.changed, length, stat: numbers };
  } catch (error) {
    return { status: READ_STATUS.failed, length: 0, errno: errnoOf(error) ?? String(error) };
  } finally {
    disk.close(fd);
  }
}

function fill(disk: Disk, fd: number, bytes: Buffer, offset: number, length: number, position: number | null): number {
  let done = 0;
  while (done < length) {
    const count = disk.read(fd, bytes, offset + done, length - done, position === null ? null : position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

function failure(error: unknown): { status: number; error: string | undefined } {
  const errno = errnoOf(error);
  if (errno === 'ENOENT' || errno === 'ENOTDIR') return { status: READ_STATUS.gone, error: undefined };
  // O_NOFOLLOW on a link; O_NONBLOCK on a FIFO or a device without its other end.
  if (errno === 'ELOOP' || errno === 'ENXIO') return { status: READ_STATUS.notFile, error: undefined };
  return { status: READ_STATUS.failed, error: errno ?? String(error) };
}

export function numbersOf(stat: FileStat): BigInt64Array<ArrayBuffer> {
  return BigInt64Array.of(stat.size, stat.mtimeNs, stat.ctimeNs, stat.ino);
}

/** Cuts and hashes; returns how many bytes the chunks have. */
function cutAll(
  cutter: Cutter,
  bytes: Buffer,
  start: number,
  end: number,
  atEnd: boolean,
  chunks: ChunkCollector,
): number {
  let at = start;
  while (at < end) {
    const length = cutter.cut(bytes, at, end, atEnd);
    if (length === 0) break;
    chunks.add(bytes, at, length);
    at += length;
  }
  return at - start;
}

/** Collects chunks and their ids. Runs of zeros are hashed once per length. */
class ChunkCollector {
  readonly #offsets: number[] = [];
  readonly #lengths: number[] = [];
  readonly #ids: Buffer[] = [];

  get count(): number {
    return this.#lengths.length;
  }

  add(bytes: Buffer, offset: number, length: number): void {
    const chunk = bytes.subarray(offset, offset + length);
    this.#offsets.push(offset);
    this.#lengths.push(length);
    this.#ids.push(length >= ZERO_CHECK_BYTES && isZero(chunk) ? zeroId(length) : hash('sha256', chunk, 'buffer'));
  }

  finish(): HashedChunks {
    const ids = new Uint8Array(this.#ids.length * 32);
    for (const [i, id] of this.#ids.entries()) ids.set(id, i * 32);
    return { offsets: Uint32Array.from(this.#offsets), lengths: Uint32Array.from(this.#lengths), ids };
  }
}

const ZERO_CHECK_BYTES = 4096;
const zeroIds = new Map<number, Buffer>();
let zeros: Buffer = Buffer.alloc(1024 * 1024);

function isZero(chunk: Buffer): boolean {
  if (chunk[0] !== 0 || chunk[chunk.length - 1] !== 0) return false;
  if (chunk.length > zeros.length) zeros = Buffer.alloc(chunk.length);
  return chunk.equals(zeros.subarray(0, chunk.length));
}

function zeroId(length: number): Buffer {
  let id = zeroIds.get(length);
  if (id === undefined) {
    id = hash('sha256', Buffer.alloc(length), 'buffer');
    if (zeroIds.size < 1024) zeroIds.set(length, id);
  }
  return id;
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

/** A buffer of at least `bytes`: the one given, if it is large enough. */
function bufferFor(given: ArrayBuffer | undefined, bytes: number): ArrayBuffer {
  return given !== undefined && given.byteLength >= bytes ? given : new ArrayBuffer(Math.max(bytes, STRETCH_BYTES));
}
