/**
 * Verify: replays the journal, checks the structure, and, if asked, every byte, at the same time in worker threads. Tells
 * what is damaged and what that hits; changes nothing. Damage is a result, not an error.
 */
import { hasCode, SnapError } from '../errors.ts';
import { BlobTable } from '../index/blob-table.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import { BLOB_KIND } from '../object/blob-id.ts';
import type { PackId } from '../object/pack-id.ts';
import type { StoreState } from '../object/store-state.ts';
import { damageOfOperations } from '../repo/operation-log.ts';
import type { Repository } from '../repo/repository.ts';
import { beginReading } from '../repo/session.ts';
import type { Workers } from '../work/start-workers.ts';
import type { DataCheck } from './data-check.ts';
import { BytesCheck } from './data-check.ts';
import type { Fault } from './faults.ts';
import { Faults } from './faults.ts';
import type { FormerPack } from './former-packs.ts';
import { formerPacks } from './former-packs.ts';
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
  /** If needed blobs are in no pack: packs that repairs took out, which may have held them. */
  readonly formerPacks: readonly FormerPack[];
  readonly milliseconds: number;
}

/** Throws for what is no damage: `permission`, `unsupported-format`, `interrupted`, `conflict`. */
export async function verify(repository: Repository, workers: Workers, options: VerifyOptions): Promise<VerifyResult> {
  const { environment, backend } = repository;
  const started = environment.elapsed();
  const session = beginReading(environment, backend);
  try {
    const { journal, structure, data, state, faults } = await checkInPeace(repository, workers, options);
    for (const reason of damageOfOperations(repository)) faults.add({ what: 'workspace', reason });
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
      formerPacks: faults.missing === 0 ? [] : await formerPacks(repository),
      milliseconds: environment.elapsed() - started,
    };
  } finally {
    session.end();
  }
}

/** Rounds in which a gc may take away packs that were about to be read. */
const ATTEMPTS_MAX = 5;

interface Checked extends Pick<VerifyResult, 'journal' | 'structure' | 'data'> {
  readonly state: StoreState;
  readonly faults: Faults;
}

/**
 * Checks journal, structure and, if asked, data. A gc takes packs away once their blobs lie in others, and to one who was
 * about to read them that looks like damage: then the structure is checked again, on the state as it is by then, and the
 * data of packs that are new. Throws `conflict` if gcs go on like that and there is no other damage.
 */
async function checkInPeace(repository: Repository, workers: Workers, options: VerifyOptions): Promise<Checked> {
  const bytes = new BytesCheck({ ...options, repository, workers });
  for (let attempt = 1; ; attempt++) {
    if (repository.damage === undefined) await repository.refresh();
    const known = repository.state();
    const faults = new Faults();
    const { state, ...journal } = await checkJournal(repository, faults);
    const [, structure] = await Promise.all([
      options.data ? bytes.check(state, faults) : undefined,
      checkStructure(repository, state, faults, options.signal),
    ]);
    const looksDamaged = faults.count > 0 || bytes.hasGone(state);
    const swept = looksDamaged ? await sweptMeanwhile(repository, [known, state]) : new Set<PackId>();
    if (swept.size > 0 && attempt < ATTEMPTS_MAX) continue;
    const real = swept.size === 0 ? faults : await withoutSwept(repository, faults, swept);
    if (swept.size > 0 && real.count === 0)
      throw new SnapError('conflict', `gc removed packs ${attempt} times while verify was about to read them`, {
        hint: 'Nothing that it could read is damaged. Run `snap verify` again when gc is done.',
      });
    return { journal, structure, data: options.data ? bytes.counts : undefined, state, faults: real };
  }
}

/** Packs of these states that others have swept since. */
async function sweptMeanwhile(repository: Repository, states: readonly StoreState[]): Promise<Set<PackId>> {
  if (repository.damage !== undefined) return new Set();
  try {
    const entries = await repository.refresh();
    const swept = entries.flatMap(({ entry }) => entry.swept);
    return new Set(swept.filter((id) => states.some(({ packs }) => packs.has(id))));
  } catch (error) {
    // The journal is damaged, and the check of it says so.
    if (!hasCode(error, 'corrupt-data')) throw error;
    return new Set();
  }
}

/** Those faults that are none of `swept`, and none of a blob that can be read where it is now. */
async function withoutSwept(repository: Repository, faults: Faults, swept: ReadonlySet<PackId>): Promise<Faults> {
  const left = new Faults();
  for (const fault of faults.listed) {
    if (fault.pack !== undefined && swept.has(fault.pack)) continue;
    if (fault.blob === undefined || !(await isReadable(repository, fault.blob.kind, fault.blob.id))) left.add(fault);
  }
  return left;
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
    if (!hasCode(error, 'corrupt-data')) throw error;
    return false;
  }
}

/** Refs come in the order of the journal, so the last are the newest. */
function newestFirst(state: StoreState): BlobId[] {
  return [...new Set([...state.refs.values()].reverse())];
}
