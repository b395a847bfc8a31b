/**
 * Is a snapshot that no ref names any more still whole? Walks it: every tree, part and chunk list must be readable and
 * lie in a pack that is there, every data blob must lie in one. Asked before a ref is set to it again.
 */
import { hasCode } from '../errors.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import { BLOB_KIND, shortId } from '../object/blob-id.ts';
import type { ListFacts } from '../object/chunk-list.ts';
import { decodeChunkListAs } from '../object/chunk-list.ts';
import type { PackId } from '../object/pack-id.ts';
import { decodeSnapshot } from '../object/snapshot.ts';
import { decodeTree } from '../object/tree.ts';
import type { ChunkRef, FileEntry } from '../object/tree-entry.ts';
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

/** Trees and lists that were found whole are not walked again: snapshots share most of theirs. */
class CompletenessWalk {
  readonly #repository: Repository;
  readonly #missing: ReadonlySet<PackId>;
  readonly #signal: AbortSignal | undefined;
  readonly #whole = new Set<BlobId>();
  /** With what was said of them: another one may say something else. */
  readonly #wholeLists = new Set<string>();

  constructor(repository: Repository, missing: ReadonlySet<PackId>, signal: AbortSignal | undefined) {
    this.#repository = repository;
    this.#missing = missing;
    this.#signal = signal;
  }

  /** What the snapshot lacks first; undefined if it is whole. */
  async gap(id: BlobId): Promise<string | undefined> {
    const snapshot = await this.#read(BLOB_KIND.snapshot, id, decodeSnapshot);
    if (snapshot === undefined) return 'its record is gone';
    return this.#treeGap(snapshot.tree, '');
  }

  async #treeGap(tree: BlobId, path: string): Promise<string | undefined> {
    if (this.#whole.has(tree)) return undefined;
    this.#signal?.throwIfAborted();
    const folder = await this.#read(BLOB_KIND.tree, tree, (bytes) => {
      const parts = decodeParts(bytes);
      return parts === undefined ? { entries: decodeTree(bytes) } : { parts };
    });
    if (folder === undefined) return `the folder ${path === '' ? '/' : path} is gone`;
    if (folder.parts !== undefined) {
      for (const part of folder.parts) {
        const gap = await this.#treeGap(part.tree, path);
        if (gap !== undefined) return gap;
      }
    } else {
      for (const entry of folder.entries) {
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
    const { content, size } = file;
    const whole =
      'list' in content
        ? await this.#listIsWhole(content.list, { bytes: size, level: undefined })
        : await this.#allThere(content.chunks);
    return whole ? undefined : `the bytes of ${path} are gone`;
  }

  async #listIsWhole(id: BlobId, said: ListFacts): Promise<boolean> {
    const key = `${id} ${said.bytes} ${said.level}`;
    if (this.#wholeLists.has(key)) return true;
    const list = await this.#read(BLOB_KIND.chunkList, id, (bytes) => decodeChunkListAs(id, bytes, said));
    if (list === undefined) return false;
    const { level, refs } = list;
    if (level === 0 && !(await this.#allThere(refs))) return false;
    if (level > 0)
      for (const ref of refs)
        if (!(await this.#listIsWhole(ref.id, { bytes: ref.length, level: level - 1 }))) return false;
    this.#wholeLists.add(key);
    return true;
  }

  async #allThere(chunks: readonly ChunkRef[]): Promise<boolean> {
    for (const { id, length } of chunks) if (!(await this.#isThere(BLOB_KIND.data, id, length))) return false;
    return true;
  }

  /** The index may still hold a tree whose pack was swept: what counts is the pack. */
  async #read<T>(kind: BlobKind, id: BlobId, decode: (bytes: Buffer) => T): Promise<T | undefined> {
    if (!(await this.#isThere(kind, id))) return undefined;
    try {
      return decode(await this.#repository.blobs.read(kind, id));
    } catch (error) {
      if (hasCode(error, 'corrupt-data')) return undefined;
      throw error;
    }
  }

  async #isThere(kind: BlobKind, id: BlobId, bytes?: number): Promise<boolean> {
    try {
      const { pack, length } = await this.#repository.blobs.locate(kind, id);
      if (bytes !== undefined && bytes !== length) return false;
      return this.#repository.state().packs.has(pack) && !this.#missing.has(pack);
    } catch (error) {
      if (hasCode(error, 'corrupt-data')) return false;
      throw error;
    }
  }
}
