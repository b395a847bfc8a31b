/**
 * Mends a damaged journal. What the state is now is found out first (journal-survey.ts, journal-adopt.ts). Where entries
 * are damaged or missing, a base stands for all entries up to the last one; then one entry goes on from there. Where only
 * the end is lost, or the journal is another one than was seen, an entry says what is to be added. SPEC.md "Repair".
 */

import { ensureFolder, folderOf, syncFolder } from '../disk/files.ts';
import { describing, hasCode } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { PackId } from '../object/pack-id.ts';
import type { RefName } from '../object/ref-name.ts';
import { snapshotOfRef } from '../object/ref-name.ts';
import type { StoreState } from '../object/store-state.ts';
import { applyEntry, EMPTY_STATE, hasSnapshot } from '../object/store-state.ts';
import type { EntryDraft } from '../repo/journal.ts';
import { appendEntry, encodeCheckpoint, readEntryIfWhole } from '../repo/journal.ts';
import { isStandIn, newestBase, standInHash } from '../repo/journal-base.ts';
import { baseName, JOURNAL, journalName, numberOfName, QUARANTINE } from '../repo/layout.ts';
import type { Repository } from '../repo/repository.ts';
import { adopt, type Knowledge } from './journal-adopt.ts';
import type { Candidate, Source, Survey } from './journal-survey.ts';
import { candidates, difference, isRefuted, readOn, survey } from './journal-survey.ts';
import { Overtaken } from './publish.ts';
import { quarantine, removeFirstName } from './quarantine.ts';

/** What is or would be done for the journal. */
export interface JournalMend {
  readonly source: Source;
  /** Entries up to this one are replaced by a base; undefined if all of them stay. */
  readonly base: number | undefined;
  /** The state is surely what it was: nothing was guessed. */
  readonly isExact: boolean;
  /** Packs and snapshots that no readable entry names and that are there again. */
  readonly packs: readonly PackId[];
  readonly snapshots: readonly BlobId[];
  readonly tags: readonly RefName[];
  /** The snapshot that HEAD was at, if no entry and no pack has it. */
  readonly absentHead: BlobId | undefined;
  /** Nearest ancestors of snapshots that no ref names: they were pruned, or are lost. */
  readonly absentParents: readonly BlobId[];
  /** Where damaged entries are now. */
  readonly quarantined: readonly string[];
  readonly entry: number | undefined;
}

export interface MendPlan {
  readonly source: Source;
  readonly isExact: boolean;
  /** What the next entry follows: the fold of the journal, or a base that is to be written. */
  readonly on: StoreState;
  readonly isBase: boolean;
  readonly wanted: StoreState;
  /** What the readable entries say, to compare. */
  readonly read: StoreState;
  readonly absentHead: BlobId | undefined;
  /** Names of damaged entries. */
  readonly damaged: readonly string[];
}

