/**
 * Pairs removed and added files that share chunks: at least half of the larger one's bytes. Reads chunk lists, never
 * contents. Files of one chunk have nothing to share in part. Bounded: see the limits below.
 */
import type { BlobId } from '../object/blob-id.ts';
import type { FileEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import type { TreeReader } from '../repo/tree-reader.ts';
import type { Leaf, Rename } from './found-renames.ts';
import { baseName } from './found-renames.ts';

const SIMILARITY_MIN = 0.5;
/** Chunks of removed files that are looked at; each costs some 200 bytes. */
const CHUNKS_MAX = 200_000;
/** Chunks that are read at all, of files on both sides: a few lists may tell of any number. */
const CHUNKS_READ_MAX = 4_000_000;
/** A chunk that more files have in common (zeros, headers) tells nothing. */
const FILES_OF_CHUNK_MAX = 32;

/** How many more chunks may be read. */
interface Reads {
  left: number;
}

interface Removed {
  readonly path: string;
  readonly entry: FileEntry;
  readonly chunks: ReadonlyMap<BlobId, number>;
}

interface Pair {
  readonly from: Removed;
  readonly to: Leaf;
  readonly similarity: number;
}

/** The most similar pairs first; no file is in two. */
export async function similarFiles(
  before: TreeReader,
  removed: readonly Leaf[],
  after: TreeReader,
  added: readonly Leaf[],
): Promise<Rename[]> {
  if (removed.length === 0 || added.length === 0) return [];
  const reads: Reads = { left: CHUNKS_READ_MAX };
  const byChunk = await filesByChunk(before, removed, reads);
  if (byChunk.size === 0) return [];
  const pairs: Pair[] = [];
  for (const leaf of added) {
    if (!hasManyChunks(leaf.entry)) continue;
    const chunks = await bytesByChunk(after, leaf.entry, reads, (id) => byChunk.has(id));
    if (chunks === undefined) break;
    pairs.push(...pairsOf(leaf, leaf.entry, chunks, byChunk));
  }
  const sameName = (pair: Pair): number => (baseName(pair.from.path) === baseName(pair.to.path) ? 1 : 0);
  pairs.sort((a, b) => b.similarity - a.similarity || sameName(b) - sameName(a));
  const used = new Set<string>();
  const renames: Rename[] = [];
  for (const { from, to, similarity } of pairs) {
    if (used.has(`-${from.path}`) || used.has(`+${to.path}`)) continue;
    used.add(`-${from.path}`).add(`+${to.path}`);
    // Not quite the same is never shown as the same.
    renames.push({
      from: from.path,
      to: to.path,
      before: from.entry,
      similarity: Math.min(99, Math.floor(similarity * 100)),
      leaves: 1,
    });
  }
  return renames;
}

async function filesByChunk(
  trees: TreeReader,
  removed: readonly Leaf[],
  reads: Reads,
): Promise<Map<BlobId, Removed[]>> {
  const byChunk = new Map<BlobId, Removed[]>();
  let total = 0;
  for (const { path, entry } of removed) {
    if (!hasManyChunks(entry)) continue;
    const chunks = await bytesByChunk(trees, entry, reads, (_id, known) => total + known <= CHUNKS_MAX);
    total += chunks?.size ?? 0;
    if (chunks === undefined || total > CHUNKS_MAX) break;
    const file: Removed = { path, entry, chunks };
    for (const id of chunks.keys()) {
      const files = byChunk.get(id);
      if (files === undefined) byChunk.set(id, [file]);
      else if (files.length < FILES_OF_CHUNK_MAX) files.push(file);
    }
  }
  return byChunk;
}

function pairsOf(
  to: Leaf,
  entry: FileEntry,
  chunks: ReadonlyMap<BlobId, number>,
  byChunk: ReadonlyMap<BlobId, readonly Removed[]>,
): Pair[] {
  const shared = new Map<Removed, number>();
  for (const [id, bytes] of chunks) {
    for (const file of byChunk.get(id) ?? [])
      shared.set(file, (shared.get(file) ?? 0) + Math.min(bytes, file.chunks.get(id) ?? 0));
  }
  const pairs: Pair[] = [];
  for (const [from, bytes] of shared) {
    const similarity = bytes / Math.max(from.entry.size, entry.size);
    if (similarity >= SIMILARITY_MIN) pairs.push({ from, to, similarity });
  }
  return pairs;
}

function hasManyChunks(entry: Leaf['entry']): entry is FileEntry {
  return entry.kind === ENTRY_KIND.file && ('list' in entry.content || entry.content.chunks.length > 1);
}

/** The bytes that a file has of each chunk that `counts`, given how many others do; undefined once too many were read. */
async function bytesByChunk(
  trees: TreeReader,
  file: FileEntry,
  reads: Reads,
  counts: (id: BlobId, known: number) => boolean,
): Promise<Map<BlobId, number> | undefined> {
  const bytes = new Map<BlobId, number>();
  for await (const { id, length } of trees.chunks(file)) {
    if (reads.left-- <= 0) return undefined;
    if (counts(id, bytes.size)) bytes.set(id, (bytes.get(id) ?? 0) + length);
  }
  return bytes;
}
