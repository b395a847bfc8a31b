/**
 * The journal of a store: the one commit point. Reading folds entries into a StoreState; `append` creates the next
 * entry with put-if-absent, which exactly one of several writers wins. SPEC.md "Journal".
 */
import { hasCode, isUnreadable, SnapError } from '../errors.ts';
import { blobIdOf } from '../object/blob-id.ts';
import type { JournalEntry } from '../object/journal-entry.ts';
import { decodeJournalEntry, encodeJournalEntry, journalEntryHash } from '../object/journal-entry.ts';
import type { StoreState } from '../object/store-state.ts';
import { applyEntry, decodeState, EMPTY_STATE, encodeState } from '../object/store-state.ts';
import type { Backend } from '../storage/backend.ts';
import type { Environment } from './environment.ts';
import { zonedTime } from './environment.ts';
import { CHECKPOINTS, checkpointName, JOURNAL, journalName, numberOfName } from './layout.ts';

/** A checkpoint follows each entry whose number is a multiple of this. */
export const CHECKPOINT_EVERY = 256;
const CHECKPOINT_HASH_BYTES = 65;
/** How far behind a missing entry a later one is looked for. */
const AHEAD: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64, 128, 256, 512, 1024];
/** Errors that say something of a file itself, not of what this process may open. */
const OF_THE_FILE: ReadonlySet<unknown> = new Set(['EIO', 'EISDIR', 'EACCES', 'EPERM', 'ELOOP']);

/** What a caller says of an entry; numbers, hashes and who and when are filled in. */
export type EntryDraft = Pick<JournalEntry, 'operation' | 'note'> &
  Partial<Pick<JournalEntry, 'workspace' | 'head' | 'refs' | 'grafts' | 'packs' | 'condemned' | 'swept' | 'undoes'>>;

export interface NumberedEntry {
  readonly entry: JournalEntry;
  readonly hash: string;
}

/**
 * Entry `number` with its hash, or undefined if it is missing. Throws `corrupt-data` with the number in the context, also
 * where the file is there and cannot be read.
 */
export async function readEntry(backend: Backend, number: number): Promise<NumberedEntry | undefined> {
  const bytes = await readEntryBytes(backend, number);
  if (bytes === undefined) return undefined;
  const hash = journalEntryHash(bytes);
  try {
    return { entry: decodeJournalEntry(bytes, number), hash };
  } catch (error) {
    // A flipped bit may make a later format, or an unknown operation, of what was none.
    const isDamage = hasCode(error, 'corrupt-data') || (await isAnotherThanNamed(backend, number, hash));
    if (!isDamage || !(error instanceof SnapError)) throw error;
    throw new SnapError('corrupt-data', error.message, { context: { ...error.context, entry: number }, cause: error });
  }
}

/** True if the next entry names another one. */
async function isAnotherThanNamed(backend: Backend, number: number, hash: string): Promise<boolean> {
  const next = await backend.get(journalName(number + 1));
  if (next === undefined) return false;
  try {
    return decodeJournalEntry(next, number + 1).previous !== hash;
  } catch {
    return false;
  }
}

/** All entries after `state`, in order. Throws `corrupt-data` where one is missing and a later one is in sight. */
export async function readEntriesAfter(backend: Backend, state: StoreState): Promise<NumberedEntry[]> {
  const entries: NumberedEntry[] = [];
  for (let number = state.number + 1; ; number++) {
    const next = await readEntry(backend, number);
    if (next !== undefined) entries.push(next);
    else if (!(await (state.number === 0 ? isBeforeLast : isPassed)(backend, number))) return entries;
    // Others may have published both in between.
    else if ((await backend.size(journalName(number))) === undefined) throw hole(number);
    else number--;
  }
}

/** True if a later entry is there. Costs as much as reading all entries. */
async function isBeforeLast(backend: Backend, number: number): Promise<boolean> {
  for await (const { name } of backend.list(JOURNAL)) if ((numberOfName(name) ?? 0) > number) return true;
  return false;
}

/** True if a later entry is in sight: then this number was taken, be its entry missing now. */
async function isPassed(backend: Backend, number: number): Promise<boolean> {
  for (const step of AHEAD) if ((await backend.size(journalName(number + step))) !== undefined) return true;
  return false;
}

/** As `readEntry`; undefined also for one that is damaged. For what can do without: a base may stand for it. */
export async function readEntryIfWhole(backend: Backend, number: number): Promise<NumberedEntry | undefined> {
  try {
    return await readEntry(backend, number);
  } catch (error) {
    if (!hasCode(error, 'corrupt-data')) throw error;
    return undefined;
  }
}

/**
 * Throws `corrupt-data` if entry `number` is not the one of this hash, which was seen before. The entry after it may say
 * so too, where it is itself missing or damaged.
 */
export async function requireSeen(backend: Backend, number: number, hash: string | null): Promise<void> {
  const own = await hashOfEntry(backend, number);
  if (own === hash) return;
  if ((await readEntryIfWhole(backend, number + 1))?.entry.previous === hash) return;
  throw new SnapError(
    'corrupt-data',
    own === undefined || (await readEntryIfWhole(backend, number)) === undefined
      ? `journal entry ${number} is missing or damaged, which this workspace has seen`
      : `the journal is not the one that this workspace has seen: entry ${number} is another one`,
    { context: { entry: number } },
  );
}

