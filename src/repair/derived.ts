/** Puts right what is derived from journal and packs: checkpoints, and the places of blobs in the index. */
import { BLOB_KIND } from '../object/blob-id.ts';
import type { PackId } from '../object/pack-id.ts';
import type { StoreState } from '../object/store-state.ts';
import { applyEntries, EMPTY_STATE } from '../object/store-state.ts';
import type { NumberedEntry } from '../repo/journal.ts';
import { CHECKPOINT_EVERY, encodeCheckpoint, readEntry } from '../repo/journal.ts';
import { newestBase } from '../repo/journal-base.ts';
import { checkpointName } from '../repo/layout.ts';
import { readPackFooter } from '../repo/pack-footers.ts';
import type { PackTable } from '../repo/pack-table.ts';
import type { Repository } from '../repo/repository.ts';
import type { Backend } from '../storage/backend.ts';
import { quarantine, removeFirstName } from './quarantine.ts';

const FOLD_ENTRIES = 256;
/** Footers in memory at one time. */
const PACKS_AT_ONCE = 16;
const LOOKUPS_BETWEEN_WAITS = 2000;

/** The numbers of checkpoints to write anew: those that are wrong, and the newest if it is missing. */
export async function checkpointsToWrite(
  backend: Backend,
  state: StoreState,
  wrong: readonly number[],
): Promise<number[]> {
  const numbers = new Set(wrong);
  const newest = state.number - (state.number % CHECKPOINT_EVERY);
  // What a base stands for cannot be folded.
  const least = (await newestBase(backend, 0))?.number ?? 0;
  if (newest > least && (await backend.size(checkpointName(newest))) === undefined) numbers.add(newest);
  return [...numbers].filter((number) => number > least).sort((a, b) => a - b);
}

/** Writes checkpoints from the fold of the journal; damaged ones go into quarantine. */
export async function writeCheckpoints(repository: Repository, numbers: readonly number[]): Promise<void> {
  const { backend } = repository;
  let state = (await newestBase(backend, 0)) ?? EMPTY_STATE;
  for (const number of numbers) {
    state = await foldTo(backend, state, number);
    const name = checkpointName(number);
    if (quarantine(repository, name) !== undefined) removeFirstName(repository, name);
    await backend.putIfAbsent(name, encodeCheckpoint(state));
  }
}

async function foldTo(backend: Backend, from: StoreState, number: number): Promise<StoreState> {
  let state = from;
  while (state.number < number) {
    const batch: NumberedEntry[] = [];
    while (batch.length < FOLD_ENTRIES && state.number + batch.length < number) {
      const next = await readEntry(backend, state.number + 1 + batch.length);
      if (next === undefined) break;
      batch.push(next);
    }
    if (batch.length === 0) break;
    state = applyEntries(state, batch);
  }
  return state;
}

/** How many blobs the index lacks or places wrongly; with `mend`, it is told of the packs that have them. */
export async function mendIndex(
  { index, backend }: Repository,
  state: StoreState,
  table: PackTable,
  mend: boolean,
): Promise<number> {
  if (index.kind !== 'level') return 0;
  const packs = new Set<PackId>();
  let wrong = 0;
  let looked = 0;
  for (const kind of Object.values(BLOB_KIND)) {
    for (const number of table.inIdOrder(kind)) {
      if (looked++ % LOOKUPS_BETWEEN_WAITS === 0) await new Promise(setImmediate);
      const pack = table.packOf(number).id;
      if (!state.packs.has(pack)) continue;
      const location = index.find(kind, table.idOf(number));
      if (location !== undefined && table.hasCopyAt(number, location)) continue;
      wrong++;
      packs.add(pack);
    }
  }
  const ids = mend ? [...packs] : [];
  for (let i = 0; i < ids.length; i += PACKS_AT_ONCE) {
    const some = [];
    for (const id of ids.slice(i, i + PACKS_AT_ONCE))
      some.push({ id, footer: await readPackFooter(backend, state, id) });
    await index.write({ packs: some });
  }
  return wrong;
}
