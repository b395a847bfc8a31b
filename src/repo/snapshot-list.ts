/** The snapshots that refs name, with their tags, newest first. */
import { hasCode } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import { snapshotOfRef, tagOfRef } from '../object/ref-name.ts';
import type { Snapshot } from '../object/snapshot.ts';
import type { Repository } from './repository.ts';

export interface ListedSnapshot {
  readonly id: BlobId;
  readonly snapshot: Snapshot;
  readonly tags: readonly string[];
  readonly isHead: boolean;
}

/** Ids of all snapshots that a ref of `snapshots/` or a tag names. */
export function snapshotIds(repository: Repository): BlobId[] {
  const ids = new Set<BlobId>();
  for (const [name, id] of repository.state().refs)
    if (snapshotOfRef(name) !== undefined || tagOfRef(name) !== undefined) ids.add(id);
  return [...ids];
}

/** Tags by snapshot id. */
export function tagsById(repository: Repository): ReadonlyMap<BlobId, readonly string[]> {
  const tags = new Map<BlobId, string[]>();
  for (const [name, id] of repository.state().refs) {
    const tag = tagOfRef(name);
    if (tag !== undefined) tags.set(id, [...(tags.get(id) ?? []), tag].sort());
  }
  return tags;
}

/** Newest first; `all`: those of every workspace of the store, else of this one only. */
export async function listSnapshots(repository: Repository, all: boolean): Promise<ListedSnapshot[]> {
  const tags = tagsById(repository);
  const head = repository.head().snapshot;
  const listed: (ListedSnapshot & { order: number })[] = [];
  for (const [order, id] of snapshotIds(repository).entries()) {
    const snapshot = await snapshotOrPruned(repository, id);
    if (snapshot === undefined) continue;
    if (!all && snapshot.workspace.id !== repository.workspaceId) continue;
    listed.push({ id, snapshot, tags: tags.get(id) ?? [], isHead: id === head, order });
  }
  return listed.sort((a, b) => Date.parse(b.snapshot.time) - Date.parse(a.snapshot.time) || b.order - a.order);
}

/** Undefined for one that another process has pruned, and gc has swept, since the list was made. */
async function snapshotOrPruned(repository: Repository, id: BlobId): Promise<Snapshot | undefined> {
  try {
    return await repository.trees.snapshot(id);
  } catch (error) {
    if (!hasCode(error, 'corrupt-data')) throw error;
    const { refs } = await repository.blobs.newestState();
    if ([...refs.values()].includes(id)) throw error;
    return undefined;
  }
}

/** The nearest ancestor of a snapshot that still exists; pruned ones are stepped over. Give `alive` when asking often. */
export function livingParent(
  repository: Repository,
  parent: BlobId | null,
  alive: ReadonlySet<BlobId> = new Set(snapshotIds(repository)),
): BlobId | undefined {
  const { grafts } = repository.state();
  const passed = new Set<BlobId>();
  for (let id: BlobId | undefined = parent ?? undefined; id !== undefined && !passed.has(id); id = grafts.get(id)) {
    if (alive.has(id)) return id;
    passed.add(id);
  }
  return undefined;
}
