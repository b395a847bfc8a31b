/**
 * The journal of a store: the one commit point. Reading folds entries into a StoreState; `append` creates the next
 * entry with put-if-absent, which exactly one of several writers wins. SPEC.md "Journal".
 */
import { SnapError } from '../errors.ts';
import { blobIdOf } from '../object/blob-id.ts';
import type { JournalEntry } from '../object/journal-entry.ts';
import { decodeJournalEntry, encodeJournalEntry, journalEntryHash } from '../object/journal-entry.ts';
import type { StoreState } from '../object/store-state.ts';
import { applyEntries, applyEntry, decodeState, EMPTY_STATE, encodeState } from '../object/store-state.ts';
import type { Backend } from '../storage/backend.ts';
import type { Environment } from './environment.ts';
import { zonedTime } from './environment.ts';
import { CHECKPOINTS, checkpointName, journalName, numberOfName } from './layout.ts';

/** A checkpoint follows each entry whose number is a multiple of this. */
export const CHECKPOINT_EVERY = 256;
const CHECKPOINT_HASH_BYTES = 65;

/** What a caller says of an entry; numbers, hashes and who and when are filled in. */
export type EntryDraft = Pick<JournalEntry, 'operation' | 'note'> &
  Partial<Pick<JournalEntry, 'workspace' | 'head' | 'refs' | 'grafts' | 'packs' | 'condemned' | 'swept' | 'undoes'>>;

export interface NumberedEntry {
  readonly entry: JournalEntry;
  readonly hash: string;
}

/** Entry `number` with its hash, or undefined if the journal ends before it. */
export async function readEntry(backend: Backend, number: number): Promise<NumberedEntry | undefined> {
  const bytes = await backend.get(journalName(number));
  if (bytes === undefined) return undefined;
  return { entry: decodeJournalEntry(bytes, number), hash: journalEntryHash(bytes) };
}

/** All entries after `state`, in order. */
export async function readEntriesAfter(backend: Backend, state: StoreState): Promise<NumberedEntry[]> {
  const entries: NumberedEntry[] = [];
  for (let number = state.number + 1; ; number++) {
    const next = await readEntry(backend, number);
    if (next === undefined) return entries;
    entries.push(next);
  }
}

/** The newest state: from `known` if that is a prefix of this journal, else from the newest checkpoint, else from the start. */
export async function readState(
  backend: Backend,
  known: StoreState = EMPTY_STATE,
): Promise<{ state: StoreState; from: StoreState; entries: NumberedEntry[] }> {
  const from = (await isPrefix(backend, known)) ? known : await newestCheckpoint(backend);
  const entries = await readEntriesAfter(backend, from);
  return { state: applyEntries(from, entries), from, entries };
}

/** Replays the whole journal from entry 1, without checkpoints: for verify, gc and rebuilding. */
export async function replayJournal(backend: Backend): Promise<{ state: StoreState; entries: NumberedEntry[] }> {
  const entries = await readEntriesAfter(backend, EMPTY_STATE);
  return { state: applyEntries(EMPTY_STATE, entries), entries };
}

/**
 * Publishes `draft` as the entry after `state`. Returns the new state, or `conflict` with the entries that others
 * published first: the caller checks itself against them and tries again.
 */
export async function appendEntry(
  backend: Backend,
  environment: Environment,
  state: StoreState,
  draft: EntryDraft,
): Promise<{ published: NumberedEntry; state: StoreState } | { conflict: NumberedEntry[] }> {
  const entry: JournalEntry = {
    number: state.number + 1,
    previous: state.hash,
    workspace: null,
    head: null,
    refs: [],
    grafts: {},
    packs: [],
    condemned: [],
    swept: [],
    undoes: null,
    writer: environment.uniqueName(),
    time: zonedTime(environment, environment.now()),
    host: environment.host,
    user: environment.user,
    program: environment.program,
    ...draft,
  };
  const bytes = encodeJournalEntry(entry);
  const published = { entry, hash: journalEntryHash(bytes) };
  const next = applyEntry(state, entry, published.hash);
  if (!(await backend.putIfAbsent(journalName(entry.number), bytes))) {
    const others = await readEntriesAfter(backend, state);
    if (others[0] === undefined)
      throw new SnapError('corrupt-data', `${journalName(entry.number)} of the store is there, and cannot be read`);
    if (others[0].entry.writer !== entry.writer) return { conflict: others };
  }
  if (entry.number % CHECKPOINT_EVERY === 0) await writeCheckpoint(backend, next);
  return { published, state: next };
}

async function isPrefix(backend: Backend, known: StoreState): Promise<boolean> {
  if (known.number === 0) return false;
  const bytes = await backend.get(journalName(known.number));
  return bytes !== undefined && journalEntryHash(bytes) === known.hash;
}

/** Checkpoints are derived: one that cannot be read, or that is of another journal, is passed over. */
export async function newestCheckpoint(backend: Backend): Promise<StoreState> {
  const numbers: number[] = [];
  for await (const object of backend.list(CHECKPOINTS)) {
    const number = numberOfName(object.name);
    if (number !== undefined) numbers.push(number);
  }
  for (const number of numbers.sort((a, b) => b - a)) {
    const bytes = await backend.get(checkpointName(number));
    const state = bytes === undefined ? undefined : decodeCheckpoint(bytes);
    if (state !== undefined && state.number === number && (await isPrefix(backend, state))) return state;
  }
  return EMPTY_STATE;
}

/** A checkpoint is the state, preceded by its SHA-256 in hex and a newline. */
export function encodeCheckpoint(state: StoreState): Buffer {
  const body = encodeState(state);
  return Buffer.concat([Buffer.from(`${blobIdOf(body)}\n`), body]);
}

/** Undefined for one that is damaged or of another version: checkpoints are derived. */
export function decodeCheckpoint(bytes: Buffer): StoreState | undefined {
  const body = bytes.subarray(CHECKPOINT_HASH_BYTES);
  if (bytes.toString('latin1', 0, CHECKPOINT_HASH_BYTES) !== `${blobIdOf(body)}\n`) return undefined;
  try {
    return decodeState(body);
  } catch (error) {
    if (error instanceof SnapError) return undefined;
    throw error;
  }
}

async function writeCheckpoint(backend: Backend, state: StoreState): Promise<void> {
  await backend.putIfAbsent(checkpointName(state.number), encodeCheckpoint(state));
  const old = state.number - 2 * CHECKPOINT_EVERY;
  if (old > 0) await backend.remove(checkpointName(old));
}
