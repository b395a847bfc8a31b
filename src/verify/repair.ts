/**
 * Repair: makes a store whole again as far as that is possible. What is readable of damaged packs, and what was found
 * elsewhere, goes into new packs; one journal entry adds these and takes the damaged ones out; their files stay in
 * `quarantine`. Plans first; a store that is whole is not changed. SPEC.md "Repair".
 */
import type { CompressionLevel } from '../compress/block-codec.ts';
import { SnapError } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import { BLOB_KIND } from '../object/blob-id.ts';
import type { PackRecord } from '../object/journal-entry.ts';
import type { PackId } from '../object/pack-id.ts';
import type { StoreState } from '../object/store-state.ts';
import { encodeState } from '../object/store-state.ts';
import type { FooterBlock } from '../pack/pack-format.ts';
import { BlobWriter } from '../repo/blob-writer.ts';
import type { EntryDraft } from '../repo/journal.ts';
import { packName } from '../repo/layout.ts';
import { readBack } from '../repo/read-back.ts';
import { readPackTable } from '../repo/read-pack-table.ts';
import type { Repository } from '../repo/repository.ts';
import { beginSession } from '../repo/session.ts';
import { textSetting } from '../repo/settings.ts';
import { treeReader } from '../repo/tree-reader.ts';
import type { Workers } from '../work/start-workers.ts';
import type { Fault } from './faults.ts';
import { Faults } from './faults.ts';
import type { Hits } from './hits.ts';
import { findHits } from './hits.ts';
import { checkJournal } from './journal-check.ts';
import type { Analysis, Recovered } from './repair-analysis.ts';
import { analyse } from './repair-analysis.ts';
import { copyBlobs } from './repair-copy.ts';
import { checkpointsToWrite, mendIndex, writeCheckpoints } from './repair-derived.ts';
import type { DropPlan, Dropped } from './repair-drop.ts';
import { planDrop } from './repair-drop.ts';
import { quarantine, removeFirstName } from './repair-quarantine.ts';
import { TableReader } from './repair-source.ts';

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
  /** What is wrong with the journal: nothing else was looked at, and nothing was changed. */
  readonly journal: readonly Fault[];
  readonly packs: readonly RepairedPack[];
  /** The first of what was found outside of the damaged packs, and how much there is. */
  readonly recovered: readonly Recovered[];
  readonly recoveredCount: number;
  /** Blobs that snapshots need and that are nowhere; what needs them. */
  readonly lostBlobs: number;
  readonly hits: Hits | undefined;
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

/** Others published first: what was found out may no longer hold. */
class Overtaken extends Error {}

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
        return { ...result, dryRun: options.dryRun, milliseconds: environment.elapsed() - started };
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

type Attempted = Omit<RepairResult, 'dryRun' | 'milliseconds'>;

async function attemptRepair(repository: Repository, workers: Workers, options: RepairOptions): Promise<Attempted> {
  const { dryRun } = options;
  if (repository.damage === undefined) await repository.refresh();
  const faults = new Faults();
  const { state } = await checkJournal(repository, faults);
  const journal = faults.listed.filter(({ what }) => what === 'journal');
  if (journal.length > 0) return { ...NOTHING, journal, remains: true };
  const wrong = faults.listed.flatMap(({ what, entry }) => (what === 'checkpoint' && entry !== undefined ? entry : []));
  const checkpoints = await checkpointsToWrite(repository.backend, state, wrong);
  if (!dryRun) await writeCheckpoints(repository, checkpoints);
  requireSameState(repository, state);

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
    const hits =
      lost.size === 0
        ? undefined
        : await findHits(
            { blobs: reader, trees: treeReader(reader) },
            lost,
            new Set(),
            newestFirst(state),
            options.signal,
          );
    const drop =
      options.dropDamaged && hits !== undefined ? await planDrop(state, hits.snapshots, lost, reader) : undefined;
    const lostBlobs = drop === undefined ? lost.size : 0;
    const leaving = [...bad].filter(([, { isMissing }]) => !isMissing || lostBlobs === 0).map(([id]) => id);
    const published = dryRun ? undefined : await publish(options, repository, analysis, output, leaving, drop);
    const table =
      published?.entry === undefined
        ? analysis.table
        : await readPackTable(repository.backend, repository.state(), () => undefined);
    return {
      journal,
      packs: describePacks(analysis, new Set(leaving), published?.quarantined),
      recovered: analysis.recovered.slice(0, RECOVERED_LISTED_MAX),
      recoveredCount: analysis.recovered.length,
      lostBlobs: lost.size,
      hits,
      dropped: drop?.snapshots ?? [],
      checkpoints,
      indexBlobs: await mendIndex(repository, repository.state(), table, !dryRun),
      newPacks: published?.newPacks ?? 0,
      entry: published?.entry,
      remains: lostBlobs > 0 || (dryRun && (bad.size > 0 || checkpoints.length > 0)),
    };
  } catch (error) {
    await output.writer.abandon();
    throw error;
  }
}

