/**
 * The history of snapshots, newest first: those of this workspace, of all workspaces of the store, or one and its
 * ancestors; for paths, only those in which one of them changed against the living parent.
 */
import { hasCode } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { Snapshot } from '../object/snapshot.ts';
import type { Repository } from '../repo/repository.ts';
import type { ListedSnapshot, UnreadableSnapshot } from '../repo/snapshot-list.ts';
import {
  cannotRead,
  listReadable,
  livingParent,
  snapshotIds,
  snapshotIfThere,
  tagsById,
} from '../repo/snapshot-list.ts';
import type { Selection } from '../scan/selection.ts';
import { everything } from '../scan/selection.ts';
import { changesBetween } from './changes.ts';
import { pathFilter } from './path-filter.ts';
import type { Side } from './tree-compare.ts';

export interface LogOptions {
  /** Start here and follow the parents; undefined: all snapshots. */
  readonly start: BlobId | undefined;
  /** Those of every workspace of the store. */
  readonly all: boolean;
  readonly since: Date | undefined;
  readonly until: Date | undefined;
  readonly paths: readonly string[];
  readonly countMax: number;
  readonly signal: AbortSignal | undefined;
}

export interface LoggedSnapshot extends ListedSnapshot {
  /** The nearest ancestor that was not pruned. */
  readonly parent: BlobId | undefined;
}

/**
 * Newest first. What cannot be read does not keep the others back: after all others `corrupt-data` names those of which
 * it cannot be known whether they belong here. Throws `interrupted`.
 */
export async function* logSnapshots(repository: Repository, options: LogOptions): AsyncGenerator<LoggedSnapshot> {
  const alive = new Set(snapshotIds(repository));
  const selection = pathFilter(options.paths);
  let left = options.countMax;
  if (left <= 0) return;
  const unreadable: UnreadableSnapshot[] = [];
  for await (const listed of options.start === undefined
    ? listSnapshotsOf(repository, options.all, unreadable)
    : ancestors(repository, options.start, alive, unreadable)) {
    options.signal?.throwIfAborted();
    const time = Date.parse(listed.snapshot.time);
    if (options.until !== undefined && time > options.until.getTime()) continue;
    if (options.since !== undefined && time < options.since.getTime()) continue;
    const parent = livingParent(repository, listed.snapshot.parent, alive);
    try {
      if (selection !== everything && !(await changes(repository, parent, listed.snapshot, selection))) continue;
    } catch (error) {
      if (!hasCode(error, 'corrupt-data')) throw error;
      unreadable.push({ id: listed.id, error });
      continue;
    }
    yield { ...listed, parent };
    if (--left <= 0) break;
  }
  if (unreadable.length > 0) throw cannotRead(unreadable);
}

/** True if a snapshot differs from its living parent in what is selected. */
async function changes(
  repository: Repository,
  parent: BlobId | undefined,
  snapshot: Snapshot,
  selection: Selection,
): Promise<boolean> {
  const before = parent === undefined ? undefined : await snapshotIfThere(repository, parent);
  const found = changesBetween(sideOf(repository, before?.tree), sideOf(repository, snapshot.tree), {
    selection,
    renames: false,
    metadata: false,
    foldFolders: false,
  });
  const first = await found.next();
  await found.return(undefined);
  return first.done !== true;
}

/** A tree of the store as one side of a comparison. */
export function sideOf(repository: Repository, tree: BlobId | undefined): Side {
  return { trees: repository.trees, tree };
}

/** A snapshot as it is listed. */
export function listedSnapshot(
  repository: Repository,
  id: BlobId,
  snapshot: Snapshot,
  tags = tagsById(repository),
): ListedSnapshot {
  return { id, snapshot, tags: tags.get(id) ?? [], isHead: repository.head().snapshot === id };
}

async function* listSnapshotsOf(
  repository: Repository,
  all: boolean,
  unreadable: UnreadableSnapshot[],
): AsyncGenerator<ListedSnapshot> {
  const found = await listReadable(repository, all);
  unreadable.push(...found.unreadable);
  yield* found.listed;
}

/** Of one that cannot be read its parent is not known either: it is the last. */
async function* ancestors(
  repository: Repository,
  start: BlobId,
  alive: ReadonlySet<BlobId>,
  unreadable: UnreadableSnapshot[],
): AsyncGenerator<ListedSnapshot> {
  const tags = tagsById(repository);
  for (let id: BlobId | undefined = start; id !== undefined; ) {
    let snapshot: Snapshot | undefined;
    try {
      snapshot = await snapshotIfThere(repository, id);
    } catch (error) {
      if (!hasCode(error, 'corrupt-data')) throw error;
      unreadable.push({ id, error });
    }
    if (snapshot === undefined) return;
    yield listedSnapshot(repository, id, snapshot, tags);
    id = livingParent(repository, snapshot.parent, alive);
  }
}
