/**
 * Which snapshots and paths need blobs that are missing or damaged. Walks the trees of every snapshot, newest first;
 * folders that were found whole are not walked again. A path is listed once, with the snapshots in which it is hit.
 */
import { hasCode } from '../errors.ts';
import { BlobTable } from '../index/blob-table.ts';
import type { BlobId } from '../object/blob-id.ts';
import { BLOB_KIND } from '../object/blob-id.ts';
import { decodeChunkList } from '../object/chunk-list.ts';
import type { PackId } from '../object/pack-id.ts';
import { decodeTree } from '../object/tree.ts';
import type { ChunkRef, FileEntry, TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import { decodeParts } from '../object/tree-parts.ts';
import type { Repository } from '../repo/repository.ts';

export interface Hit {
  /** '' is the whole snapshot; a folder's path ends in "/" and stands for all in it. */
  readonly path: string;
  readonly snapshots: readonly BlobId[];
}

export interface Hits {
  readonly listed: readonly Hit[];
  /** Paths that are hit in any snapshot; a floor if `isFloor`. */
  readonly paths: number;
  readonly isFloor: boolean;
  readonly snapshots: readonly BlobId[];
}

const LISTED_PATHS_MAX = 100;
/** Paths that are told apart; beyond this they are no longer counted. */
const KNOWN_PATHS_MAX = 100_000;

/** What hits are looked for with. */
export interface HitReader {
  readonly blobs: Pick<Repository['blobs'], 'read'> & Partial<Pick<Repository['blobs'], 'locate' | 'readStored'>>;
  readonly trees: Pick<Repository['trees'], 'snapshot'>;
}

/** `doubtful`: packs in which more may be damaged than `damaged` says; what lies in them is read to find out. */
export async function findHits(
  repository: HitReader,
  damaged: BlobTable,
  doubtful: ReadonlySet<PackId>,
  snapshots: readonly BlobId[],
  signal: AbortSignal | undefined,
): Promise<Hits> {
  const walk = new HitWalk(repository, damaged, doubtful, signal);
  for (const id of snapshots) await walk.snapshot(id);
  return walk.result();
}

class HitWalk {
  readonly #repository: HitReader;
  readonly #damaged: BlobTable;
  readonly #doubtful: ReadonlySet<PackId>;
  readonly #signal: AbortSignal | undefined;
  readonly #whole = new BlobTable();
  readonly #paths = new Map<string, BlobId[]>();
  readonly #snapshots: BlobId[] = [];
  #isFloor = false;
  #noted = 0;

  constructor(
    repository: HitReader,
    damaged: BlobTable,
    doubtful: ReadonlySet<PackId>,
    signal: AbortSignal | undefined,
  ) {
    this.#repository = repository;
    this.#damaged = damaged;
    this.#doubtful = doubtful;
    this.#signal = signal;
  }

  async snapshot(id: BlobId): Promise<void> {
    let hit = false;
    const note = (path: string): void => {
      hit = true;
      this.#noted++;
      const known = this.#paths.get(path);
      if (known !== undefined) known.push(id);
      else if (this.#paths.size < KNOWN_PATHS_MAX) this.#paths.set(path, [id]);
      else this.#isFloor = true;
    };
    if (this.#damaged.find(BLOB_KIND.snapshot, id) >= 0) note('');
    else {
      const snapshot = await this.#orNothing(() => this.#repository.trees.snapshot(id));
      if (snapshot === undefined) note('');
      else await this.#folder(snapshot.tree, '', note);
    }
    if (hit) this.#snapshots.push(id);
  }

  result(): Hits {
    const listed: Hit[] = [];
    for (const [path, snapshots] of this.#paths) {
      if (listed.length >= LISTED_PATHS_MAX) break;
      listed.push({ path, snapshots });
    }
    return { listed, paths: this.#paths.size, isFloor: this.#isFloor, snapshots: this.#snapshots };
  }

  /** Notes what is hit in a folder; `path` ends in "/" or is ''. */
  async #folder(tree: BlobId, path: string, note: (path: string) => void): Promise<void> {
    if (this.#whole.find(BLOB_KIND.tree, tree) >= 0) return;
    this.#signal?.throwIfAborted();
    const noted = this.#noted;
    const bytes =
      this.#damaged.find(BLOB_KIND.tree, tree) >= 0
        ? undefined
        : await this.#orNothing(() => this.#repository.blobs.read(BLOB_KIND.tree, tree));
    const parts = bytes === undefined ? undefined : await this.#orNothing(async () => decodeParts(bytes));
    const entries =
      bytes === undefined || parts !== undefined ? undefined : await this.#orNothing(async () => decodeTree(bytes));
    if (parts !== undefined) for (const part of parts) await this.#folder(part.tree, path, note);
    else if (entries === undefined) note(path);
    else for (const entry of entries) await this.#entry(entry, path, note);
    if (this.#noted === noted) this.#whole.add(BLOB_KIND.tree, tree);
  }

  async #entry(entry: TreeEntry, folder: string, note: (path: string) => void): Promise<void> {
    if (entry.kind === ENTRY_KIND.folder) await this.#folder(entry.tree, `${folder}${entry.name}/`, note);
    else if (entry.kind === ENTRY_KIND.file && (await this.#fileIsHit(entry))) note(`${folder}${entry.name}`);
  }

  async #fileIsHit(file: FileEntry): Promise<boolean> {
    if ('list' in file.content) return this.#listIsHit(file.content.list);
    return this.#anyIsHit(file.content.chunks);
  }

  /** A tree that only the index still has leads to chunks that no walk over the packs has seen. */
  async #anyIsHit(chunks: readonly ChunkRef[]): Promise<boolean> {
    const { blobs } = this.#repository;
    for (const { id } of chunks) {
      if (this.#damaged.find(BLOB_KIND.data, id) >= 0) return true;
      if (this.#doubtful.size === 0) continue;
      const location = await this.#orNothing(async () => blobs.locate?.(BLOB_KIND.data, id));
      const isDoubtful = location === undefined || this.#doubtful.has(location.pack);
      if (!isDoubtful || (await this.#orNothing(async () => blobs.readStored?.(BLOB_KIND.data, id))) !== undefined)
        continue;
      this.#damaged.add(BLOB_KIND.data, id);
      return true;
    }
    return false;
  }

  async #listIsHit(list: BlobId): Promise<boolean> {
    if (this.#whole.find(BLOB_KIND.chunkList, list) >= 0) return false;
    if (this.#damaged.find(BLOB_KIND.chunkList, list) >= 0) return true;
    const decoded = await this.#orNothing(async () =>
      decodeChunkList(await this.#repository.blobs.read(BLOB_KIND.chunkList, list)),
    );
    if (decoded === undefined) return true;
    if (decoded.level === 0 && (await this.#anyIsHit(decoded.refs))) return true;
    if (decoded.level > 0) for (const { id } of decoded.refs) if (await this.#listIsHit(id)) return true;
    this.#whole.add(BLOB_KIND.chunkList, list);
    return false;
  }

  /** What cannot be read is a hit, not the end of the walk. */
  async #orNothing<T>(read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      if (!hasCode(error, 'corrupt-data', 'unsupported-format')) throw error;
      return undefined;
    }
  }
}
