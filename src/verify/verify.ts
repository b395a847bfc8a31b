/**
 * Verify: replays the journal, checks the structure, and, if asked, every byte, at the same time in worker threads. Tells
 * what is damaged and what that hits; changes nothing. Damage is a result, not an error.
 */
import { hasCode } from '../errors.ts';
import { BlobTable } from '../index/blob-table.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import { BLOB_KIND } from '../object/blob-id.ts';
import type { StoreState } from '../object/store-state.ts';
import type { Repository } from '../repo/repository.ts';
import { beginSession } from '../repo/session.ts';
import type { Workers } from '../work/start-workers.ts';
import type { DataCheck } from './data-check.ts';
import { checkData } from './data-check.ts';
import type { Fault } from './faults.ts';
import { Faults } from './faults.ts';
import type { Hits } from './hits.ts';
import { findHits } from './hits.ts';
import type { JournalCheck } from './journal-check.ts';
import { checkJournal } from './journal-check.ts';
import type { Sample } from './sample.ts';
import type { StructureCheck } from './structure.ts';
import { checkStructure } from './structure.ts';

export interface VerifyOptions {
  /** Read the bytes too: of all packs, or of a sample. */
  readonly data: boolean;
  readonly sample: Sample | undefined;
  readonly paranoid: boolean;
  readonly signal: AbortSignal | undefined;
  readonly progress: (bytesDone: number, bytesTotal: number) => void;
}

export interface VerifyResult {
  readonly journal: Omit<JournalCheck, 'state'>;
  readonly structure: StructureCheck;
  readonly data: DataCheck | undefined;
  /** The first faults, and how many there are. */
  readonly faults: readonly Fault[];
  readonly faultCount: number;
  /** How many of them are needed blobs in no readable pack: what a lost pack leads to. */
  readonly missingBlobs: number;
  /** Undefined if no blob is damaged. */
  readonly hits: Hits | undefined;
  readonly milliseconds: number;
}

/** Throws for what is no damage: `permission`, `unsupported-format`, `interrupted`. */
export async function verify(repository: Repository, workers: Workers, options: VerifyOptions): Promise<VerifyResult> {
  const { environment, backend } = repository;
  const started = environment.elapsed();
  const session = beginSession(environment, backend);
  try {
    if (repository.damage === undefined) await repository.refresh();
    const faults = new Faults();
    const { state, ...journal } = await checkJournal(repository, faults);
    const [data, structure] = await Promise.all([
      options.data
        ? checkData({ ...options, repository, workers, packs: [...state.packs.values()], faults })
        : undefined,
      checkStructure(repository, state, faults, options.signal),
    ]);
    const lost = await withoutGoodCopy(repository, faults.blobs);
    const isHarmless = lost.size === 0 && faults.packs.size === 0;
    const found = isHarmless
      ? undefined
      : await findHits(repository, lost, faults.packs, newestFirst(state), options.signal);
    const hits = lost.size === 0 && found?.paths === 0 ? undefined : found;
    return {
      journal,
      structure,
      data,
      faults: faults.listed,
      faultCount: faults.count,
      missingBlobs: faults.missing,
      hits,
      milliseconds: environment.elapsed() - started,
    };
  } finally {
    session.end();
  }
}

/** Of damaged blobs those that nothing can be read from: a later commit may have stored a tree or list again. */
async function withoutGoodCopy(repository: Repository, damaged: BlobTable): Promise<BlobTable> {
  const lost = new BlobTable();
  for (let number = 0; number < damaged.size; number++) {
    const kind = damaged.kindOf(number);
    const id = damaged.idOf(number);
    if (kind === BLOB_KIND.data || !(await isReadable(repository, kind, id))) lost.add(kind, id);
  }
  return lost;
}

async function isReadable(repository: Repository, kind: BlobKind, id: BlobId): Promise<boolean> {
  try {
    await repository.blobs.readStored(kind, id);
    return true;
  } catch (error) {
    if (!hasCode(error, 'corrupt-data', 'io')) throw error;
    return false;
  }
}

/** Refs come in the order of the journal, so the last are the newest. */
function newestFirst(state: StoreState): BlobId[] {
  return [...new Set([...state.refs.values()].reverse())];
}
