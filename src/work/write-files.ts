/**
 * Writing files in a worker. Every chunk is hashed before a byte of it is written; a file is written under a temporary
 * name (staging.ts), and renamed into its place when it is whole. Large files are written by several jobs,
 * segment by segment, into a temporary file that the main thread creates and renames.
 */

import { threadId } from 'node:worker_threads';
import { clampInt64 } from '../bytes/int64.ts';
import { AnchoredFolder } from '../disk/anchored-folder.ts';
import type { Disk, FileStat } from '../disk/disk.ts';
import { OPEN } from '../disk/disk.ts';
import { writeFully } from '../disk/whole-calls.ts';
import type { ErrorCode } from '../errors.ts';
import { fromSystemError, SnapError } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import { blobIn } from '../pack/block.ts';
import type { BlockRef, BlockSource } from './block-source.ts';
import { STAT_NUMBERS } from './jobs.ts';
import { numbersOf } from './read-files.ts';
import { Staging } from './staging.ts';

/** A chunk to write: its block (by number in the job) and its bytes in the decoded block. */
export interface WriteChunk {
  readonly block: number;
  readonly offset: number;
  readonly length: number;
  readonly id: BlobId;
}

export interface WriteFile {
  /** The folder it belongs to, from the root, and its name there. */
  readonly folder: string;
  readonly name: string;
  readonly mode: number;
  readonly mtime: bigint;
  /** Undefined: leave it to the system. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  readonly size: number;
  readonly sparse: boolean;
  readonly chunks: readonly WriteChunk[];
  readonly expected: Expected;
}

/**
 * What may be in a file's place just before it is put there: size, mtime and inode of what was saved, null for nothing,
 * undefined for anything. Something else is somebody's work of the last moments, and stays.
 */
export type Expected = readonly [size: bigint, mtime: bigint, inode: bigint] | null | undefined;

/** Expects just what is there now. */
export function expectedOf({ size, mtimeNs, ino }: FileStat): Expected {
  return [size, clampInt64(mtimeNs), ino];
}

/** Throws `refused` if what is at `path` now (`there`) is not what may be replaced. */
export function demandExpected(there: FileStat | undefined, expected: Expected, path: string): void {
  if (there === undefined || expected === undefined) return;
  if (expected?.[0] === there.size && expected[1] === clampInt64(there.mtimeNs) && expected[2] === there.ino) return;
  throw new SnapError('refused', `${path} changed while the checkout went on; it was left as it is`);
}

export interface WriteJob {
  readonly kind: 'write';
  readonly root: WriteRoot;
  readonly blocks: readonly BlockRef[];
  readonly files: readonly WriteFile[];
  /** Look at each file once more when it is in place. */
  readonly wantStats: boolean;
}

/** Open descriptors of the target's root and of the folder for temporary files; they stay the main thread's. */
export interface WriteRoot {
  readonly fd: number;
  readonly path: string;
  readonly temporaryFd: number;
  readonly temporaryPath: string;
  /** Makes temporary names of this checkout. */
  readonly token: string;
  /** Permission bits that the system takes off new files. */
  readonly umask: number;
}

export interface WriteReply {
  /** By file number: why it could not be written. */
  readonly failures: Readonly<Record<number, { readonly code: ErrorCode; readonly message: string }>>;
  /** Of each file after it was renamed into place; zeros unless wanted. */
  readonly stats: BigInt64Array<ArrayBuffer>;
}

export interface SegmentJob {
  readonly kind: 'segment';
  /** Of the temporary file. */
  readonly path: string;
  /** The file's own, from the root. */
  readonly file: string;
  readonly position: number;
  readonly sparse: boolean;
  readonly blocks: readonly BlockRef[];
  readonly chunks: readonly WriteChunk[];
}

export interface SegmentReply {
  readonly written: number;
}

export function writeFiles(disk: Disk, source: BlockSource, job: WriteJob): WriteReply {
  const root = new AnchoredFolder(disk, job.root.fd, job.root.path);
  const temporaries = new AnchoredFolder(disk, job.root.temporaryFd, job.root.temporaryPath).enter('');
  const staging = new Staging(disk, temporaries, job.root.token, `${threadId}-`);
  const failures: Record<number, { code: ErrorCode; message: string }> = {};
  const stats = new BigInt64Array(job.files.length * STAT_NUMBERS);
  try {
    for (const [i, file] of job.files.entries()) {
      const shown = `${file.folder === '' ? '' : `${file.folder}/`}${file.name}`;
      try {
        const at = root.enter(file.folder);
        const path = `${at}/${file.name}`;
        staging.put(file.folder, at, file.name, (temporary) => {
          writeOne(disk, source, job, file, temporary);
          if (file.expected !== undefined) demandExpected(disk.lstat(path), file.expected, shown);
        });
        const stat = job.wantStats ? disk.lstat(path) : undefined;
        if (stat !== undefined) stats.set(numbersOf(stat), i * STAT_NUMBERS);
      } catch (error) {
        const failure = fromSystemError(error, 'writing', shown);
        failures[i] = { code: failure.code, message: failure.message };
        if (failure.code === 'no-space') throw failure;
      }
    }
  } finally {
    staging.close();
    root.close();
  }
  return { failures, stats };
}

export function writeSegment(disk: Disk, source: BlockSource, job: SegmentJob): SegmentReply {
  const fd = disk.open(job.path, OPEN.readWrite);
  try {
    let position = job.position;
    for (const chunk of job.chunks) {
      const bytes = chunkBytes(source, job.blocks, chunk);
      writeChunk(disk, fd, bytes, position, job.sparse);
      position += chunk.length;
    }
    return { written: position - job.position };
  } catch (error) {
    throw fromSystemError(error, 'writing', job.file);
  } finally {
    disk.close(fd);
  }
}

function writeOne(disk: Disk, source: BlockSource, job: WriteJob, file: WriteFile, temporary: string): void {
  // Where the system gives a new file the right mode by itself, one call less for each of many files.
  const madeRight = (file.mode & (0o7000 | job.root.umask)) === 0 && file.owner === undefined;
  const fd = disk.open(temporary, OPEN.create, madeRight ? file.mode : 0o600);
  try {
    let position = 0;
    for (const chunk of file.chunks) {
      writeChunk(disk, fd, chunkBytes(source, job.blocks, chunk), position, file.sparse);
      position += chunk.length;
    }
    if (file.sparse) disk.truncate(fd, file.size);
    if (file.owner !== undefined) disk.setOwner(fd, file.owner.uid, file.owner.gid);
    if (!madeRight) disk.setMode(fd, file.mode);
    disk.setTimes(fd, file.mtime);
  } finally {
    disk.close(fd);
  }
}

function chunkBytes(source: BlockSource, blocks: readonly BlockRef[], chunk: WriteChunk): Uint8Array {
  const block = blocks[chunk.block];
  if (block === undefined) throw new RangeError('a chunk without its block');
  return blobIn(source.raw(block), chunk.offset, chunk, `pack ${block.pack}`);
}

const HOLE_BYTES = 4096;
const zeros = Buffer.alloc(HOLE_BYTES);

/** Writes a chunk; in sparse files, aligned stretches of zeros are left as holes. */
function writeChunk(disk: Disk, fd: number, bytes: Uint8Array, position: number, sparse: boolean): void {
  if (!sparse) {
    writeFully(disk, fd, bytes, position);
    return;
  }
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let start = 0;
  while (start < buffer.length) {
    let end = start;
    while (end < buffer.length && !isHole(buffer, end, position)) end = nextStep(buffer, end, position);
    if (end > start) writeFully(disk, fd, buffer.subarray(start, end), position + start);
    while (end < buffer.length && isHole(buffer, end, position)) end = nextStep(buffer, end, position);
    start = end;
  }
}

/** The end of the HOLE_BYTES-aligned stretch of the file that `at` lies in, within the buffer. */
function nextStep(buffer: Buffer, at: number, position: number): number {
  return Math.min(buffer.length, at + HOLE_BYTES - ((position + at) % HOLE_BYTES));
}

function isHole(buffer: Buffer, at: number, position: number): boolean {
  const end = nextStep(buffer, at, position);
  return buffer.compare(zeros, 0, end - at, at, end) === 0;
}
