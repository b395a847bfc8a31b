/**
 * Gc, in steps of one journal entry each: prune, condemn, sweep; then leftovers. Every step decides from the journal as
 * it is then and from packs, never from the index, and may be cut off anywhere: the next run goes on. Runs beside
 * commits; its lock only spares double work. SPEC.md "Garbage collection".
 */

import type { Duration } from '../bytes/quantity.ts';
import { ensureOwnFolder, folderOf } from '../disk/files.ts';
import type { LockFile } from '../disk/lock-file.ts';
import { isElsewhere, tryLock } from '../disk/lock-file.ts';
import type { PackId } from '../object/pack-id.ts';
import { GC_LOCK } from '../repo/layout.ts';
import { lockedBy, nameHolder } from '../repo/lock-holder.ts';
import type { Repository } from '../repo/repository.ts';
import type { LiveSession } from '../repo/session.ts';
import { beginReading, beginSession, liveSessions } from '../repo/session.ts';
import type { Workers } from '../work/start-workers.ts';
import { condemn, extendTable } from './condemn.ts';
import type { Leftovers } from './leftovers.ts';
import { countLeftovers, removeLeftovers } from './leftovers.ts';
import type { CondemnPlan } from './plan-condemn.ts';
import { planCondemn } from './plan-condemn.ts';
import type { Exclusively, PruneDecision, SnapshotVerdict } from './prune.ts';
import { decidePrune, prune } from './prune.ts';
import { onNewestState } from './raced.ts';
import type { Reach } from './reach.ts';
import { markNeeded } from './reach.ts';
import type { RetentionRules } from './rules.ts';
import { graceOfSettings, rulesAreEmpty } from './rules.ts';
import { packBytesOf, StoreView } from './store-view.ts';
import type { Swept } from './sweep.ts';
import { sweep } from './sweep.ts';

export interface GcOptions extends Exclusively {
  readonly rules: RetentionRules;
  /** Judge the snapshots of every workspace of the store. */
  readonly all: boolean;
  /** Leave out every grace: `gc.grace`, and waiting for readers. */
  readonly now: boolean;
  readonly signal: AbortSignal | undefined;
  readonly progress: (step: GcStep, bytesDone: number, bytesTotal: number) => void;
}

export type GcStep = 'prune' | 'mark' | 'rewrite' | 'sweep';

/** What a gc would do. Bytes of packs. */
export interface GcPreview extends PruneDecision {
  readonly storeBytes: number;
  /** What the run would free: whole packs, and the dead part of those it would write anew. */
  readonly freeBytes: number;
  /** Exactly what only the pruned snapshots hold, of what can be read. */
  readonly heldBytes: number;
  /** `gc.grace`, where there is one: this run would condemn, and one after that time frees. */
  readonly grace: Duration | undefined;
}

export interface GcResult extends PruneDecision {
  readonly pruned: readonly SnapshotVerdict[];
  readonly storeBytes: number;
  readonly freedBytes: number;
  readonly condemnedPacks: number;
  readonly rewrittenPacks: number;
  readonly sweptPacks: number;
  readonly leftovers: Leftovers;
  /** Condemned packs that stay for now: why, and how much they hold. */
  readonly waiting:
    | {
        readonly reason: 'grace' | 'sessions';
        readonly packs: number;
        readonly bytes: number;
        readonly sessions: readonly string[];
        /** Of those, the ones of which nobody here can tell whether they still run: where, and their files. */
        readonly elsewhere: readonly { readonly host: string; readonly path: string }[];
      }
    | undefined;
  /** Packs that could not be read: left as they are. */
  readonly damaged: readonly { readonly pack: PackId; readonly reason: string }[];
  readonly milliseconds: number;
}

type PreviewOptions = Pick<GcOptions, 'rules' | 'all' | 'now' | 'signal' | 'progress'>;

/** Changes nothing. Throws what `gc` throws. */
export async function previewGc(repository: Repository, options: PreviewOptions): Promise<GcPreview> {
  const session = beginReading(repository.environment, repository.backend);
  try {
    const view = await StoreView.read(repository);
    return await onNewestState(view, () => previewOn(repository, view, options));
  } finally {
    session.end();
  }
}

async function previewOn(repository: Repository, view: StoreView, options: PreviewOptions): Promise<GcPreview> {
  const decision = await decidePrune(repository, view, options);
  const pruned = new Set(decision.verdicts.filter((verdict) => !verdict.keep).map(({ id }) => id));
  options.progress('mark', 0, 0);
  const reach = await markNeeded(repository, view, options, pruned);
  const plan = planFor(repository, view, reach, options.rules);
  const packBytes = packBytesOf(view.state);
  const leftovers = await countLeftovers(repository, view);
  const unreadable = packBytesOf(view.state, reach.damaged.keys());
  const { storedBytes } = await reach.marker.markReadable(pruned);
  return {
    ...decision,
    storeBytes: packBytes + leftovers.bytes,
    freeBytes: Math.max(0, Math.round(packBytes - unreadable - plan.bytesAfter)) + leftovers.bytes,
    heldBytes: Math.round(storedBytes),
    grace: graceFor(repository, options),
  };
}

