/**
 * Prune: retention decides which snapshots go, and one journal entry takes their refs away. HEAD of every workspace
 * that is judged, tagged snapshots and the newest of each workspace always stay.
 */
import { formatSize } from '../bytes/quantity.ts';
import type { BlobId } from '../object/blob-id.ts';
import { snapshotOfRef, snapshotRef, tagOfRef } from '../object/ref-name.ts';
import type { Snapshot } from '../object/snapshot.ts';
import { readHead } from '../repo/head.ts';
import type { EntryDraft } from '../repo/journal.ts';
import { Marker } from '../repo/mark.ts';
import { readPackTable } from '../repo/read-pack-table.ts';
import type { Repository } from '../repo/repository.ts';
import { onNewestState, Raced } from './raced.ts';
import type { Reach } from './reach.ts';
import { markNeeded, rootsOf } from './reach.ts';
import { decideRetention, FRESH_AUTOSAVE } from './retention.ts';
import type { RetentionRules } from './rules.ts';
import { describeRules } from './rules.ts';
import type { StoreView } from './store-view.ts';

export interface SnapshotVerdict {
  readonly id: BlobId;
  readonly snapshot: Snapshot;
  readonly tags: readonly string[];
  readonly isHead: boolean;
  readonly keep: boolean;
  readonly reasons: readonly string[];
}

export interface PruneOptions {
  readonly rules: RetentionRules;
  /** Snapshots of every workspace of the store, each workspace by itself. */
  readonly all: boolean;
  /** Spare nothing of what an undo took the ref of. */
  readonly now: boolean;
  readonly signal: AbortSignal | undefined;
}

export interface PruneDecision {
  /** Newest first. */
  readonly verdicts: readonly SnapshotVerdict[];
  /** With keep-under: bytes by which what must stay is still over it. */
  readonly overBytes: number;
}

interface Candidate {
  readonly id: BlobId;
  readonly snapshot: Snapshot;
  readonly tags: readonly string[];
  readonly isHead: boolean;
  readonly sequence: number;
}

/** Throws `usage` or `refused` for bad rules, `corrupt-data` if a snapshot cannot be read. */
export async function decidePrune(
  repository: Repository,
  view: StoreView,
  options: PruneOptions,
): Promise<PruneDecision> {
  const { rules } = options;
  const now = repository.environment.now();
  const verdicts: SnapshotVerdict[] = [];
  for (const candidates of (await candidatesByWorkspace(repository, view, options.all)).values()) {
    const byId = new Map(candidates.map((candidate) => [candidate.id as string, candidate]));
    const judged = decideRetention(
      candidates.map(({ id, snapshot, tags, isHead, sequence }) => ({
        id,
        time: new Date(snapshot.time),
        zoneMinutes: zoneMinutes(snapshot.time),
        tags,
        isHead,
        isAutosave: snapshot.origin === 'autosave',
        sequence,
      })),
      rules,
      now,
    );
    for (const { id, keep, reasons } of judged) {
      const candidate = byId.get(id);
      if (candidate !== undefined) verdicts.push({ ...candidate, keep, reasons });
    }
  }
  if (rules.keepUnder === undefined) return { verdicts, overBytes: 0 };
  return fitUnder(repository, view, verdicts, rules.keepUnder, options.signal);
}

/** Runs work under the workspace's lock. */
export interface Exclusively {
  readonly exclusively: <T>(work: () => Promise<T>) => Promise<T>;
}

/** A decision that is published, with the marks of what stays if anything went. */
export interface Pruned extends PruneDecision {
  /** Made on the packs of the state after the entry. */
  readonly reach: Reach | undefined;
}

/**
 * Decides, walks what stays, and publishes under the workspace's lock; again whenever others publish first, or move HEAD.
 * Throws `corrupt-data` if what stays cannot be walked: then nothing could be freed, and no ref is given up for it.
 */
export async function prune(
  repository: Repository,
  view: StoreView,
  options: PruneOptions & Exclusively,
): Promise<Pruned> {
  const { environment, folder } = repository;
  return onNewestState(view, async () => {
    const head = readHead(environment.disk, folder).snapshot;
    const decision = await decidePrune(repository, view, options);
    const pruned = decision.verdicts.filter((verdict) => !verdict.keep);
    if (pruned.length === 0) return { ...decision, reach: undefined };
    const gone = new Set(pruned.map(({ id }) => id));
    const reach = await markNeeded(repository, view, options, gone);
    await options.exclusively(async () => {
      if ((await view.refresh()) > 0 || readHead(environment.disk, folder).snapshot !== head) throw new Raced();
      await repository.publish(draftOf(repository, pruned, options.rules), {}, () => {
        throw new Raced();
      });
    });
    const after = { ...reach, state: repository.state() };
    await view.refresh();
    return { ...decision, reach: after };
  });
}

