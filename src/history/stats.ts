/**
 * What a set of snapshots takes: from marks over the packs, so the numbers are exact. Bytes in the store are shares of
 * blocks (PackTable.storedShare); what only the set holds is what marking it adds to the marks of everything else.
 */
import { hasCode } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import { BLOB_KIND } from '../object/blob-id.ts';
import type { Snapshot } from '../object/snapshot.ts';
import { ENTRY_KIND, entrySize } from '../object/tree-entry.ts';
import { Marker } from '../repo/mark.ts';
import { readPackTable } from '../repo/read-pack-table.ts';
import type { Repository } from '../repo/repository.ts';
import { beginReading } from '../repo/session.ts';
import { listSnapshots, livingParent } from '../repo/snapshot-list.ts';
import { diffTrees, walkTree } from '../repo/tree-diff.ts';

export interface Stats {
  readonly snapshots: number;
  readonly newest: { readonly id: BlobId; readonly time: string } | undefined;
  readonly oldest: { readonly id: BlobId; readonly time: string } | undefined;
  /** Files in the newest, and their bytes. */
  readonly files: number;
  readonly fileBytes: number;
  /** Bytes of the files of all of them, each counted by itself. */
  readonly logicalBytes: number;
  /** Bytes of different contents of files; of trees, lists and records. Before compression. */
  readonly uniqueBytes: number;
  readonly metadataBytes: number;
  /** What all that takes in the store, and what of it nothing else needs. */
  readonly storedBytes: number;
  readonly heldBytes: number;
  /** All packs of the store. */
  readonly storeBytes: number;
  readonly largest: readonly { readonly path: string; readonly bytes: number }[];
  /** Compared with `since`; a new folder is one path, ending in "/". */
  readonly grown: readonly { readonly path: string; readonly before: number; readonly after: number }[];
  readonly since: BlobId | undefined;
}

const LISTED_PATHS_MAX = 10;
/** Gcs that may take packs away while they are read; each is a whole gc. */
const ATTEMPTS_MAX = 5;

type Chosen = { readonly id: BlobId; readonly snapshot: Snapshot };

/** `ids`: the set; undefined: all of this workspace, or with `all` of the store. Throws `corrupt-data`. */
export async function stats(
  repository: Repository,
  ids: readonly BlobId[] | undefined,
  all: boolean,
  signal: AbortSignal | undefined,
): Promise<Stats> {
  const session = beginReading(repository.environment, repository.backend);
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        return await statsNow(repository, ids, all, signal);
      } catch (error) {
        // What a gc has swept meanwhile lies elsewhere on the state as it is by now.
        const mayBeSwept = hasCode(error, 'corrupt-data') && repository.damage === undefined && attempt < ATTEMPTS_MAX;
        if (!mayBeSwept || (await repository.refresh()).length === 0) throw error;
      }
    }
  } finally {
    session.end();
  }
}

async function statsNow(
  repository: Repository,
  ids: readonly BlobId[] | undefined,
  all: boolean,
  signal: AbortSignal | undefined,
): Promise<Stats> {
  const set = await choose(repository, ids, all);
  const [newest] = set;
  const oldest = set.at(-1);
  const bytes = await measure(repository, new Set(set.map(({ id }) => id)), signal);
  const since = await baseFor(repository, newest, oldest);
  return {
    snapshots: set.length,
    newest: newest === undefined ? undefined : { id: newest.id, time: newest.snapshot.time },
    oldest: oldest === undefined ? undefined : { id: oldest.id, time: oldest.snapshot.time },
    files: newest?.snapshot.totals.files ?? 0,
    fileBytes: newest?.snapshot.totals.bytes ?? 0,
    logicalBytes: set.reduce((sum, { snapshot }) => sum + snapshot.totals.bytes, 0),
    ...bytes,
    largest: newest === undefined ? [] : await largestFiles(repository, newest.snapshot.tree, signal),
    grown:
      newest === undefined || since === undefined
        ? []
        : await grownPaths(repository, since.snapshot.tree, newest.snapshot.tree, signal),
    since: since?.id,
  };
}

/** Newest first. */
async function choose(repository: Repository, ids: readonly BlobId[] | undefined, all: boolean): Promise<Chosen[]> {
  if (ids === undefined) return listSnapshots(repository, all);
  const chosen: Chosen[] = [];
  for (const id of new Set(ids)) chosen.push({ id, snapshot: await repository.trees.snapshot(id) });
  return chosen.sort((a, b) => Date.parse(b.snapshot.time) - Date.parse(a.snapshot.time));
}

