/**
 * Writes snapshots anew without the files and folders that are lost, only when asked to. Nothing else of them changes
 * but their totals; each names what it lacks under `skipped`, and its former id in `meta`. A snapshot that is lost itself,
 * or with its top folder, goes. Pure but for reading: what is made is returned.
 */
import { hasCode } from '../errors.ts';
import type { BlobTable } from '../index/blob-table.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import { BLOB_KIND, blobIdOf } from '../object/blob-id.ts';
import { decodeChunkList } from '../object/chunk-list.ts';
import type { RefChange } from '../object/journal-entry.ts';
import type { RefName } from '../object/ref-name.ts';
import { snapshotOfRef, snapshotRef } from '../object/ref-name.ts';
import type { Snapshot } from '../object/snapshot.ts';
import { decodeSnapshot, encodeSnapshot } from '../object/snapshot.ts';
import type { StoreState } from '../object/store-state.ts';
import { decodeTree } from '../object/tree.ts';
import type { TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import { decodeParts, encodeFolder } from '../object/tree-parts.ts';
import type { BlobBytes } from '../pack/block.ts';
import type { TableReader } from './source.ts';

export interface Dropped {
  readonly from: BlobId;
  /** Null if nothing of it could be kept. */
  readonly to: BlobId | null;
  /** What it lacks now; folders end in "/". */
  readonly paths: readonly string[];
}

export interface DropPlan {
  readonly snapshots: readonly Dropped[];
  readonly refs: readonly RefChange[];
  /** From each snapshot that goes to the one in its place, so that ancestry steps over. */
  readonly grafts: Readonly<Record<string, string>>;
  /** Trees and snapshots to be stored. */
  readonly blobs: readonly BlobBytes[];
}

/** The key in a snapshot's `meta` that names the one it was made of. */
const REPAIRED_FROM = 'snap.repaired-from';
/** More paths than this are not listed in a snapshot, only counted. */
const SKIPPED_PATHS_MAX = 1000;

/** `damaged`: the snapshots that need something lost. */
export async function planDrop(
  state: StoreState,
  damaged: readonly BlobId[],
  lost: BlobTable,
  reader: TableReader,
): Promise<DropPlan> {
  const rewriter = new Rewriter(lost, reader);
  const becomes = new Map<BlobId, Dropped>();
  for (const id of damaged) becomes.set(id, await rewriter.snapshot(id));
  const refs: RefChange[] = [];
  const made = new Map<RefName, BlobId>();
  for (const [name, from] of state.refs) {
    const dropped = becomes.get(from);
    if (dropped === undefined) continue;
    const isSnapshot = snapshotOfRef(name) !== undefined;
    refs.push({ name, from, to: isSnapshot ? null : dropped.to });
    if (isSnapshot && dropped.to !== null && !state.refs.has(snapshotRef(dropped.to)))
      made.set(snapshotRef(dropped.to), dropped.to);
  }
  for (const [name, to] of made) refs.push({ name, from: null, to });
  const grafts: Record<string, string> = {};
  for (const { from, to } of becomes.values()) if (to !== null) grafts[from] = to;
  return { snapshots: [...becomes.values()], refs, grafts, blobs: [...rewriter.blobs.values()] };
}

type Totals = { files: number; folders: number; others: number; bytes: number };

interface Rewritten {
  readonly tree: BlobId;
  readonly totals: Totals;
  /** What is not in it any more, from this folder on. */
  readonly paths: readonly string[];
}

class Rewriter {
  readonly blobs = new Map<BlobId, BlobBytes>();
  readonly #lost: BlobTable;
  readonly #reader: TableReader;
  /** Undefined for a folder that is lost as a whole. */
  readonly #done = new Map<BlobId, Rewritten | undefined>();
  readonly #wholeLists = new Set<BlobId>();

  constructor(lost: BlobTable, reader: TableReader) {
    this.#lost = lost;
    this.#reader = reader;
  }

  async snapshot(from: BlobId): Promise<Dropped> {
    const snapshot = await this.#decoded(BLOB_KIND.snapshot, from, decodeSnapshot);
    const rewritten = snapshot === undefined ? undefined : await this.#folder(snapshot.tree);
    if (snapshot === undefined || rewritten === undefined) return { from, to: null, paths: [] };
    const { paths } = rewritten;
    const bytes = encodeSnapshot({
      ...snapshot,
      tree: rewritten.tree,
      totals: rewritten.totals,
      skipped: skippedWith(snapshot, paths),
      meta: { ...snapshot.meta, [REPAIRED_FROM]: from },
    });
    return { from, to: this.#keep(BLOB_KIND.snapshot, bytes), paths };
  }

  async #folder(tree: BlobId): Promise<Rewritten | undefined> {
    if (this.#done.has(tree)) return this.#done.get(tree);
    const read = await this.#entriesOf(tree);
    let rewritten: Rewritten | undefined;
    if (read !== undefined) {
      const paths = [...read.paths];
      const totals = { files: 0, folders: 0, others: 0, bytes: 0 };
      const kept: TreeEntry[] = [];
      let differs = paths.length > 0;
      for (const entry of read.entries) {
        const becomes = await this.#entry(entry, totals, paths);
        if (becomes !== undefined) kept.push(becomes);
        if (becomes !== entry) differs = true;
      }
      rewritten = { tree: differs ? this.#keepFolder(kept) : tree, totals, paths };
    }
    this.#done.set(tree, rewritten);
    return rewritten;
  }

  /** The entry to keep, if any; counts it. */
  async #entry(entry: TreeEntry, totals: Totals, paths: string[]): Promise<TreeEntry | undefined> {
    if (entry.kind === ENTRY_KIND.folder) {
      const below = await this.#folder(entry.tree);
      if (below === undefined) {
        paths.push(`${entry.name}/`);
        return undefined;
      }
      totals.files += below.totals.files;
      totals.folders += below.totals.folders + 1;
      totals.others += below.totals.others;
      totals.bytes += below.totals.bytes;
      for (const path of below.paths) paths.push(`${entry.name}/${path}`);
      return below.tree === entry.tree ? entry : { ...entry, tree: below.tree };
    }
    if (entry.kind !== ENTRY_KIND.file) {
      totals.others++;
      return entry;
    }
    const { content } = entry;
    if ('list' in content ? await this.#listIsLost(content.list) : this.#areLost(content.chunks)) {
      paths.push(entry.name);
      return undefined;
    }
    totals.files++;
    totals.bytes += entry.size;
    return entry;
  }

  /** The entries of a folder; of a large one, those of the parts that are there. */
  async #entriesOf(tree: BlobId): Promise<{ entries: TreeEntry[]; paths: string[] } | undefined> {
    const top = await this.#decoded(BLOB_KIND.tree, tree, (bytes) => {
      const parts = decodeParts(bytes);
      return parts === undefined ? { entries: decodeTree(bytes) } : { parts };
    });
    if (top === undefined || top.parts === undefined) return top === undefined ? undefined : { ...top, paths: [] };
    const entries: TreeEntry[] = [];
    const paths: string[] = [];
    for (const part of top.parts) {
      const some = await this.#decoded(BLOB_KIND.tree, part.tree, decodeTree);
      if (some === undefined) paths.push(`${part.firstName} and the names after it`);
      else for (const entry of some) entries.push(entry);
    }
    return { entries, paths };
  }

  async #listIsLost(id: BlobId): Promise<boolean> {
    if (this.#wholeLists.has(id)) return false;
    const list = await this.#decoded(BLOB_KIND.chunkList, id, decodeChunkList);
    if (list === undefined) return true;
    if (list.level === 0 && this.#areLost(list.refs)) return true;
    if (list.level > 0) for (const ref of list.refs) if (await this.#listIsLost(ref.id)) return true;
    this.#wholeLists.add(id);
    return false;
  }

  #areLost(chunks: readonly { readonly id: BlobId }[]): boolean {
    return chunks.some(({ id }) => this.#lost.find(BLOB_KIND.data, id) >= 0);
  }

  async #decoded<T>(kind: BlobKind, id: BlobId, decode: (bytes: Buffer) => T): Promise<T | undefined> {
    if (this.#lost.find(kind, id) >= 0) return undefined;
    try {
      return decode(await this.#reader.read(kind, id));
    } catch (error) {
      if (!hasCode(error, 'corrupt-data', 'unsupported-format')) throw error;
      return undefined;
    }
  }

  #keepFolder(entries: readonly TreeEntry[]): BlobId {
    const trees = encodeFolder(entries);
    for (const { bytes } of trees) this.#keep(BLOB_KIND.tree, bytes);
    return blobIdOf(trees.at(-1)?.bytes ?? Buffer.alloc(0));
  }

  #keep(kind: BlobKind, bytes: Buffer): BlobId {
    const id = blobIdOf(bytes);
    this.blobs.set(id, { blob: { kind, id, length: bytes.length }, bytes });
    return id;
  }
}

function skippedWith(snapshot: Snapshot, paths: readonly string[]): Snapshot['skipped'] {
  const reason = 'lost from the store';
  const listed = paths.slice(0, SKIPPED_PATHS_MAX).map((path) => ({ path, reason }));
  const more = paths.length - listed.length;
  return [...snapshot.skipped, ...listed, ...(more > 0 ? [{ path: `${more} more paths`, reason }] : [])];
}
