/**
 * The newest state of a journal, also of one that a repair has mended: a base stands for the state after an entry in place
 * of all entries up to it. It is asked for only where an entry is missing or damaged. SPEC.md "State and checkpoints".
 */
import { hasCode } from '../errors.ts';
import { blobIdOf } from '../object/blob-id.ts';
import { snapshotOfRef } from '../object/ref-name.ts';
import type { StoreState } from '../object/store-state.ts';
import { applyEntries, EMPTY_STATE, encodeState } from '../object/store-state.ts';
import type { Backend } from '../storage/backend.ts';
import type { NumberedEntry } from './journal.ts';
import { hole, isStateOf, newestCheckpoint, readEntriesAfter, readStoredState, requireSeen } from './journal.ts';
import { BASES, baseName, numberOfName } from './layout.ts';

/**
 * The newest state: `known`, or without one the newest checkpoint, and all entries after it. Throws `corrupt-data` if
 * the journal is damaged, or is not the one that `known` is the state of.
 */
export async function readState(
  backend: Backend,
  known: StoreState = EMPTY_STATE,
): Promise<{ state: StoreState; from: StoreState; entries: NumberedEntry[] }> {
  const start = known.number > 0 ? known : await newestCheckpoint(backend);
  for (let from = start, isSeen = known.number === 0; ; ) {
    try {
      if (!isSeen) await requireSeen(backend, known.number, known.hash);
      isSeen = true;
      const entries = await readEntriesAfter(backend, from);
      const state = applyEntries(from, entries);
      // More may be missing than is looked over for a later entry.
      if (from === start && (await newestBase(backend, state.number + 1)) !== undefined) throw hole(state.number + 1);
      return { state, from, entries };
    } catch (error) {
      const base = await newestBase(backend, from.number);
      if (base === undefined || from !== start || !hasCode(error, 'corrupt-data')) throw error;
      if (known.number > 0 && !(isSeen && !isStandIn(base)) && !covers(base, known)) throw error;
      from = base;
      isSeen = true;
    }
  }
}

/** The newest base from `number` on that the entry of its number or the one after it belongs to. */
export async function newestBase(backend: Backend, number: number): Promise<StoreState | undefined> {
  const numbers: number[] = [];
  for await (const object of backend.list(BASES)) {
    const found = numberOfName(object.name);
    if (found !== undefined && found >= number) numbers.push(found);
  }
  for (const found of numbers.sort((a, b) => b - a)) {
    const base = await readBase(backend, found);
    if (base !== undefined && (await isStateOf(backend, base))) return base;
  }
  return undefined;
}

/** Undefined for one that is not there or damaged. */
export async function readBase(backend: Backend, number: number): Promise<StoreState | undefined> {
  const state = await readStoredState(backend, baseName(number));
  return state?.number === number ? state : undefined;
}

/** The hash of a base that is not surely the state after its entry: whoever knows that state better does not follow it. */
export function standInHash(state: StoreState): string {
  return blobIdOf(encodeState({ ...state, hash: null }));
}

export function isStandIn(base: StoreState): boolean {
  return base.hash === standInHash(base);
}

/** True if a base has all refs that a workspace knew, but for snapshots that were pruned. */
export function covers(base: StoreState, known: StoreState): boolean {
  for (const [name, id] of known.refs) {
    const snapshot = snapshotOfRef(name);
    if (base.refs.get(name) !== id && !(snapshot !== undefined && base.grafts.has(snapshot))) return false;
  }
  return true;
}
