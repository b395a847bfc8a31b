/**
 * Looks for lost blobs outside of the packs: trees and snapshots in the index, which keeps them whole, and whatever the
 * live folder still has: chunks of files, and the trees and chunk lists that are made of it again. Everything is known
 * by its hash, so what is found is right.
 */
import { hasCode } from '../errors.ts';
import { BlobTable } from '../index/blob-table.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import { BLOB_KIND, blobIdOf } from '../object/blob-id.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import type { BlobBytes } from '../pack/block.ts';
import { findReferences } from '../repo/references.ts';
import type { Repository } from '../repo/repository.ts';
import { walkTree } from '../repo/tree-diff.ts';
import { treeReader } from '../repo/tree-reader.ts';
import { scanWorkspace } from '../scan/scan.ts';
import { everything } from '../scan/selection.ts';
import type { Workers } from '../work/start-workers.ts';

/** Takes the chunks that are found; undefined where only a plan is made. */
export interface ChunkTaker {
  take(id: BlobId, bytes: Uint8Array): void;
  ready(): Promise<void>;
}

export interface FolderSearch {
  readonly repository: Repository;
  readonly workers: Workers;
  readonly lost: BlobTable;
  /** What needs no recovery. */
  readonly isThere: (kind: BlobKind, id: BlobId) => boolean;
  readonly taker: ChunkTaker | undefined;
  readonly signal: AbortSignal | undefined;
  readonly progress: (bytesRead: number) => void;
}

export interface FolderFinds {
  /** Trees and chunk lists. */
  readonly metadata: readonly BlobBytes[];
  /** Chunks, with their length and a path whose file has them. */
  readonly chunks: ReadonlyMap<BlobId, { readonly length: number; readonly path: string }>;
}

/** Lost trees and snapshots that the index keeps, and what is lost below them. */
export function searchIndex(
  { index }: Repository,
  lost: BlobTable,
  isThere: FolderSearch['isThere'],
): readonly BlobBytes[] {
  return withReferences(lost, isThere, (kind, id) =>
    kind === BLOB_KIND.tree || kind === BLOB_KIND.snapshot ? index.object(kind, id) : undefined,
  );
}

/** Reads every file of the live folder that is not ignored. */
export async function searchFolder(search: FolderSearch): Promise<FolderFinds> {
  const { repository, lost, taker } = search;
  const overlay = new Map<BlobId, Uint8Array>();
  const found = new Map<BlobId, { length: number; path: string }>();
  const scan = await scanWorkspace({
    repository,
    workers: search.workers,
    base: undefined,
    selection: everything,
    useRecords: false,
    exclude: [],
    keep: (_kind, id, bytes) => overlay.set(id, bytes),
    sink: {
      spareBuffer: () => undefined,
      ready: async () => taker?.ready(),
      take: (buffer, chunks, refs) => {
        for (const [i, { id, length }] of refs.entries()) {
          if (found.has(id) || lost.find(BLOB_KIND.data, id) < 0) continue;
          found.set(id, { length, path: '' });
          taker?.take(id, new Uint8Array(buffer.slice(chunks.offsets[i], (chunks.offsets[i] ?? 0) + length)));
        }
      },
    },
    signal: search.signal,
    progress: ({ bytesRead }) => search.progress(bytesRead),
  });
  const metadata = withReferences(lost, search.isThere, (kind, id) =>
    kind === BLOB_KIND.tree || kind === BLOB_KIND.chunkList ? overlay.get(id) : undefined,
  );
  if (found.size > 0) {
    const trees = treeReader(repository.blobs, overlay);
    for await (const { path, entry } of walkTree(trees, scan.tree)) {
      if (entry.kind !== ENTRY_KIND.file) continue;
      for await (const { id } of trees.chunks(entry)) {
        const chunk = found.get(id);
        if (chunk?.path === '') chunk.path = path;
      }
    }
  }
  return { metadata, chunks: found };
}

/** What `bytesOf` has of lost trees, lists and snapshots, and of those that they refer to and that are not there. */
function withReferences(
  lost: BlobTable,
  isThere: FolderSearch['isThere'],
  bytesOf: (kind: BlobKind, id: BlobId) => Uint8Array | undefined,
): BlobBytes[] {
  const seen = new BlobTable();
  const pending: { kind: BlobKind; id: BlobId }[] = [];
  const want = (kind: BlobKind, id: BlobId): void => {
    const before = seen.size;
    seen.add(kind, id);
    if (kind !== BLOB_KIND.data && seen.size > before && !isThere(kind, id)) pending.push({ kind, id });
  };
  for (let number = 0; number < lost.size; number++) want(lost.kindOf(number), lost.idOf(number));
  const parts: BlobBytes[] = [];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { kind, id } = next;
    const bytes = bytesOf(kind, id);
    if (bytes === undefined || blobIdOf(bytes) !== id) continue;
    parts.push({ blob: { kind, id, length: bytes.length }, bytes });
    // What nobody can decode refers to nothing.
    quietly(() =>
      findReferences(kind, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), (childKind, holder, offset) =>
        want(childKind, holder.toString('hex', offset, offset + 32) as BlobId),
      ),
    );
  }
  return parts;
}

function quietly(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!hasCode(error, 'corrupt-data', 'unsupported-format')) throw error;
  }
}
