/**
 * Where the chunks of files lie: found in the index, or, where that does not know or gc was faster, in the store as it is
 * now; and named as jobs of the writing workers do: by the number of their block in the job, and the place in it.
 */
import { hasCode, SnapError } from '../errors.ts';
import type { BlobLocation } from '../index/blob-index.ts';
import { BLOB_KIND } from '../object/blob-id.ts';
import type { ChunkRef } from '../object/tree-entry.ts';
import { BLOCK_HEADER_BYTES } from '../pack/pack-format.ts';
import { PLACES_MAX } from '../repo/blob-reader.ts';
import { packName } from '../repo/layout.ts';
import { readPackRange } from '../repo/read-pack.ts';
import type { Repository } from '../repo/repository.ts';
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

/** Where the chunks lie, if the index knows all of them and their packs are local files. */
export function knownPlaces(repository: Repository, chunks: readonly ChunkRef[], blocks: Blocks): Place[] | undefined {
  const places: Place[] = [];
  for (const chunk of chunks) {
    const location = repository.index.find(BLOB_KIND.data, chunk.id);
    if (location?.length !== chunk.length) return undefined;
    const key = blockKey(location);
    const block = blocks.get(key)?.block ?? localBlock(repository, location);
    if (block === undefined) return undefined;
    places.push({ key, block, offset: location.offset });
  }
  return places;
}

/** Where the chunks lie, with the bytes of blocks that are no local files. Throws `corrupt-data`. */
export async function fetchPlaces(
  repository: Repository,
  chunks: readonly ChunkRef[],
  blocks: Blocks,
): Promise<Place[]> {
  const places: Place[] = [];
  for (const chunk of chunks) {
    const location = await repository.blobs.locate(BLOB_KIND.data, chunk.id);
    places.push(await placeAt(repository, chunk, location, blocks, places));
  }
  return places;
}

/**
 * The chunks of a job that failed with `error`, at their places in the store as it is now: gc may have swept the packs
 * they were in. `before`: the blocks of that job. Throws `error` if no chunk has another place.
 */
export async function movedChunks(
  repository: Repository,
  chunks: readonly WriteChunk[],
  before: readonly BlockRef[],
  error: SnapError,
  blocks: Blocks,
): Promise<WriteChunk[]> {
  const { packs } = await repository.blobs.newestState();
  const places = chunks.map((chunk) => placeBefore(chunk, before));
  const gone = places.filter(({ block }) => !packs.has(block.pack));
  // If all packs are still there, a chunk that is damaged may have another copy.
  const doubtful = new Set(gone.length > 0 ? gone : places);
  const now: Place[] = [];
  for (const [i, place] of places.entries()) {
    const chunk = chunks[i] as WriteChunk;
    now.push(doubtful.has(place) ? await placeNow(repository, chunk, place, error, blocks, now) : place);
  }
  if (now.every((place, i) => place === places[i])) throw error;
  return writeChunks(blocks, chunks, now);
}

function placeBefore(chunk: WriteChunk, before: readonly BlockRef[]): Place {
  const block = before[chunk.block];
  if (block === undefined) throw new RangeError('a chunk without its block');
  return { key: `${block.pack}:${block.offset}`, block, offset: chunk.offset };
}

/** Where a chunk lies now, or `place` itself if it is nowhere else and its pack is still there. */
async function placeNow(
  repository: Repository,
  chunk: WriteChunk,
  place: Place,
  error: SnapError,
  blocks: Blocks,
  places: readonly Place[],
): Promise<Place> {
  const { pack, offset: blockOffset } = place.block;
  try {
    const location = await repository.blobs.moved(BLOB_KIND.data, chunk.id, { pack, blockOffset }, error);
    return await placeAt(repository, chunk, location, blocks, places);
  } catch (failure) {
    if (failure !== error) throw failure;
    return place;
  }
}

async function placeAt(
  repository: Repository,
  chunk: ChunkRef,
  found: BlobLocation,
  blocks: Blocks,
  places: readonly Place[],
): Promise<Place> {
  for (let location = found, attempt = 1; ; attempt++) {
    if (location.length !== chunk.length)
      throw new SnapError('corrupt-data', 'a chunk has another length than its file says');
    const key = blockKey(location);
    const known = blocks.get(key)?.block ?? places.find((place) => place.key === key)?.block;
    try {
      return { key, block: known ?? (await fetchBlock(repository, location)), offset: location.offset };
    } catch (error) {
      if (!hasCode(error, 'corrupt-data') || attempt >= PLACES_MAX) throw error;
      location = await repository.blobs.moved(BLOB_KIND.data, chunk.id, location, error);
    }
  }
}

async function fetchBlock(repository: Repository, location: BlobLocation): Promise<BlockRef> {
  const local = localBlock(repository, location);
  if (local !== undefined) return local;
  const length = BLOCK_HEADER_BYTES + location.storedLength;
  const bytes = await readPackRange(repository.backend, location.pack, { offset: location.blockOffset, length });
  return { ...blockBase(location), source: { bytes: new Uint8Array(bytes) } };
}

function localBlock({ backend }: Repository, location: BlobLocation): BlockRef | undefined {
  const path = backend.localPath(packName(location.pack));
  return path === undefined ? undefined : { ...blockBase(location), source: { path } };
}

/** The blocks by their numbers. */
export function blockRefs(blocks: Blocks): BlockRef[] {
  return [...blocks.values()].map(({ block }) => block);
}

function blockKey(location: BlobLocation): string {
  return `${location.pack}:${location.blockOffset}`;
}

function blockBase(location: BlobLocation): Omit<BlockRef, 'source'> {
  return { pack: location.pack, offset: location.blockOffset, storedLength: location.storedLength };
}

/** The chunks as a worker takes them; their blocks get numbers in `blocks`. */
export function writeChunks(
  blocks: Blocks,
  chunks: readonly Pick<ChunkRef, 'id' | 'length'>[],
  places: readonly Place[],
): WriteChunk[] {
  return places.map(({ key, block, offset }, i) => {
    const { id, length } = chunks[i] as Pick<ChunkRef, 'id' | 'length'>;
    let numbered = blocks.get(key);
    if (numbered === undefined) {
      numbered = { number: blocks.size, block };
      blocks.set(key, numbered);
    }
    return { block: numbered.number, offset, length, id };
  });
}