function draftOf(repository: Repository, pruned: readonly SnapshotVerdict[], rules: RetentionRules): EntryDraft {
  const grafts: Record<string, string> = {};
  for (const { id, snapshot } of pruned) if (snapshot.parent !== null) grafts[id] = snapshot.parent;
  return {
    operation: 'prune',
    note: describeRules(rules),
    workspace: repository.workspaceId,
    refs: pruned.map(({ id }) => ({ name: snapshotRef(id), from: id, to: null })),
    grafts,
  };
}

async function candidatesByWorkspace(
  repository: Repository,
  view: StoreView,
  all: boolean,
): Promise<Map<string, Candidate[]>> {
  const { environment, folder, workspaceId } = repository;
  const tags = new Map<BlobId, string[]>();
  for (const [name, id] of view.state.refs) {
    const tag = tagOfRef(name);
    if (tag !== undefined) tags.set(id, [...(tags.get(id) ?? []), tag].sort());
  }
  const heads = new Map(view.heads);
  // The file knows of checkouts too; of other workspaces there is only what the journal says.
  const head = readHead(environment.disk, folder).snapshot;
  if (head === null) heads.delete(workspaceId);
  else heads.set(workspaceId, head);
  const isHead = new Set(heads.values());
  const found = new Map<string, Candidate[]>();
  for (const name of view.state.refs.keys()) {
    const id = snapshotOfRef(name);
    if (id === undefined) continue;
    const snapshot = await repository.trees.snapshot(id);
    const workspace = snapshot.workspace.id;
    if (!all && workspace !== workspaceId) continue;
    const candidates = found.get(workspace) ?? [];
    candidates.push({
      id,
      snapshot,
      tags: tags.get(id) ?? [],
      isHead: isHead.has(id),
      sequence: view.sequence.get(id) ?? 0,
    });
    found.set(workspace, candidates);
  }
  return found;
}

/** Keeps the newest of what the rules kept for as long as all of it fits; what is protected counts first. */
async function fitUnder(
  repository: Repository,
  view: StoreView,
  verdicts: readonly SnapshotVerdict[],
  limit: number,
  signal: AbortSignal | undefined,
): Promise<PruneDecision> {
  const newest = new Set(newestOfEach(verdicts));
  const open = verdicts.filter(
    (verdict) =>
      verdict.keep &&
      verdict.tags.length === 0 &&
      !verdict.isHead &&
      !verdict.reasons.includes('time in the future') &&
      !verdict.reasons.includes(FRESH_AUTOSAVE) &&
      !newest.has(verdict),
  );
  const pruned = verdicts.filter((verdict) => !verdict.keep);
  const table = await readPackTable(repository.backend, view.state, () => undefined);
  const marker = new Marker({ backend: repository.backend, table, signal });
  await marker.mark(rootsOf(view.state, new Set([...open, ...pruned].map(({ id }) => id))));
  const overBytes = Math.max(0, Math.round(marker.totals.storedBytes - limit));
  // It cannot be reached: to give up the history for it would be in vain.
  if (overBytes > 0) return { verdicts, overBytes };
  const gone = new Set<SnapshotVerdict>();
  for (const verdict of open.toSorted((a, b) => Date.parse(b.snapshot.time) - Date.parse(a.snapshot.time))) {
    if (gone.size === 0 && marker.totals.storedBytes <= limit) await marker.mark([verdict.id]);
    if (marker.totals.storedBytes > limit) gone.add(verdict);
  }
  const reason = `over keep-under ${formatSize(limit)}`;
  return {
    verdicts: verdicts.map((verdict) => (gone.has(verdict) ? { ...verdict, keep: false, reasons: [reason] } : verdict)),
    overBytes,
  };
}

/** The newest commit of each workspace, or what is newest where there is none: they come newest first. */
function newestOfEach(verdicts: readonly SnapshotVerdict[]): SnapshotVerdict[] {
  const newest = new Map<string, SnapshotVerdict>();
  for (const verdict of verdicts) {
    if (!verdict.keep) continue;
    const { workspace, origin } = verdict.snapshot;
    const found = newest.get(workspace.id);
    if (found === undefined || (found.snapshot.origin === 'autosave' && origin !== 'autosave'))
      newest.set(workspace.id, verdict);
  }
  return [...newest.values()];
}

/** Minutes east of Greenwich of a time such as "…+01:00", the only form that a snapshot may have. */
function zoneMinutes(time: string): number {
  const [sign, hours, minutes] = [time.slice(-6, -5), time.slice(-5, -3), time.slice(-2)];
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}
