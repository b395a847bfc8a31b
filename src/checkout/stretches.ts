/** The chunks of files in the portions that writing jobs take: bounded, however many a list tells of. */
import type { ChunkRef, FileEntry } from '../object/tree-entry.ts';
import type { TreeReader } from '../repo/tree-reader.ts';

/** Files from here on are written by several jobs. */
export const LARGE_BYTES = 8 * 1024 * 1024;
const STRETCH_BYTES = 8 * 1024 * 1024;
/** Twice as many as the smallest chunks of an ordinary store make of a stretch. */
const CHUNKS_MAX = 256;

/** The chunks of a small file; undefined for one that is large, or has more chunks than a stretch. */
export async function fewChunks(trees: TreeReader, entry: FileEntry): Promise<readonly ChunkRef[] | undefined> {
  if (entry.size >= LARGE_BYTES) return undefined;
  const chunks: ChunkRef[] = [];
  for await (const chunk of trees.chunks(entry)) if (chunks.push(chunk) > CHUNKS_MAX) return undefined;
  return chunks;
}

/** The chunks of a file, stretch by stretch. */
export async function* stretchesOf(trees: TreeReader, entry: FileEntry): AsyncGenerator<readonly ChunkRef[]> {
  let stretch: ChunkRef[] = [];
  let bytes = 0;
  for await (const chunk of trees.chunks(entry)) {
    stretch.push(chunk);
    bytes += chunk.length;
    if (bytes < STRETCH_BYTES && stretch.length < CHUNKS_MAX) continue;
    yield stretch;
    stretch = [];
    bytes = 0;
  }
  if (stretch.length > 0) yield stretch;
}