/** Changes nothing. Undefined if a person has to make an entry readable first. */
export async function planMend(repository: Repository, signal: AbortSignal | undefined): Promise<MendPlan | undefined> {
  const { backend, index } = repository;
  let found: Survey;
  try {
    found = await survey(backend);
  } catch (error) {
    if (hasCode(error, 'permission')) return undefined;
    throw error;
  }
  // Without an index on disk it holds what was made of the journal.
  const remembered = index.kind === 'level' ? index.state : EMPTY_STATE;
  const [best, ...others] = await candidates(backend, found, remembered);
  if (best === undefined) return undefined;
  const reading = await readOn(backend, found, best.state);
  const knowledge: Knowledge[] = [];
  if (reading.doubtful.number > 0) knowledge.push({ state: reading.doubtful, isTrusted: false });
  if (isRefuted(remembered, found)) knowledge.push({ state: remembered, isTrusted: true });
  const head = repository.head();
  // HEAD is a witness, too: of an end that is lost, it has seen the same entry as the index.
  const isWitnessed = head.journalNumber === best.state.number && head.journalHash === best.state.hash;
  if (!best.isProven && !isWitnessed)
    knowledge.push({ state: await withoutOpen(backend, found, others), isTrusted: false });
  const isKnown = reading.isStrict && reading.state.number >= head.journalNumber && !isOther(head, found);
  const wanted = await adopt(reading.state, {
    backend,
    knowledge,
    scan: !isKnown || knowledge.some(({ isTrusted }) => isTrusted),
    swept: found.swept,
    removed: found.removed,
    head: head.snapshot,
    signal,
  });
  const { state: fold, stumblesAt } = await soundFold(repository, found);
  const sound = fold !== undefined && agreeOnPacks(fold, wanted) ? fold : undefined;
  const damaged = new Set([...found.bad, ...(stumblesAt === undefined ? [] : [stumblesAt])]);
  const isSame = Object.values(difference(reading.state, wanted)).every((list) => Object.keys(list).length === 0);
  const isExact = isKnown && isSame && reading.state.number === found.last && !isStandIn(best.state);
  return {
    source: [...found.bad].every((number) => number <= best.state.number) ? best.source : 'journal',
    isExact: isKnown && isSame,
    on: sound ?? asBase(wanted, found.last, isExact),
    isBase: sound === undefined,
    wanted,
    read: (await readOn(backend, found, found.start)).state,
    absentHead: head.snapshot === null || hasSnapshot(wanted, head.snapshot) ? undefined : head.snapshot,
    damaged: [...damaged].map(journalName).filter((name) => isThere(repository, name)),
  };
}

/** The state by the newest candidate that the entries around it name. */
async function withoutOpen(
  backend: Repository['backend'],
  found: Survey,
  others: readonly Candidate[],
): Promise<StoreState> {
  const proven = others.find(({ isProven }) => isProven)?.state ?? found.start;
  return (await readOn(backend, found, proven)).state;
}

/** True if HEAD has seen another entry of its number. */
function isOther({ journalNumber, journalHash }: ReturnType<Repository['head']>, { marks }: Survey): boolean {
  const mark = marks.get(journalNumber);
  return journalHash !== undefined && mark !== undefined && mark.hash !== journalHash;
}

/** The fold of the journal if all of it can be read and follows; else the entry that is whole and does not follow, if it is one. */
async function soundFold(
  { backend }: Repository,
  { start, last, bad }: Survey,
): Promise<{ readonly state: StoreState | undefined; readonly stumblesAt: number | undefined }> {
  let state = start;
  while (state.number < last) {
    const next = await readEntryIfWhole(backend, state.number + 1);
    if (next === undefined) return { state: undefined, stumblesAt: undefined };
    try {
      state = applyEntry(state, next.entry, next.hash);
    } catch (error) {
      if (!hasCode(error, 'corrupt-data')) throw error;
      // After one that is damaged nothing follows: that is not this one's fault.
      const { number } = next.entry;
      return { state: undefined, stumblesAt: bad.has(number - 1) ? undefined : number };
    }
  }
  return { state, stumblesAt: undefined };
}

/** An altered entry may say something else of a pack than what is known of it; no later entry could put that right. */
function agreeOnPacks(fold: StoreState, wanted: StoreState): boolean {
  return [...fold.packs.values()].every(({ id, size, sha256, blobs }) => {
    const other = wanted.packs.get(id);
    return other === undefined || (other.size === size && other.sha256 === sha256 && other.blobs === blobs);
  });
}

function asBase(wanted: StoreState, number: number, isExact: boolean): StoreState {
  if (isExact) return wanted;
  const base = { ...wanted, number, hash: null };
  return { ...base, hash: standInHash(base) };
}

/** What is to be told of a plan. */
export function describeMend(plan: MendPlan): JournalMend {
  const { source, isExact, on, isBase, read, wanted, absentHead, damaged } = plan;
  const back = [...wanted.refs.keys()].filter((name) => !read.refs.has(name));
  return {
    source,
    isExact,
    base: isBase ? on.number : undefined,
    packs: [...wanted.packs.keys()].filter((id) => !read.packs.has(id)),
    snapshots: back.flatMap((name) => snapshotOfRef(name) ?? []),
    tags: back.filter((name) => snapshotOfRef(name) === undefined),
    absentHead,
    absentParents: [],
    quarantined: isBase ? damaged : [],
    entry: undefined,
  };
}

