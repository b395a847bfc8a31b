/**
 * What is left of a damaged journal, and what state follows from it: of all states that are known (of the index, of
 * checkpoints, of bases) the newest that fits the entries around it, and the entries after it.
 */
import { hasCode } from '../errors.ts';
import type { JournalEntry, PackRecord } from '../object/journal-entry.ts';
import type { PackId } from '../object/pack-id.ts';
import type { RefName } from '../object/ref-name.ts';
import type { StoreState } from '../object/store-state.ts';
import { applyEntry, EMPTY_STATE } from '../object/store-state.ts';
import type { NumberedEntry } from '../repo/journal.ts';
import { readEntry, readEntryIfWhole, readStoredState } from '../repo/journal.ts';
import { covers, newestBase, readBase, standInHash } from '../repo/journal-base.ts';
import { CHECKPOINTS, JOURNAL, numberOfName } from '../repo/layout.ts';
import type { Backend } from '../storage/backend.ts';

export interface Survey {
  /** From where the journal is read: the newest base, or the empty state. */
  readonly start: StoreState;
  /** The number of the last entry that is there, be it damaged. */
  readonly last: number;
  /** Of each entry after `start` that can be read. */
  readonly marks: ReadonlyMap<number, { readonly hash: string; readonly previous: string | null }>;
  /** Entries that are missing, damaged, or not those that the next one names. */
  readonly bad: ReadonlySet<number>;
  /** What readable entries took out. */
  readonly swept: ReadonlySet<PackId>;
  readonly removed: ReadonlySet<RefName>;
}

export interface Reading {
  readonly state: StoreState;
  /** Every entry after `from` was there and followed. */
  readonly isStrict: boolean;
  /** What altered entries say, to be believed only as far as it proves true. */
  readonly doubtful: StoreState;
}

export type Source = 'index' | 'checkpoint' | 'base' | 'journal';

export interface Candidate {
  readonly state: StoreState;
  readonly source: Source;
  /** The entries around it name its hash; else nothing speaks against it. */
  readonly isProven: boolean;
}

/** Throws `permission` if an entry is there and may not be read: that is for a person to put right. */
export async function survey(backend: Backend): Promise<Survey> {
  const start = (await newestBase(backend, 0)) ?? EMPTY_STATE;
  const marks = new Map<number, { hash: string; previous: string | null }>();
  const bad = new Set<number>();
  const swept = new Set<PackId>();
  const removed = new Set<RefName>();
  const listed = await lastNumber(backend);
  let last = start.number;
  for (let number = start.number + 1; ; number++) {
    const found = await readOrBad(backend, number);
    if (found === undefined && number > listed) break;
    last = number;
    if (found === undefined || found === 'bad') {
      bad.add(number);
      continue;
    }
    marks.set(number, { hash: found.hash, previous: found.entry.previous });
    for (const id of found.entry.swept) swept.add(id);
    for (const { name, to } of found.entry.refs) if (to === null) removed.add(name);
  }
  for (let number = last - 1; number > start.number; number--) {
    const next = marks.get(number + 1);
    const own = marks.get(number);
    if (next !== undefined && own !== undefined && next.previous !== own.hash && !bad.has(number + 1)) bad.add(number);
  }
  return { start, last, marks, bad, swept, removed };
}

async function lastNumber(backend: Backend): Promise<number> {
  let last = 0;
  for await (const { name } of backend.list(JOURNAL)) last = Math.max(last, numberOfName(name) ?? 0);
  return last;
}

async function readOrBad(backend: Backend, number: number): Promise<NumberedEntry | 'bad' | undefined> {
  try {
    return await readEntry(backend, number);
  } catch (error) {
    if (!hasCode(error, 'corrupt-data')) throw error;
    if (hasCode(error.cause, 'permission')) throw error.cause;
    return 'bad';
  }
}

