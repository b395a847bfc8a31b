/**
 * Replays the journal from its first entry: chain, fold, and every checkpoint against the fold. What cannot be read is a
 * fault, and the state is then what this process knows otherwise.
 */
import { hasCode, isUnreadable, SnapError } from '../errors.ts';
import type { StoreState } from '../object/store-state.ts';
import { applyEntries, EMPTY_STATE } from '../object/store-state.ts';
import type { NumberedEntry } from '../repo/journal.ts';
import { encodeCheckpoint, readEntry } from '../repo/journal.ts';
import { newestBase } from '../repo/journal-base.ts';
import { CHECKPOINTS, checkpointName, JOURNAL, numberOfName } from '../repo/layout.ts';
import type { Repository } from '../repo/repository.ts';
import type { Backend } from '../storage/backend.ts';
import { Faults } from './faults.ts';

export interface JournalCheck {
  /** The fold of the journal, or what the index knows if the journal is damaged. */
  readonly state: StoreState;
  readonly entries: number;
  readonly checkpoints: number;
  /** Entries up to this one are replaced by a base, which a repair made; 0 if all can be replayed. */
  readonly replaced: number;
}

const FOLD_ENTRIES = 256;

export async function checkJournal(repository: Repository, faults: Faults): Promise<JournalCheck> {
  const { backend } = repository;
  const checkpoints = await numbersIn(backend, CHECKPOINTS);
  const last = (await numbersIn(backend, JOURNAL)).at(-1) ?? 0;
  const stops = new Set(checkpoints);
  let state = EMPTY_STATE;
  let whole = true;
  let compared = 0;
  let replaced = 0;
  while (whole && state.number < last) {
    const found = new Faults();
    const next = await replayBatch(backend, state, last, stops, found);
    state = next;
    if (found.count === 0) {
      if (stops.has(state.number)) compared += await compareCheckpoint(backend, state, faults);
      continue;
    }
    const base = await newestBase(backend, state.number);
    if (base !== undefined && (base.number > replaced || replaced === 0)) {
      state = base;
      replaced = base.number;
    } else {
      for (const fault of found.listed) faults.add(fault);
      whole = false;
    }
  }
  const known = repository.state();
  if (whole && known.number > state.number) {
    faults.add({
      what: 'journal',
      reason: `it ends at entry ${state.number}, but entry ${known.number} was there before: the journal was cut off or replaced by an older one`,
      entry: known.number,
    });
    whole = false;
  }
  if (whole && repository.damage !== undefined) {
    // The journal is sound in itself, and not the one, or not all of the one, that this workspace has seen.
    const { entry } = repository.damage.context;
    const reason = repository.damage.message;
    faults.add({ what: 'journal', reason, entry: typeof entry === 'number' ? entry : state.number + 1 });
    whole = false;
  }
  return { state: whole ? state : known, entries: state.number, checkpoints: compared, replaced };
}

/** Folds on until a checkpoint, the end, or a fault. */
async function replayBatch(
  backend: Backend,
  from: StoreState,
  last: number,
  stops: ReadonlySet<number>,
  faults: Faults,
): Promise<StoreState> {
  const batch: NumberedEntry[] = [];
  for (let number = from.number + 1; batch.length < FOLD_ENTRIES && number <= last; number++) {
    const next = await readOrFault(backend, number, faults);
    if (next === undefined) break;
    batch.push(next);
    if (stops.has(number)) break;
  }
  try {
    return applyEntries(from, batch);
  } catch (error) {
    if (!hasCode(error, 'corrupt-data')) throw error;
    const { entry } = error.context;
    faults.add({
      what: 'journal',
      reason: error.message,
      entry: typeof entry === 'number' ? entry : from.number + 1,
    });
    return from;
  }
}

async function readOrFault(backend: Backend, number: number, faults: Faults): Promise<NumberedEntry | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      const entry = await readEntry(backend, number);
      if (entry === undefined)
        faults.add({ what: 'journal', reason: 'it is missing, and later ones are there', entry: number });
      return entry;
    } catch (error) {
      if (!hasCode(error, 'corrupt-data', 'unsupported-format')) throw error;
      if (attempt < 2) continue;
      faults.add({ what: 'journal', reason: error.message, entry: number });
      return undefined;
    }
  }
}

async function compareCheckpoint(backend: Backend, state: StoreState, faults: Faults): Promise<number> {
  const fault = (reason: string): void => faults.add({ what: 'checkpoint', reason, entry: state.number });
  try {
    const bytes = await backend.get(checkpointName(state.number));
    // Old ones are removed when new ones are written.
    if (bytes === undefined) return 0;
    if (!bytes.equals(encodeCheckpoint(state)))
      fault('it differs from the fold of the journal; commands that start from it would see another state');
  } catch (error) {
    if (!isUnreadable(error) || !(error instanceof SnapError)) throw error;
    fault(error.message);
  }
  return 1;
}

async function numbersIn(backend: Backend, folder: string): Promise<number[]> {
  const numbers: number[] = [];
  for await (const { name } of backend.list(folder)) {
    const number = numberOfName(name);
    if (number !== undefined) numbers.push(number);
  }
  return numbers.sort((a, b) => a - b);
}
