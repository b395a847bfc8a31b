/** Chunks as jobs of the writing workers name them: by the number of their block in the job, and the place in it. */
import type { BlobLocation } from '../index/blob-index.ts';
import type { ChunkRef } from '../object/tree-entry.ts';
import type { BlockRef } from '../work/block-source.ts';
import type { WriteChunk } from '../work/write-files.ts';

/** Where a chunk lies. */
export interface Place {
  readonly key: string;
  readonly block: BlockRef;
  /** In the decoded block. */
  readonly offset: number;
}

/** The blocks that a job needs, numbered in the order in which they came. */
export type Blocks = Map<string, { readonly number: number; readonly block: BlockRef }>;

export function blockKey(location: BlobLocation): string {
  return `${location.pack}:${location.blockOffset}`;
}

export function blockBase(location: BlobLocation): Omit<BlockRef, 'source'> {
  return { pack: location.pack, offset: location.blockOffset, storedLength: location.storedLength };
}

/** The chunks as a worker takes them; their blocks get numbers in `blocks`. */
export function writeChunks(blocks: Blocks, chunks: readonly ChunkRef[], places: readonly Place[]): WriteChunk[] {
  return places.map(({ key, block, offset }, i) => {
    const { id, length } = chunks[i] as ChunkRef;
    let numbered = blocks.get(key);
    if (numbered === undefined) {
      numbered = { number: blocks.size, block };
      blocks.set(key, numbered);
    }
    return { block: numbered.number, offset, length, id };
  });
}
