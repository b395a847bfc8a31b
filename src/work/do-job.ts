/** Does the jobs of worker threads: one at a time, with what a thread keeps between jobs. */
import type { Zstd } from '../compress/zstd.ts';
import { loadZstd } from '../compress/zstd.ts';
import type { Disk } from '../disk/disk.ts';
import { BlockSource } from './block-source.ts';
import { checkPack } from './check-blocks.ts';
import { hashChunks } from './hash-chunks.ts';
import type { HashedChunks, Job, Reply } from './jobs.ts';
import { packBlobs } from './pack-blobs.ts';
import { cutStretch, readFiles } from './read-files.ts';
import { writeFiles, writeSegment } from './write-files.ts';

/** A reply, and the buffers in it that can be moved to another thread. */
export interface Done {
  readonly reply: Reply;
  readonly transfer: readonly ArrayBuffer[];
}

/** Returns what does jobs on `disk`. */
export function jobRunner(disk: Disk): (job: Job) => Promise<Done> {
  let zstd: Zstd | undefined;
  let blocks: BlockSource | undefined;
  const codec = async (): Promise<Zstd> => {
    zstd ??= await loadZstd();
    return zstd;
  };
  const source = async (): Promise<BlockSource> => {
    blocks ??= new BlockSource(disk, await codec());
    return blocks;
  };
  return async (job) => {
    switch (job.kind) {
      case 'read': {
        const reply = readFiles(disk, job);
        return {
          reply,
          transfer: [
            reply.buffer,
            reply.status.buffer,
            reply.stats.buffer,
            reply.chunkCounts.buffer,
            ...buffersOf(reply.chunks),
          ],
        };
      }
      case 'cut': {
        const reply = cutStretch(disk, job);
        return { reply, transfer: [reply.buffer, reply.stat.buffer, reply.offsets.buffer, reply.lengths.buffer] };
      }
      case 'hash': {
        const chunks = hashChunks(job.buffer, job);
        return { reply: { buffer: job.buffer, chunks }, transfer: [job.buffer, ...buffersOf(chunks)] };
      }
      case 'pack': {
        const reply = packBlobs(await codec(), job);
        return { reply, transfer: [reply.buffer, ...reply.blocks.map((block) => block.bytes.buffer)] };
      }
      case 'write': {
        const reply = writeFiles(disk, await source(), job);
        return { reply, transfer: [reply.stats.buffer] };
      }
      case 'segment':
        return { reply: writeSegment(disk, await source(), job), transfer: [] };
      case 'check':
        return { reply: await checkPack(await codec(), job), transfer: [] };
    }
  };
}

function buffersOf(chunks: HashedChunks): ArrayBuffer[] {
  return [chunks.offsets.buffer, chunks.lengths.buffer, chunks.ids.buffer];
}