/** What is known of the store, the newest first; `remembered` only if nothing speaks against it. */
export async function candidates(backend: Backend, found: Survey, remembered: StoreState): Promise<Candidate[]> {
  const list: Candidate[] = [{ state: found.start, source: 'journal', isProven: true }];
  const offer = (state: StoreState | undefined, source: Source): void => {
    const fits = state === undefined || state.number <= found.start.number ? 'refuted' : fitOf(state, found);
    if (state !== undefined && fits !== 'refuted') list.push({ state, source, isProven: fits === 'proven' });
  };
  offer(remembered, 'index');
  // Of a repair that was cut short.
  offer(await readBase(backend, found.last), 'base');
  for await (const { name } of backend.list(CHECKPOINTS)) {
    const state = await readStoredState(backend, name);
    if (state?.number === numberOfName(name)) offer(state, 'checkpoint');
  }
  return list.sort((a, b) => b.state.number - a.state.number || Number(b.isProven) - Number(a.isProven));
}

/** True if `state` is another one than the journal gives: what it knows is not in it. */
export function isRefuted(state: StoreState, found: Survey): boolean {
  if (state.number === 0) return false;
  return state.number <= found.start.number ? !covers(found.start, state) : fitOf(state, found) === 'refuted';
}

function fitOf(state: StoreState, { marks, last }: Survey): 'proven' | 'open' | 'refuted' {
  const own = marks.get(state.number)?.hash;
  const named = marks.get(state.number + 1)?.previous;
  if (state.hash !== null && (own === state.hash || named === state.hash)) return 'proven';
  if (own === undefined && named === undefined) return 'open';
  return state.number === last && state.hash === standInHash(state) ? 'open' : 'refuted';
}

/** Applies the entries after `from`; what does not follow is applied as far as it can be. */
export async function readOn(backend: Backend, found: Survey, from: StoreState): Promise<Reading> {
  let state = from;
  let isStrict = true;
  let doubtful = EMPTY_STATE;
  for (let number = from.number + 1; number <= found.last; number++) {
    const next = await readEntryIfWhole(backend, number);
    if (next === undefined || found.bad.has(number)) {
      isStrict = false;
      if (next !== undefined) doubtful = applyLoosely(doubtful, next);
      continue;
    }
    try {
      const after = { ...state, number: number - 1, hash: next.entry.previous };
      state = applyEntry(isStrict ? state : after, next.entry, next.hash);
    } catch (error) {
      if (!hasCode(error, 'corrupt-data')) throw error;
      isStrict = false;
      state = applyLoosely(state, next);
    }
  }
  return { state, isStrict, doubtful };
}

function applyLoosely(state: StoreState, { entry, hash }: NumberedEntry): StoreState {
  const refs = new Map(state.refs);
  const packs = new Map<PackId, PackRecord>(state.packs);
  const condemned = new Set(state.condemned);
  for (const { name, to } of entry.refs) {
    if (to === null) refs.delete(name);
    else refs.set(name, to);
  }
  for (const pack of entry.packs) packs.set(pack.id, pack);
  for (const id of entry.condemned) if (packs.has(id)) condemned.add(id);
  for (const id of entry.swept) {
    condemned.delete(id);
    packs.delete(id);
  }
  const grafts = new Map([...state.grafts, ...(Object.entries(entry.grafts) as [never, never][])]);
  return { number: entry.number, hash, refs, packs, condemned, grafts };
}

/** What an entry must say to lead from one state to another. */
export function difference(
  from: StoreState,
  to: StoreState,
): Pick<JournalEntry, 'refs' | 'packs' | 'condemned' | 'swept' | 'grafts'> {
  const names = new Set([...from.refs.keys(), ...to.refs.keys()]);
  const swept = [...from.packs.keys()].filter((id) => !to.packs.has(id));
  const condemned = [...to.condemned, ...swept].filter((id) => !from.condemned.has(id));
  return {
    refs: [...names]
      .map((name) => ({ name, from: from.refs.get(name) ?? null, to: to.refs.get(name) ?? null }))
      .filter((change) => change.from !== change.to),
    packs: [...to.packs.values()].filter(({ id }) => !from.packs.has(id)),
    condemned,
    swept,
    grafts: Object.fromEntries([...to.grafts].filter(([child, parent]) => from.grafts.get(child) !== parent)),
  };
}