const NOTHING: Attempted = {
  journal: [],
  packs: [],
  recovered: [],
  recoveredCount: 0,
  lostBlobs: 0,
  hits: undefined,
  dropped: [],
  checkpoints: [],
  indexBlobs: 0,
  newPacks: 0,
  entry: undefined,
  remains: false,
};

/** New packs, and what lies where in them. */
class Output {
  readonly writer: BlobWriter;
  readonly blocks = new Map<PackId, FooterBlock[]>();
  readonly taker: { take(id: BlobId, bytes: Uint8Array): void; ready(): Promise<void> };

  constructor(repository: Repository, workers: Workers) {
    const level = textSetting(repository.settings, 'commit.compression') as CompressionLevel | undefined;
    this.writer = new BlobWriter({
      environment: repository.environment,
      backend: repository.backend,
      workers,
      isKnown: () => false,
      level: level ?? 'balanced',
      packBytes: repository.config.packBytes,
      placed: (pack, block) => {
        const before = this.blocks.get(pack);
        if (before === undefined) this.blocks.set(pack, [block]);
        else before.push(block);
      },
    });
    this.taker = {
      take: (id, bytes) => void this.writer.store(BLOB_KIND.data, id, bytes),
      ready: () => this.writer.ready(),
    };
  }
}

/** Nothing is taken away before what takes its place was written, synced and read back. */
async function publish(
  options: RepairOptions,
  repository: Repository,
  analysis: Analysis,
  { writer, blocks }: Output,
  leaving: readonly PackId[],
  drop: DropPlan | undefined,
): Promise<{ entry: number | undefined; newPacks: number; quarantined: ReadonlyMap<PackId, string> }> {
  const { backend } = repository;
  await copyBlobs(analysis, writer, options);
  for (const { blob, bytes } of drop?.blobs ?? []) writer.store(blob.kind, blob.id, bytes);
  const records = await writer.finish();
  for (const record of records) await readBack(backend, record);
  const quarantined = new Map<PackId, string>();
  if (records.length === 0 && leaving.length === 0 && drop === undefined)
    return { entry: undefined, newPacks: 0, quarantined };
  options.signal?.throwIfAborted();
  requireSameState(repository, analysis.state);
  for (const id of leaving) {
    const second = quarantine(repository, packName(id));
    if (second !== undefined) quarantined.set(id, second);
  }
  const draft = draftEntry(repository, records, leaving, drop);
  const packs = records.map(({ id }) => ({ id, footer: { blocks: blocks.get(id) ?? [] } }));
  const { entry } = await repository.publish(draft, { packs, removedPacks: leaving }, () => {
    throw new Overtaken();
  });
  for (const id of quarantined.keys()) removeFirstName(repository, packName(id));
  if (draft.head !== null && draft.head !== undefined) repository.setHead(draft.head.to);
  return { entry: entry.number, newPacks: records.length, quarantined };
}

function draftEntry(
  repository: Repository,
  records: readonly PackRecord[],
  leaving: readonly PackId[],
  drop: DropPlan | undefined,
): EntryDraft {
  const from = repository.head().snapshot;
  const head = drop?.snapshots.find((dropped) => dropped.from === from);
  const notes = [`${leaving.length} damaged packs out, ${records.length} new`];
  if (drop !== undefined) notes.push(`${drop.snapshots.length} snapshots without what is lost`);
  return {
    operation: 'repair',
    note: notes.join('; '),
    workspace: repository.workspaceId,
    head: head === undefined ? null : { from, to: head.to },
    refs: drop?.refs ?? [],
    grafts: drop?.grafts ?? {},
    packs: records,
    condemned: leaving,
    swept: leaving,
  };
}

/** Throws Overtaken if others published, `corrupt-data` if the index or a checkpoint has led to another state. */
function requireSameState(repository: Repository, state: StoreState): void {
  const known = repository.state();
  if (known.number !== state.number || known.hash !== state.hash) throw new Overtaken();
  if (encodeState(known).equals(encodeState(state))) return;
  throw new SnapError('corrupt-data', 'the index or a checkpoint has another state than the journal gives', {
    hint: 'Run `snap reindex`, then `snap repair` again. Nothing was removed.',
  });
}

function describePacks(
  { bad, sources }: Analysis,
  leaving: ReadonlySet<PackId>,
  quarantined: ReadonlyMap<PackId, string> | undefined,
): RepairedPack[] {
  const blobs = new Map(
    sources.map(({ id, blocks }) => [id, blocks.reduce((sum, block) => sum + block.blobs.length, 0)]),
  );
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