/** Throws `locked` if another gc runs, `usage` or `refused` for rules, `corrupt-data` before it removes anything. */
export async function gc(repository: Repository, workers: Workers, options: GcOptions): Promise<GcResult> {
  const { environment, backend } = repository;
  if (repository.copyOf !== undefined) throw repository.copyOf;
  const started = environment.elapsed();
  const lock = lockGc(repository);
  const session = beginSession(environment, backend);
  try {
    const view = await StoreView.read(repository);
    const storeBytes = packBytesOf(view.state);
    options.progress('prune', 0, 0);
    const { reach, ...decision } = rulesAreEmpty(options.rules)
      ? { verdicts: [], overBytes: 0, reach: undefined }
      : await prune(repository, view, options);
    const reclaimed = await onNewestState(view, () => reclaim(repository, workers, view, reach, options));
    const leftovers = await removeLeftovers(repository, view);
    return {
      ...decision,
      ...reclaimed,
      pruned: decision.verdicts.filter((verdict) => !verdict.keep),
      storeBytes: storeBytes + leftovers.bytes,
      freedBytes: Math.max(0, storeBytes - packBytesOf(view.state) + leftovers.bytes),
      leftovers,
      milliseconds: environment.elapsed() - started,
    };
  } finally {
    session.end();
    lock?.release();
  }
}

type Reclaimed = Pick<GcResult, 'condemnedPacks' | 'rewrittenPacks' | 'sweptPacks' | 'waiting' | 'damaged'>;

/** `walked`: marks made on exactly the packs and refs of a state, which may be that of `view`. */
async function reclaim(
  repository: Repository,
  workers: Workers,
  view: StoreView,
  walked: Reach | undefined,
  options: GcOptions,
): Promise<Reclaimed> {
  options.progress('mark', 0, 0);
  let reach: Reach | undefined =
    walked !== undefined && walked.state.hash === view.state.hash
      ? walked
      : await markNeeded(repository, view, options);
  const plan = planFor(repository, view, reach, options.rules);
  const done = await condemn(
    {
      repository,
      workers,
      signal: options.signal,
      progress: (bytes, total) => options.progress('rewrite', bytes, total),
    },
    reach,
    plan,
  );
  const ours = done.condemned.length > 0 || done.newPacks > 0 ? 1 : 0;
  const damaged = [...reach.damaged].map(([pack, error]) => ({ pack, reason: error.message }));
  for (const [pack, reason] of done.failed) damaged.push({ pack, reason });
  // The marks hold as long as nobody else published since they were made.
  reach = (await view.refresh()) === ours ? await extendTable(repository.backend, reach, view.state) : undefined;
  const counts = {
    condemnedPacks: done.condemned.length,
    rewrittenPacks: done.rewrittenPacks - done.failed.size,
    damaged,
  };
  const sessions = options.now ? [] : liveSessions(repository.environment, repository.backend);
  if (sessions.length > 0)
    return {
      ...counts,
      sweptPacks: 0,
      waiting: waitingFor(repository, 'sessions', view, [...view.state.condemned], sessions),
    };
  options.progress('sweep', 0, 0);
  const swept: Swept = await sweep(repository, view, reach, {
    grace: graceFor(repository, options),
    now: options.now,
    signal: options.signal,
  });
  return {
    ...counts,
    sweptPacks: swept.packs.length,
    waiting: waitingFor(repository, 'grace', view, swept.inGrace, []),
  };
}

function graceFor({ settings }: Repository, { now }: Pick<GcOptions, 'now'>): Duration | undefined {
  const grace = graceOfSettings(settings);
  return !now && (grace.months > 0 || grace.milliseconds > 0) ? grace : undefined;
}

function planFor(repository: Repository, view: StoreView, reach: Reach, rules: RetentionRules): CondemnPlan {
  return planCondemn(reach.table, reach.marker.marked, view.state.condemned, {
    packBytes: repository.config.packBytes,
    targetBytes: rules.keepUnder,
  });
}

function waitingFor(
  { environment }: Repository,
  reason: 'grace' | 'sessions',
  view: StoreView,
  packs: readonly PackId[],
  sessions: readonly LiveSession[],
): GcResult['waiting'] {
  if (packs.length === 0) return undefined;
  return {
    reason,
    packs: packs.length,
    bytes: packBytesOf(view.state, packs),
    sessions: sessions.map(nameHolder),
    elsewhere: sessions
      .filter((session) => isElsewhere(session, environment.holder))
      .map(({ host, path }) => ({ host, path })),
  };
}

/** Undefined on a store elsewhere: there two gcs only do double work. */
function lockGc({ environment, backend }: Repository): LockFile | undefined {
  const path = backend.changeablePath(GC_LOCK);
  if (path === undefined) return undefined;
  ensureOwnFolder(environment.disk, folderOf(path), backend.location);
  const lock = tryLock(environment.disk, path, environment.holder);
  if ('release' in lock) return lock;
  throw lockedBy(environment, path, lock, 'another gc is at work:', 'Wait until it is done, and run `snap gc` again.');
}
