/**
 * Is a snapshot that no ref names any more still whole? Walks it: every tree, part and chunk list must be readable and
 * lie in a pack that is there, every data blob must lie in one. Asked before a ref is set to it again.
 */
import { hasCode } from '../errors.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import { BLOB_KIND, shortId } from '../object/blob-id.ts';
import { decodeChunkList } from '../object/chunk-list.ts';
import type { PackId } from '../object/pack-id.ts';
import { decodeSnapshot } from '../object/snapshot.ts';
import { decodeTree } from '../object/tree.ts';
import type { FileEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import { decodeParts } from '../object/tree-parts.ts';
import { missingPacks } from './pack-presence.ts';
import type { Repository } from './repository.ts';

/** What of `ids` is gone: one phrase for each snapshot that is not whole, naming the first path it lacks. */
export async function incompleteSnapshots(
  repository: Repository,
  ids: Iterable<BlobId>,
  signal?: AbortSignal,
): Promise<string[]> {
  const missing = await missingPacks(repository.backend, repository.state());
  const walk = new CompletenessWalk(repository, missing, signal);
  const gone: string[] = [];
  for (const id of new Set(ids)) {
    const reason = await walk.gap(id);
    if (reason !== undefined) gone.push(`${shortId(id)}: ${reason}`);
  }
  return gone;
}

/** Trees that were found whole are not walked again: snapshots share most of theirs. */
class CompletenessWalk {
  readonly #repository: Repository;
  readonly #missing: ReadonlySet<PackId>;
  readonly #signal: AbortSignal | undefined;
  readonly #whole = new Set<BlobId>();

  constructor(repository: Repository, missing: ReadonlySet<PackId>, signal: AbortSignal | undefined) {
    this.#repository = repository;
    this.#missing = missing;
    this.#signal = signal;
  }

  /** What the snapshot lacks first; undefined if it is whole. */
  async gap(id: BlobId): Promise<string | undefined> {
    const bytes = await this.#read(BLOB_KIND.snapshot, id);
    if (bytes === undefined) return 'its record is gone';
    return this.#treeGap(decodeSnapshot(bytes).tree, '');
  }

  async #treeGap(tree: BlobId, path: string): Promise<string | undefined> {
    if (this.#whole.has(tree)) return undefined;
    this.#signal?.throwIfAborted();
    const bytes = await this.#read(BLOB_KIND.tree, tree);
    if (bytes === undefined) return `the folder ${path === '' ? '/' : path} is gone`;
    const parts = decodeParts(bytes);
    if (parts !== undefined) {
      for (const part of parts) {
        const gap = await this.#treeGap(part.tree, path);
        if (gap !== undefined) return gap;
      }
    } else {
      for (const entry of decodeTree(bytes)) {
        const entryPath = path === '' ? entry.name : `${path}/${entry.name}`;
        const gap =
          entry.kind === ENTRY_KIND.folder
            ? await this.#treeGap(entry.tree, entryPath)
            : entry.kind === ENTRY_KIND.file
              ? await this.#fileGap(entry, entryPath)
              : undefined;
        if (gap !== undefined) return gap;
      }
    }
    this.#whole.add(tree);
    return undefined;
  }

  async #fileGap(file: FileEntry, path: string): Promise<string | undefined> {
    const whole =
      'list' in file.content ? await this.#listIsWhole(file.content.list) : await this.#allThere(file.content.chunks);
    return whole ? undefined : `the bytes of ${path} are gone`;
  }

  async #listIsWhole(list: BlobId): Promise<boolean> {
    const bytes = await this.#read(BLOB_KIND.chunkList, list);
    if (bytes === undefined) return false;
    const { level, refs } = decodeChunkList(bytes);
    if (level === 0) return this.#allThere(refs);
    for (const ref of refs) if (!(await this.#listIsWhole(ref.id))) return false;
    return true;
  }

  async #allThere(chunks: readonly { readonly id: BlobId }[]): Promise<boolean> {
    for (const { id } of chunks) if (!(await this.#isThere(BLOB_KIND.data, id))) return false;
    return true;
  }

  /** The index may still hold a tree whose pack was swept: what counts is the pack. */
  async #read(kind: BlobKind, id: BlobId): Promise<Buffer | undefined> {
    if (!(await this.#isThere(kind, id))) return undefined;
    try {
      return await this.#repository.blobs.read(kind, id);
    } catch (error) {
      if (hasCode(error, 'corrupt-data')) return undefined;
      throw error;
    }
  }

  async #isThere(kind: BlobKind, id: BlobId): Promise<boolean> {
    try {
      const { pack } = await this.#repository.blobs.locate(kind, id);
      return this.#repository.state().packs.has(pack) && !this.#missing.has(pack);
    } catch (error) {
      if (hasCode(error, 'corrupt-data')) return false;
      throw error;
    }
  }
}
