/** The snapshots that refs name, with their tags, newest first. */
import { hasCode, SnapError } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import { BLOB_KIND, shortId } from '../object/blob-id.ts';
import { snapshotOfRef, tagOfRef } from '../object/ref-name.ts';
import type { Snapshot } from '../object/snapshot.ts';
import { hasSnapshot } from '../object/store-state.ts';
import type { Repository } from './repository.ts';

const NAMED_MAX = 20;

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

/** A snapshot that a ref names, and why it cannot be read. */
export interface UnreadableSnapshot {
  readonly id: BlobId;
  readonly error: SnapError;
}

/** Newest first; `all`: those of every workspace of the store, else of this one only. Throws `corrupt-data`. */
export async function listSnapshots(repository: Repository, all: boolean): Promise<ListedSnapshot[]> {
  const { listed, unreadable } = await listReadable(repository, all);
  if (unreadable.length > 0) throw cannotRead(unreadable);
  return listed;
}

/** As `listSnapshots`, but those that cannot be read, of whatever workspace they are, are beside the others. */
export async function listReadable(
  repository: Repository,
  all: boolean,
): Promise<{ listed: ListedSnapshot[]; unreadable: UnreadableSnapshot[] }> {
  const tags = tagsById(repository);
  const head = repository.head().snapshot;
  const listed: (ListedSnapshot & { order: number })[] = [];
  const unreadable: UnreadableSnapshot[] = [];
  for (const [order, id] of snapshotIds(repository).entries()) {
    try {
      const snapshot = await snapshotIfThere(repository, id);
      if (snapshot === undefined) continue;
      if (!all && snapshot.workspace.id !== repository.workspaceId) continue;
      listed.push({ id, snapshot, tags: tags.get(id) ?? [], isHead: id === head, order });
    } catch (error) {
      if (!hasCode(error, 'corrupt-data')) throw error;
      unreadable.push({ id, error });
    }
  }
  listed.sort((a, b) => Date.parse(b.snapshot.time) - Date.parse(a.snapshot.time) || b.order - a.order);
  return { listed, unreadable };
}

/** The error that names them. */
export function cannotRead(unreadable: readonly UnreadableSnapshot[]): SnapError {
  const lines = unreadable.slice(0, NAMED_MAX).map(({ id, error }) => `${shortId(id)}: ${error.message}`);
  if (unreadable.length > NAMED_MAX) lines.push(`and ${unreadable.length - NAMED_MAX} more`);
  const count = unreadable.length === 1 ? 'a snapshot' : `${unreadable.length} snapshots`;
  return new SnapError('corrupt-data', [`${count} cannot be read`, ...lines].join('\n'), {
    hint: 'Run `snap verify` to see what is damaged.',
    context: { snapshots: unreadable.map(({ id }) => id) },
    cause: unreadable[0]?.error,
  });
}

/**
 * Undefined for one that another process has pruned, and gc has swept, since the list was made; where the journal is
 * damaged also for one that no pack has: what pruned it may be in an entry that is lost. Throws `corrupt-data`.
 */
export async function snapshotIfThere(repository: Repository, id: BlobId): Promise<Snapshot | undefined> {
  try {
    return await repository.trees.snapshot(id);
  } catch (error) {
    if (!hasCode(error, 'corrupt-data')) throw error;
    if (repository.damage !== undefined) {
      if (await isInSomePack(repository, id)) throw error;
      return undefined;
    }
    const { refs } = await repository.blobs.newestState();
    if ([...refs.values()].includes(id)) throw error;
    return undefined;
  }
}

async function isInSomePack({ blobs }: Repository, id: BlobId): Promise<boolean> {
  try {
    await blobs.locate(BLOB_KIND.snapshot, id);
    return true;
  } catch (error) {
    if (!hasCode(error, 'corrupt-data')) throw error;
    return false;
  }
}

/** HEAD; if it was pruned, or undone by another workspace, its nearest ancestor that is there. */
export function livingHead(repository: Repository): BlobId | undefined {
  const head = repository.head().snapshot;
  return head !== null && hasSnapshot(repository.state(), head) ? head : livingParent(repository, head);
}

/** Throws `not-found` if no ref names it any more. */
export function requireSnapshot(repository: Repository, id: BlobId): void {
  if (hasSnapshot(repository.state(), id)) return;
  throw new SnapError('not-found', `the snapshot ${shortId(id)} was pruned`, {
    hint: 'Run `snap log` to see what there is; `snap undo` brings back what was pruned last.',
  });
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