/** True if this is the state after the entry of its number. */
export async function isStateOf(backend: Backend, { number, hash }: StoreState): Promise<boolean> {
  try {
    await requireSeen(backend, number, hash);
    return true;
  } catch (error) {
    if (!hasCode(error, 'corrupt-data')) throw error;
    return false;
  }
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
  // Whoever does not see an entry that was lost must not take its number.
  const isLost = await isPassed(backend, entry.number);
  if (isLost || !(await create(backend, entry, bytes))) {
    const others = await readEntriesAfter(backend, state);
    if (others[0] === undefined)
      throw new SnapError('corrupt-data', `${journalName(entry.number)} of the store is there, and cannot be read`);
    if (others[0].entry.writer !== entry.writer) return { conflict: others };
  }
  if (entry.number % CHECKPOINT_EVERY === 0) await writeCheckpoint(backend, next);
  return { published, state: next };
}

/** Creates an entry; false if one of its number is there. After an error, what is there tells whether it was created. */
async function create(backend: Backend, { number, writer }: JournalEntry, bytes: Buffer): Promise<boolean> {
  try {
    return await backend.putIfAbsent(journalName(number), bytes);
  } catch (error) {
    if (!(error instanceof SnapError)) throw error;
    try {
      const there = await readEntry(backend, number);
      if (there === undefined) throw error;
      // For the storage to say that it is durable.
      const isOwn = there.entry.writer === writer;
      if (isOwn) await backend.putIfAbsent(journalName(number), bytes);
      return isOwn;
    } catch (second) {
      throw second === error ? error : unclear(number, error, second);
    }
  }
}

function unclear(number: number, { message }: SnapError, cause: unknown): SnapError {
  return new SnapError('io', `it is not known whether this was recorded, as journal entry ${number}: ${message}`, {
    hint: 'When the store can be read and written again, look at `snap op log`: if it is not there, run the command again.',
    context: { entry: number },
    cause,
  });
}

async function hashOfEntry(backend: Backend, number: number): Promise<string | undefined> {
  try {
    const bytes = await readEntryBytes(backend, number);
    return bytes === undefined ? undefined : journalEntryHash(bytes);
  } catch (error) {
    if (!hasCode(error, 'corrupt-data')) throw error;
    return undefined;
  }
}

/** The bytes of an entry. A file that is there and cannot be read is damage, as one with wrong bytes is. */
async function readEntryBytes(backend: Backend, number: number): Promise<Buffer | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await backend.get(journalName(number));
    } catch (error) {
      if (!hasCode(error, 'io', 'permission') || !OF_THE_FILE.has(error.context.errno)) throw error;
      if (attempt < 2) continue;
      // Where not even its folder can be looked into, it is not the entry that is wrong.
      await backend.size(journalName(number));
      throw new SnapError('corrupt-data', `journal entry ${number} cannot be read: ${error.message}`, {
        hint: error.hint ?? 'Look at the disk of the store.',
        context: { entry: number },
        cause: error,
      });
    }
  }
}

/** The error for an entry that is missing before later ones. */
export function hole(number: number): SnapError {
  return new SnapError('corrupt-data', `journal entry ${number} is missing, and a later one is there`, {
    context: { entry: number },
  });
}

/** Checkpoints are derived: one that cannot be read, or that is of another journal, is passed over. */
export async function newestCheckpoint(backend: Backend): Promise<StoreState> {
  const numbers: number[] = [];
  for await (const object of backend.list(CHECKPOINTS)) {
    const number = numberOfName(object.name);
    if (number !== undefined) numbers.push(number);
  }
  for (const number of numbers.sort((a, b) => b - a)) {
    const state = await readStoredState(backend, checkpointName(number));
    if (state !== undefined && state.number === number && (await isStateOf(backend, state))) return state;
  }
  return EMPTY_STATE;
}

/** A checkpoint is the state, preceded by its SHA-256 in hex and a newline. */
export function encodeCheckpoint(state: StoreState): Buffer {
  const body = encodeState(state);
  return Buffer.concat([Buffer.from(`${blobIdOf(body)}\n`), body]);
}

/** The state in a checkpoint or a base; undefined for one that is missing, damaged, of another version, or lost by the disk. */
export async function readStoredState(backend: Backend, name: string): Promise<StoreState | undefined> {
  try {
    const bytes = await backend.get(name);
    return bytes === undefined ? undefined : decodeCheckpoint(bytes);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return undefined;
  }
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

/** Of an entry that is recorded: without its checkpoint reading takes longer, and nothing has failed. */
async function writeCheckpoint(backend: Backend, state: StoreState): Promise<void> {
  const old = state.number - 2 * CHECKPOINT_EVERY;
  try {
    await backend.putIfAbsent(checkpointName(state.number), encodeCheckpoint(state));
    if (old > 0) await backend.remove(checkpointName(old));
  } catch (error) {
    if (!(error instanceof SnapError)) throw error;
  }
}
