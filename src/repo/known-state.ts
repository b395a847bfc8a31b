/**
 * The state of the store as a workspace finds it at the start: the journal's fold, or, where the journal is damaged or
 * shorter than it was, the best that is known of it, for reading only. SPEC.md "State and checkpoints".
 */

import { hasCode, SnapError } from '../errors.ts';
import type { StoreState } from '../object/store-state.ts';
import { applyEntry, hasSnapshot } from '../object/store-state.ts';
import type { Backend } from '../storage/backend.ts';
import type { Head } from './head.ts';
import type { NumberedEntry } from './journal.ts';
import { newestCheckpoint, readEntryIfWhole, requireSeen } from './journal.ts';
import { newestBase, readState } from './journal-base.ts';

export interface KnownState {
  readonly state: StoreState;
  /** The state that the entries were applied to. */
  readonly from: StoreState;
  readonly entries: readonly NumberedEntry[];
  /** Set if the journal is damaged: nothing may be published then. */
  readonly damage: SnapError | undefined;
}

/** `remembered`: the state of the index. `head`: names the newest entry that this workspace is known to have seen. */
export async function readKnownState(backend: Backend, remembered: StoreState, head: Head): Promise<KnownState> {
  const seen = Math.max(remembered.number, head.journalNumber);
  let failure: SnapError;
  try {
    const read = await readState(backend, remembered);
    if (read.state.number < seen) throw tooShort(read.state.number, seen);
    await requireSeenByHead(backend, head, remembered, read.state);
    return { ...read, damage: undefined };
  } catch (error) {
    if (!hasCode(error, 'corrupt-data')) throw error;
    const end = await endOf(backend);
    failure = end !== undefined && end < seen ? tooShort(end, seen) : error;
  }
  const from = remembered.number > 0 ? remembered : await newestCheckpoint(backend);
  const state = await foldIntact(backend, from);
  const damage = damageOf(failure, state.number);
  return { state, from, entries: [], damage };
}

/** The error for a journal that lost its end. */
export function tooShort(end: number, seen: number): SnapError {
  return new SnapError(
    'corrupt-data',
    `the journal of the store ends at entry ${end}, but this workspace has seen entry ${seen}`,
  );
}

/** The last number of a journal that is sound in itself. */
async function endOf(backend: Backend): Promise<number | undefined> {
  try {
    return (await readState(backend)).state.number;
  } catch (error) {
    if (!hasCode(error, 'corrupt-data')) throw error;
    return undefined;
  }
}

/** A base may stand for the entry that HEAD has seen; then it has to know the snapshot. */
async function requireSeenByHead(
  backend: Backend,
  { snapshot, journalNumber, journalHash }: Head,
  remembered: StoreState,
  state: StoreState,
): Promise<void> {
  if (journalHash === undefined || journalNumber === 0 || journalHash === remembered.hash) return;
  // The index has seen as much, and this is its journal: then it is HEAD that is wrong, and found again.
  if (remembered.number >= journalNumber) return;
  try {
    await requireSeen(backend, journalNumber, journalHash);
  } catch (error) {
    const isThere = snapshot === null || hasSnapshot(state, snapshot) || state.grafts.has(snapshot);
    if (!isThere || (await newestBase(backend, journalNumber)) === undefined) throw error;
  }
}

/** The error for people; `knownTo`: the number of the last entry that is known. */
export function damageOf(failure: SnapError, knownTo: number): SnapError {
  return new SnapError('corrupt-data', failure.message, {
    hint:
      `Nothing was changed. Reading still works, from what is known up to entry ${knownTo}: snap log, diff, ls, cat, ` +
      'and snap checkout <rev> --to <folder>. `snap repair` goes on from what is known (`snap repair --dry-run` says ' +
      'how); if you have a copy of the store with the files of journal/ that are damaged or missing, put them back ' +
      'before. If an older store was put back on purpose: `snap reindex --accept-store`.',
    context: { ...failure.context, knownTo },
    cause: failure,
  });
}

/** Applies the entries after `from` as long as they are whole and follow each other. */
async function foldIntact(backend: Backend, from: StoreState): Promise<StoreState> {
  for (let state = from; ; ) {
    const next = await readEntryIfWhole(backend, state.number + 1);
    if (next === undefined) return state;
    try {
      state = applyEntry(state, next.entry, next.hash);
    } catch (error) {
      if (!hasCode(error, 'corrupt-data')) throw error;
      return state;
    }
  }
}
