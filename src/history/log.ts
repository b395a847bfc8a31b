/**
 * The history of snapshots, newest first: those of this workspace, of all workspaces of the store, or one and its
 * ancestors; for paths, only those in which one of them changed against the living parent.
 */
import type { BlobId } from '../object/blob-id.ts';
import type { Snapshot } from '../object/snapshot.ts';
import type { Repository } from '../repo/repository.ts';
import type { ListedSnapshot } from '../repo/snapshot-list.ts';
import { listSnapshots, livingParent, snapshotIds, tagsById } from '../repo/snapshot-list.ts';
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

export async function* logSnapshots(repository: Repository, options: LogOptions): AsyncGenerator<LoggedSnapshot> {
  const alive = new Set(snapshotIds(repository));
  const selection = pathFilter(options.paths);
  let left = options.countMax;
  if (left <= 0) return;
  for await (const listed of options.start === undefined
    ? listSnapshotsOf(repository, options.all)
    : ancestors(repository, options.start, alive)) {
    options.signal?.throwIfAborted();
    const time = Date.parse(listed.snapshot.time);
    if (options.until !== undefined && time > options.until.getTime()) continue;
    if (options.since !== undefined && time < options.since.getTime()) continue;
    const parent = livingParent(repository, listed.snapshot.parent, alive);
    if (selection !== everything) {
      const before = parent === undefined ? undefined : (await repository.trees.snapshot(parent)).tree;
      const changes = changesBetween(sideOf(repository, before), sideOf(repository, listed.snapshot.tree), {
        selection,
        renames: false,
        metadata: false,
        foldFolders: false,
      });
      const first = await changes.next();
      await changes.return(undefined);
      if (first.done === true) continue;
    }
    yield { ...listed, parent };
    if (--left <= 0) return;
  }
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

async function* listSnapshotsOf(repository: Repository, all: boolean): AsyncGenerator<ListedSnapshot> {
  yield* await listSnapshots(repository, all);
}

async function* ancestors(
  repository: Repository,
  start: BlobId,
  alive: ReadonlySet<BlobId>,
): AsyncGenerator<ListedSnapshot> {
  const tags = tagsById(repository);
  for (let id: BlobId | undefined = start; id !== undefined; ) {
    const snapshot: Snapshot = await repository.trees.snapshot(id);
    yield listedSnapshot(repository, id, snapshot, tags);
    id = livingParent(repository, snapshot.parent, alive);
  }
}
