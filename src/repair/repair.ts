/**
 * Repair: makes a store whole again as far as that is possible. What is readable of damaged packs, and what was found
 * elsewhere, goes into new packs; one journal entry adds these and takes the damaged ones out; their files stay in
 * `quarantine`. Plans first; a store that is whole is not changed. SPEC.md "Repair".
 */
import { SnapError } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { PackId } from '../object/pack-id.ts';
import type { StoreState } from '../object/store-state.ts';
import { readPackTable } from '../repo/read-pack-table.ts';
import type { Repository } from '../repo/repository.ts';
import { beginSession } from '../repo/session.ts';
import { treeReader } from '../repo/tree-reader.ts';
import type { Fault } from '../verify/faults.ts';
import { Faults } from '../verify/faults.ts';
import type { FormerPack } from '../verify/former-packs.ts';
import { formerPacks } from '../verify/former-packs.ts';
import type { Hits } from '../verify/hits.ts';
import { findHits } from '../verify/hits.ts';
import { checkJournal } from '../verify/journal-check.ts';
import type { Workers } from '../work/start-workers.ts';
import type { Analysis, Recovered } from './analysis.ts';
import { analyse } from './analysis.ts';
import { checkpointsToWrite, mendIndex, writeCheckpoints } from './derived.ts';
import type { Dropped } from './drop-damaged.ts';
import { planDrop } from './drop-damaged.ts';
import { parentsOf } from './journal-adopt.ts';
import type { JournalMend } from './mend-journal.ts';
import { describeMend, mendJournal, planMend, replacedEntries, takeAway } from './mend-journal.ts';
import type { OperationsMend } from './mend-operations.ts';
import { mendOperations } from './mend-operations.ts';
import { Output, Overtaken, publishRepair, requireSameState } from './publish.ts';
import { TableReader } from './source.ts';

export interface RepairOptions {
  /** Write snapshots anew without what is lost. */
  readonly dropDamaged: boolean;
  /** Only find out what would be done. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal | undefined;
  readonly progress: (step: RepairStep, bytesDone: number, bytesTotal: number) => void;
}

export type RepairStep = 'check' | 'search' | 'copy';

export interface RepairedPack {
  readonly pack: PackId;
  readonly state: 'missing' | 'damaged';
  readonly reason: string;
  /** Blobs of it that can be read. */
  readonly blobs: number;
  /** `left`: it stays in the journal, so that a copy that is put back is found. */
  readonly fate: 'replaced' | 'left';
  /** Where its file is now, in the store. */
  readonly quarantine: string | undefined;
}

export interface RepairResult {
  readonly dryRun: boolean;
  /** What was wrong with the journal, and what is done for it; without that nothing else was looked at or changed. */
  readonly journal: readonly Fault[];
  readonly mend: JournalMend | undefined;
  /** What was wrong with the workspace's list of operations. */
  readonly operations: OperationsMend | undefined;
  readonly packs: readonly RepairedPack[];
  /** The first of what was found outside of the damaged packs, and how much there is. */
  readonly recovered: readonly Recovered[];
  readonly recoveredCount: number;
  /** Blobs that snapshots need and that are nowhere; what needs them. */
  readonly lostBlobs: number;
  readonly hits: Hits | undefined;
  /** Where it was, if anything is lost: packs that repairs took out. */
  readonly formerPacks: readonly FormerPack[];
  readonly dropped: readonly Dropped[];
  /** Numbers of checkpoints written anew. */
  readonly checkpoints: readonly number[];
  /** Blobs whose place in the index was missing or wrong. */
  readonly indexBlobs: number;
  readonly newPacks: number;
  /** The journal entry that was published. */
  readonly entry: number | undefined;
  /** True if something is still damaged when this returns. */
  readonly remains: boolean;
  readonly milliseconds: number;
}

const ATTEMPTS_MAX = 5;
const RECOVERED_LISTED_MAX = 200;

/** The caller holds the workspace's lock, unless it is a dry run. Damage is in the result. */
export async function repair(repository: Repository, workers: Workers, options: RepairOptions): Promise<RepairResult> {
  const { environment, backend } = repository;
  const started = environment.elapsed();
  const session = beginSession(environment, backend);
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        const result = await attemptRepair(repository, workers, options);
        const operations = mendOperations(repository, options.dryRun);
        const remains = result.remains || (options.dryRun && operations !== undefined);
        return {
          ...result,
          operations,
          remains,
          dryRun: options.dryRun,
          milliseconds: environment.elapsed() - started,
        };
      } catch (error) {
        if (!(error instanceof Overtaken)) throw error;
        if (attempt >= ATTEMPTS_MAX)
          throw new SnapError('conflict', 'other commands keep changing the store', { hint: 'Try again in a moment.' });
      }
    }
  } finally {
    session.end();
  }
}

type Attempted = Omit<RepairResult, 'dryRun' | 'milliseconds' | 'operations'>;

