/**
 * What worker threads do: the jobs and replies of the one worker script. Plain data; large parts are typed arrays whose
 * buffers are moved between threads, never copied.
 */
import type { ChunkParams } from '../chunk/chunk-params.ts';
import type { CompressionLevel } from '../compress/block-codec.ts';
import type { BlockHeader } from '../pack/pack-format.ts';
import type { CheckJob, CheckReply } from './check-blocks.ts';
import type { SegmentJob, SegmentReply, WriteJob, WriteReply } from './write-files.ts';

/** Per file: size, mtime, ctime, inode, as the walk saw it. */
export const STAT_NUMBERS = 4;

/** Frozen within a version only; never stored. */
export const READ_STATUS = {
  ok: 0,
  /** It is not the file that the walk saw: look again. */
  changed: 1,
  /** It changed, and was taken as it was read. */
  unsteady: 2,
  gone: 3,
  /** No regular file any more, or a folder above it is none: look again. */
  replaced: 4,
  /** It gives bytes although its size is 0: read it as a stream. */
  stream: 5,
  failed: 6,
} as const;

/** The folder that files are read in: opened by the main thread, entered only through open descriptors. */
export interface ReadRoot {
  readonly fd: number;
  readonly path: string;
}

/** Reads whole small files into one buffer, chunks and hashes them. */
export interface ReadJob {
  readonly kind: 'read';
  readonly chunker: ChunkParams;
  readonly root: ReadRoot;
  readonly paths: readonly string[];
  readonly expected: BigInt64Array<ArrayBuffer>;
  /** Take changed files as they are. */
  readonly acceptChanged: boolean;
  /** A buffer to use again. */
  readonly buffer: ArrayBuffer | undefined;
}

export interface ReadReply {
  readonly buffer: ArrayBuffer;
  readonly status: Uint8Array<ArrayBuffer>;
  readonly stats: BigInt64Array<ArrayBuffer>;
  /** For `failed`: errno by file number. */
  readonly errors: Readonly<Record<number, string>>;
  readonly chunks: HashedChunks;
  /** How many chunks each file has. */
  readonly chunkCounts: Uint32Array<ArrayBuffer>;
}

/** Chunks in a buffer: where each starts, its length, its id (32 bytes each). */
export interface HashedChunks {
  readonly offsets: Uint32Array<ArrayBuffer>;
  readonly lengths: Uint32Array<ArrayBuffer>;
  readonly ids: Uint8Array<ArrayBuffer>;
}

/**
 * Reads a stretch of a large file from `position` and cuts as many chunks as are certain. Where the next stretch begins
 * is known only then, so hashing is a job of its own, which another thread does meanwhile.
 */
export interface CutJob {
  readonly kind: 'cut';
  readonly chunker: ChunkParams;
  readonly root: ReadRoot;
  readonly path: string;
  readonly position: number;
  readonly buffer: ArrayBuffer | undefined;
}

export interface CutReply {
  readonly buffer: ArrayBuffer;
  readonly status: number;
  readonly error: string | undefined;
  readonly stat: BigInt64Array<ArrayBuffer>;
  readonly offsets: Uint32Array<ArrayBuffer>;
  readonly lengths: Uint32Array<ArrayBuffer>;
  /** Bytes in those chunks; the next stretch begins behind them. */
  readonly consumed: number;
  readonly atEnd: boolean;
}

export interface HashJob {
  readonly kind: 'hash';
  readonly buffer: ArrayBuffer;
  readonly offsets: Uint32Array<ArrayBuffer>;
  readonly lengths: Uint32Array<ArrayBuffer>;
}

export interface HashReply {
  readonly buffer: ArrayBuffer;
  readonly chunks: HashedChunks;
}

/** Lays blobs of a buffer together in blocks, compresses, and checks what comes out. */
export interface PackJob {
  readonly kind: 'pack';
  readonly level: CompressionLevel;
  readonly buffer: ArrayBuffer;
  /** Of each blob: kind, where it starts in the buffer, length in bytes. */
  readonly kinds: Uint8Array<ArrayBuffer>;
  readonly offsets: Uint32Array<ArrayBuffer>;
  readonly lengths: Uint32Array<ArrayBuffer>;
  /** The ids one after the other, 64 hex digits each. */
  readonly ids: string;
}

export interface PackReply {
  /** The buffer back, to be used again. */
  readonly buffer: ArrayBuffer;
  readonly blocks: readonly {
    readonly header: BlockHeader;
    readonly bytes: Uint8Array<ArrayBuffer>;
    readonly blobs: number;
  }[];
}

export type Job = ReadJob | CutJob | HashJob | PackJob | WriteJob | SegmentJob | CheckJob;
export type Reply = ReadReply | CutReply | HashReply | PackReply | WriteReply | SegmentReply | CheckReply;