/** Does what was planned. Throws Overtaken if others published first. */
export async function mendJournal(repository: Repository, plan: MendPlan): Promise<JournalMend> {
  const { backend, environment } = repository;
  const { on, isBase, wanted } = plan;
  const seconds: string[] = [];
  if (isBase) {
    await writeBase(repository, on);
    for (const name of plan.damaged) seconds.push(...(isFolder(repository, name) ? [] : secondName(repository, name)));
  }
  const change = isBase ? difference(on, on) : difference(on, wanted);
  const isNeeded = isBase || Object.values(change).some((list) => Object.keys(list).length > 0);
  let state = on;
  if (isNeeded) {
    const result = await appendEntry(backend, environment, on, draftOf(repository, plan, change));
    if ('conflict' in result) throw new Overtaken();
    state = result.state;
  }
  if (isBase) for (const name of plan.damaged) seconds.push(...takeAway(repository, name));
  await repository.recover(state);
  return {
    ...describeMend(plan),
    quarantined: [...new Set(seconds)],
    entry: isNeeded ? state.number : undefined,
  };
}

/** A base of a repair that was cut short, and that nothing has come to rest on, goes into quarantine. */
async function writeBase(repository: Repository, base: StoreState): Promise<void> {
  const { backend } = repository;
  const name = baseName(base.number);
  const bytes = encodeCheckpoint(base);
  const before = await backend.get(name);
  if (before?.equals(bytes) === true) return;
  if (before !== undefined && quarantine(repository, name) !== undefined) removeFirstName(repository, name);
  await backend.putIfAbsent(name, bytes);
}

function draftOf(repository: Repository, plan: MendPlan, change: ReturnType<typeof difference>): EntryDraft {
  const { snapshot } = repository.head();
  // Gc of another workspace keeps what the journal knows as a HEAD.
  const isThere = snapshot !== null && hasSnapshot(plan.wanted, snapshot);
  return {
    operation: 'repair',
    note: plan.isBase
      ? `a base in place of the journal up to entry ${plan.on.number}`
      : 'what the journal had lost, from what was known of it',
    workspace: repository.workspaceId,
    head: isThere ? { from: snapshot, to: snapshot } : null,
    ...change,
  };
}

/** Entries that a repair has replaced and then, cut short, left in their places. Returns their names. */
export async function replacedEntries({ backend }: Repository): Promise<string[]> {
  const base = await newestBase(backend, 0);
  const names: string[] = [];
  for await (const { name } of backend.list(JOURNAL)) {
    const number = numberOfName(name);
    if (base === undefined || number === undefined || number > base.number) continue;
    if ((await readEntryIfWhole(backend, number)) === undefined) names.push(name);
  }
  return names;
}

/** Puts a damaged entry into quarantine; what took its place was published. */
export function takeAway(repository: Repository, name: string): string[] {
  if (isFolder(repository, name)) return [moveFolder(repository, name)];
  const second = secondName(repository, name);
  if (second.length > 0) removeFirstName(repository, name);
  return second;
}

function secondName(repository: Repository, name: string): string[] {
  const second = quarantine(repository, name);
  return second === undefined ? [] : [second];
}

function isThere({ backend, environment }: Repository, name: string): boolean {
  const path = backend.localPath(name);
  return path !== undefined && environment.disk.lstat(path) !== undefined;
}

function isFolder({ backend, environment }: Repository, name: string): boolean {
  const path = backend.localPath(name);
  return path !== undefined && environment.disk.lstat(path)?.isDirectory() === true;
}

/** A folder has no second name. */
function moveFolder({ backend, environment: { disk, uniqueName } }: Repository, name: string): string {
  const to = `${QUARANTINE}/${uniqueName()}-${name.slice(name.lastIndexOf('/') + 1)}`;
  const path = backend.changeablePath(name) ?? name;
  const target = backend.changeablePath(to) ?? to;
  describing('quarantining', path, () => {
    ensureFolder(disk, folderOf(target));
    disk.rename(path, target);
    syncFolder(disk, folderOf(path));
    syncFolder(disk, folderOf(target));
  });
  return to;
}