async function attemptRepair(repository: Repository, workers: Workers, options: RepairOptions): Promise<Attempted> {
  const { dryRun } = options;
  if (repository.damage === undefined) await repository.refresh();
  const { state, journal, mend, wrong } = await soundJournal(repository, options);
  if (state === undefined) return { ...NOTHING, journal, remains: true };
  const checkpoints = await checkpointsToWrite(repository.backend, state, wrong);
  if (!dryRun) await writeCheckpoints(repository, checkpoints);
  if (mend === undefined || !dryRun) requireSameState(repository, state);

  const output = new Output(repository, workers);
  try {
    const analysis = await analyse({
      repository,
      workers,
      state,
      taker: dryRun ? undefined : output.taker,
      signal: options.signal,
      progress: options.progress,
    });
    const { bad, lost } = analysis;
    const reader = new TableReader(analysis.view, analysis.table);
    const trees = treeReader(reader);
    const { absent } = mend === undefined || mend.isExact ? { absent: [] } : await parentsOf(state, trees, () => false);
    const hits =
      lost.size === 0
        ? undefined
        : await findHits({ blobs: reader, trees }, lost, new Set(), newestFirst(state), options.signal);
    const drop =
      options.dropDamaged && hits !== undefined ? await planDrop(state, hits.snapshots, lost, reader) : undefined;
    const lostBlobs = drop === undefined ? lost.size : 0;
    const leaving = [...bad].filter(([, { isMissing }]) => !isMissing || lostBlobs === 0).map(([id]) => id);
    const published = dryRun ? undefined : await publishRepair(options, repository, analysis, output, leaving, drop);
    const table =
      published?.entry === undefined
        ? analysis.table
        : await readPackTable(repository.backend, repository.state(), () => undefined);
    return {
      journal,
      mend: mend === undefined ? undefined : { ...mend, absentParents: absent },
      packs: describePacks(analysis, new Set(leaving), published?.quarantined),
      recovered: analysis.recovered.slice(0, RECOVERED_LISTED_MAX),
      recoveredCount: analysis.recovered.length,
      lostBlobs: lost.size,
      hits,
      formerPacks: lost.size === 0 ? [] : await formerPacks(repository),
      dropped: drop?.snapshots ?? [],
      checkpoints,
      indexBlobs: await mendIndex(repository, repository.state(), table, !dryRun),
      newPacks: published?.newPacks ?? 0,
      entry: published?.entry ?? mend?.entry,
      remains: dryRun
        ? journal.length > 0 || isDamaged(analysis, checkpoints)
        : lostBlobs > 0 || mend?.absentHead !== undefined,
    };
  } catch (error) {
    await output.writer.abandon();
    throw error;
  }
}

/** The state of the journal, which is mended before; undefined if it cannot be. */
async function soundJournal(
  repository: Repository,
  { dryRun, signal }: RepairOptions,
): Promise<{
  readonly state: StoreState | undefined;
  readonly journal: readonly Fault[];
  readonly mend: JournalMend | undefined;
  readonly wrong: readonly number[];
}> {
  let mend: JournalMend | undefined;
  let first: readonly Fault[] | undefined;
  for (;;) {
    const faults = new Faults();
    const { state } = await checkJournal(repository, faults);
    const journal = faults.listed.filter(({ what }) => what === 'journal');
    const wrong = faults.listed.flatMap(({ what, entry }) =>
      what === 'checkpoint' && entry !== undefined ? entry : [],
    );
    first ??= journal;
    if (journal.length === 0) {
      if (!dryRun) for (const name of await replacedEntries(repository)) takeAway(repository, name);
      return { state, journal: first, mend, wrong };
    }
    const plan = mend === undefined ? await planMend(repository, signal) : undefined;
    if (plan === undefined) return { state: undefined, journal: first, mend, wrong: [] };
    if (dryRun) return { state: plan.wanted, journal: first, mend: describeMend(plan), wrong: [] };
    mend = await mendJournal(repository, plan);
  }
}

function isDamaged({ bad, lost, recovered }: Analysis, checkpoints: readonly number[]): boolean {
  return bad.size > 0 || lost.size > 0 || recovered.length > 0 || checkpoints.length > 0;
}

const NOTHING: Attempted = {
  journal: [],
  mend: undefined,
  packs: [],
  recovered: [],
  recoveredCount: 0,
  lostBlobs: 0,
  hits: undefined,
  formerPacks: [],
  dropped: [],
  checkpoints: [],
  indexBlobs: 0,
  newPacks: 0,
  entry: undefined,
  remains: false,
};

function describePacks(
  { bad, sources }: Analysis,
  leaving: ReadonlySet<PackId>,
  quarantined: ReadonlyMap<PackId, string> | undefined,
): RepairedPack[] {
  const blobs = new Map<PackId, number>();
  for (const { id, blocks, spoilt } of sources)
    blobs.set(id, blocks.flatMap((block) => block.blobs).filter((blob) => !spoilt.has(blob.id)).length);
  return [...bad].map(([pack, { reason, isMissing }]) => ({
    pack,
    state: isMissing ? 'missing' : 'damaged',
    reason,
    blobs: blobs.get(pack) ?? 0,
    fate: leaving.has(pack) ? 'replaced' : 'left',
    quarantine: quarantined?.get(pack),
  }));
}

/** Refs come in the order of the journal, so the last are the newest. */
function newestFirst(state: StoreState): BlobId[] {
  return [...new Set([...state.refs.values()].reverse())];
}