type Measured = Pick<Stats, 'uniqueBytes' | 'metadataBytes' | 'storedBytes' | 'heldBytes' | 'storeBytes'>;

async function measure(
  repository: Repository,
  set: ReadonlySet<BlobId>,
  signal: AbortSignal | undefined,
): Promise<Measured> {
  const { backend } = repository;
  const state = repository.state();
  const table = await readPackTable(backend, state, (_pack, error) => {
    throw error;
  });
  const own = new Marker({ backend, table, signal });
  const { storedBytes } = await own.mark(set);
  let uniqueBytes = 0;
  for (let number = 0; number < table.size; number++)
    if (own.marked.has(number) && table.kindOf(number) === BLOB_KIND.data) uniqueBytes += table.lengthOf(number);
  const others = new Set<BlobId>();
  for (const id of state.refs.values()) if (!set.has(id)) others.add(id);
  let heldBytes = storedBytes;
  if (others.size > 0) {
    const rest = new Marker({ backend, table, signal });
    await rest.mark(others);
    heldBytes = (await rest.mark(set)).storedBytes;
  }
  let storeBytes = 0;
  for (const pack of state.packs.values()) storeBytes += pack.size;
  return {
    uniqueBytes,
    metadataBytes: own.totals.rawBytes - uniqueBytes,
    storedBytes: Math.round(storedBytes),
    heldBytes: Math.round(heldBytes),
    storeBytes,
  };
}

/** What the newest is compared with: the oldest of the set, or, for a single one, the snapshot before it. */
async function baseFor(
  repository: Repository,
  newest: Chosen | undefined,
  oldest: Chosen | undefined,
): Promise<Chosen | undefined> {
  if (newest === undefined || oldest === undefined) return undefined;
  if (oldest.id !== newest.id) return oldest;
  const id = livingParent(repository, newest.snapshot.parent);
  return id === undefined ? undefined : { id, snapshot: await repository.trees.snapshot(id) };
}

async function largestFiles(
  repository: Repository,
  tree: BlobId,
  signal: AbortSignal | undefined,
): Promise<Stats['largest']> {
  const top = new Top<{ path: string; bytes: number }>(({ bytes }) => bytes);
  for await (const { path, entry } of walkTree(repository.trees, tree)) {
    if (entry.kind === ENTRY_KIND.folder) signal?.throwIfAborted();
    else top.offer({ path, bytes: entrySize(entry) });
  }
  return top.items;
}

async function grownPaths(
  repository: Repository,
  before: BlobId,
  after: BlobId,
  signal: AbortSignal | undefined,
): Promise<Stats['grown']> {
  const { trees } = repository;
  const top = new Top<{ path: string; before: number; after: number }>((grown) => grown.after - grown.before);
  let newFolder: { path: string; before: number; after: number } | undefined;
  for await (const difference of diffTrees({ trees, tree: before }, { trees, tree: after })) {
    signal?.throwIfAborted();
    const size = difference.after === undefined ? 0 : entrySize(difference.after);
    if (newFolder !== undefined && difference.path.startsWith(newFolder.path)) {
      newFolder.after += size;
      continue;
    }
    if (newFolder !== undefined) top.offer(newFolder);
    newFolder =
      difference.before === undefined && difference.after?.kind === ENTRY_KIND.folder
        ? { path: `${difference.path}/`, before: 0, after: 0 }
        : undefined;
    if (newFolder === undefined)
      top.offer({
        path: difference.path,
        before: difference.before === undefined ? 0 : entrySize(difference.before),
        after: size,
      });
  }
  if (newFolder !== undefined) top.offer(newFolder);
  return top.items;
}

/** The largest few of many, largest first; those of no size are left out. */
class Top<T> {
  readonly items: T[] = [];
  readonly #sizeOf: (item: T) => number;

  constructor(sizeOf: (item: T) => number) {
    this.#sizeOf = sizeOf;
  }

  offer(item: T): void {
    const size = this.#sizeOf(item);
    const last = this.items.at(-1);
    if (size <= 0 || (this.items.length >= LISTED_PATHS_MAX && last !== undefined && size <= this.#sizeOf(last)))
      return;
    const place = this.items.findIndex((other) => this.#sizeOf(other) < size);
    this.items.splice(place < 0 ? this.items.length : place, 0, item);
    if (this.items.length > LISTED_PATHS_MAX) this.items.pop();
  }
}
