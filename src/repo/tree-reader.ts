/**
 * Reads trees, chunk lists and snapshots as values. Trees may come from an overlay first: a scan of the live folder
 * makes trees that are not in any store, and the same code compares them.
 */
import type { SnapError } from '../errors.ts';
import { hasCode } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import { BLOB_KIND } from '../object/blob-id.ts';
import type { ListFacts } from '../object/chunk-list.ts';
import { decodeChunkListAs } from '../object/chunk-list.ts';
import type { Snapshot } from '../object/snapshot.ts';
import { decodeSnapshot } from '../object/snapshot.ts';
import { decodeTree } from '../object/tree.ts';
import type { ChunkRef, FileEntry, TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import type { TreePart } from '../object/tree-parts.ts';
import { checkPart, decodeParts } from '../object/tree-parts.ts';
import type { BlobReader } from './blob-reader.ts';

/** Told of a part that cannot be read: its first name, and that of the part after it if there is one. */
export type LostPart = (first: string, next: string | undefined, error: SnapError) => void;

export interface TreeReader {
  /** All entries of a folder, sorted by name bytes. */
  folder(tree: BlobId): Promise<TreeEntry[]>;
  /**
   * As `folder`, a part at a time: bounded memory for folders of any size. A damaged one of several parts is passed over
   * if `lost` takes it.
   */
  folderParts(tree: BlobId, lost?: LostPart): AsyncGenerator<TreeEntry[]>;
  /** The chunks of a file, in order, a list at a time: bounded memory for files of any size. */
  chunks(file: FileEntry): AsyncGenerator<ChunkRef>;
  snapshot(id: BlobId): Promise<Snapshot>;
  /** The entry at a path of names, or undefined. */
  entryAt(tree: BlobId, path: readonly string[]): Promise<TreeEntry | undefined>;
}

export function treeReader(
  blobs: Pick<BlobReader, 'read'>,
  overlay: ReadonlyMap<BlobId, Uint8Array> = new Map(),
): TreeReader {
  const treeBytes = async (id: BlobId): Promise<Uint8Array> =>
    overlay.get(id) ?? (await blobs.read(BLOB_KIND.tree, id));

  async function* folderParts(tree: BlobId, lost?: LostPart): AsyncGenerator<TreeEntry[]> {
    const bytes = await treeBytes(tree);
    const parts = decodeParts(bytes);
    if (parts === undefined) yield decodeTree(bytes);
    else yield* readParts(treeBytes, parts, lost);
  }

  async function folder(tree: BlobId): Promise<TreeEntry[]> {
    const bytes = await treeBytes(tree);
    const parts = decodeParts(bytes);
    if (parts === undefined) return decodeTree(bytes);
    const entries: TreeEntry[] = [];
    for await (const part of readParts(treeBytes, parts)) for (const entry of part) entries.push(entry);
    return entries;
  }

  async function* listChunks(list: BlobId, said: ListFacts): AsyncGenerator<ChunkRef> {
    const bytes = overlay.get(list) ?? (await blobs.read(BLOB_KIND.chunkList, list));
    const { level, refs } = decodeChunkListAs(list, bytes, said);
    if (level === 0) yield* refs;
    else for (const ref of refs) yield* listChunks(ref.id, { bytes: ref.length, level: level - 1 });
  }

  async function* chunks({ content, size }: FileEntry): AsyncGenerator<ChunkRef> {
    if ('chunks' in content) yield* content.chunks;
    else yield* listChunks(content.list, { bytes: size, level: undefined });
  }

  async function entryAt(tree: BlobId, path: readonly string[]): Promise<TreeEntry | undefined> {
    let at = tree;
    for (const [depth, name] of path.entries()) {
      const entry = (await folder(at)).find((candidate) => candidate.name === name);
      if (entry === undefined || depth === path.length - 1) return entry;
      if (entry.kind !== ENTRY_KIND.folder) return undefined;
      at = entry.tree;
    }
    return undefined;
  }

  return {
    folder,
    folderParts,
    chunks,
    entryAt,
    snapshot: async (id) => decodeSnapshot(await blobs.read(BLOB_KIND.snapshot, id)),
  };
}

async function* readParts(
  treeBytes: (id: BlobId) => Promise<Uint8Array>,
  parts: readonly TreePart[],
  lost?: LostPart,
): AsyncGenerator<TreeEntry[]> {
  for (const [i, part] of parts.entries()) {
    const next = parts[i + 1];
    let entries: TreeEntry[] = [];
    try {
      entries = decodeTree(await treeBytes(part.tree));
      checkPart(part, next, entries);
    } catch (error) {
      if (lost === undefined || !hasCode(error, 'corrupt-data')) throw error;
      lost(part.firstName, next?.firstName, error);
      continue;
    }
    yield entries;
  }
}
