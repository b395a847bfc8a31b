/**
 * The store as gc sees it: the journal replayed from its first entry (or from a base, where a repair made one), never the
 * index or a checkpoint, and with what the
 * folded state forgets: when packs were condemned, which were swept, where each workspace's HEAD went last.
 */
import { hasCode, SnapError } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { PackId } from '../object/pack-id.ts';
import { snapshotOfRef } from '../object/ref-name.ts';
import type { StoreState } from '../object/store-state.ts';
import { applyEntries, EMPTY_STATE, encodeState } from '../object/store-state.ts';
import { headAfter, readHead } from '../repo/head.ts';
import type { NumberedEntry } from '../repo/journal.ts';
import { readEntriesAfter, readEntry, readEntryIfWhole } from '../repo/journal.ts';
import { newestBase } from '../repo/journal-base.ts';
import { damageOf, tooShort } from '../repo/known-state.ts';
import type { Repository } from '../repo/repository.ts';

const FOLD_ENTRIES = 256;

export class StoreView {
  readonly #repository: Repository;
  #state: StoreState = EMPTY_STATE;
  /** When each pack was condemned last, as the entry says. */
  readonly condemnedAt = new Map<PackId, Date>();
  readonly swept = new Set<PackId>();
  /** The entry in which a snapshot got its ref. */
  readonly sequence = new Map<BlobId, number>();
  /** By workspace: the snapshot its HEAD moved to last, as the journal knows. */
  readonly heads = new Map<string, BlobId>();

  /** Snapshots whose refs an undo removed, and when, as the entry says. */
  readonly undone = new Map<BlobId, Date>();

  private constructor(repository: Repository) {
    this.#repository = repository;
  }

  /** Replays the journal. Throws `corrupt-data` if it is damaged, or if this process was told another state by its index. */
  static async read(repository: Repository): Promise<StoreView> {
    const view = new StoreView(repository);
    const { disk } = repository.environment;
    const seen = Math.max(repository.state().number, readHead(disk, repository.folder).journalNumber);
    await view.refresh();
    if (view.state.number < seen) throw damageOf(await endOf(repository, view.state, seen), view.state.number);
    const known = repository.state();
    if (known.number !== view.state.number || !encodeState(known).equals(encodeState(view.state))) {
      throw new SnapError('corrupt-data', 'the index or a checkpoint has another state than the journal gives', {
        hint: 'Run `snap reindex`, then `snap verify`. Nothing was removed.',
      });
    }
    return view;
  }

  get state(): StoreState {
    return this.#state;
  }

  /** Reads on to what is now the end of the journal, as the repository does; returns how many entries there were. */
  async refresh(): Promise<number> {
    await this.#repository.refresh();
    const last = this.#repository.state().number;
    let count = 0;
    for (;;) {
      try {
        const batch = await this.#nextBatch(last);
        if (batch.length === 0) {
          const passed = this.#state.number < last ? await this.#takeBase() : undefined;
          if (passed === undefined) return count;
          count += passed;
          continue;
        }
        this.#state = applyEntries(this.#state, batch);
        for (const { entry } of batch) this.#note(entry);
        count += batch.length;
      } catch (error) {
        if (!hasCode(error, 'corrupt-data')) throw error;
        const passed = await this.#takeBase();
        if (passed === undefined) throw error;
        count += passed;
      }
    }
  }

  /** Goes on from a base; entries before it that can be read still say where each HEAD went. */
  async #takeBase(): Promise<number | undefined> {
    const { backend } = this.#repository;
    const { number, hash } = this.#state;
    const base = await newestBase(backend, number);
    if (base === undefined || (base.number === number && base.hash === hash)) return undefined;
    for (let passed = number + 1; passed <= base.number; passed++) {
      const found = await readEntryIfWhole(backend, passed);
      if (found !== undefined) this.#note(found.entry);
    }
    // When is not known any more: long ago.
    for (const id of base.condemned) if (!this.condemnedAt.has(id)) this.condemnedAt.set(id, new Date(0));
    this.#state = base;
    return base.number - number;
  }

  async #nextBatch(last: number): Promise<NumberedEntry[]> {
    const batch: NumberedEntry[] = [];
    while (batch.length < FOLD_ENTRIES && this.#state.number + batch.length < last) {
      const next = await readEntry(this.#repository.backend, this.#state.number + 1 + batch.length);
      if (next === undefined) break;
      batch.push(next);
    }
    return batch;
  }

  #note(entry: NumberedEntry['entry']): void {
    const time = new Date(entry.time);
    for (const id of entry.condemned) this.condemnedAt.set(id, time);
    for (const id of entry.swept) {
      this.condemnedAt.delete(id);
      this.swept.add(id);
    }
    for (const { name, to } of entry.refs) {
      const snapshot = snapshotOfRef(name);
      if (snapshot === undefined) continue;
      if (to !== null) this.sequence.set(snapshot, entry.number);
      if (to === null && entry.operation === 'undo') this.undone.set(snapshot, time);
      else this.undone.delete(snapshot);
    }
    if (entry.operation === 'repair')
      for (const [workspace, before] of this.heads) {
        const now = headAfter(before, entry, workspace);
        if (now === null) this.heads.delete(workspace);
        else this.heads.set(workspace, now);
      }
    if (entry.workspace !== null && entry.head !== null) {
      if (entry.head.to === null) this.heads.delete(entry.workspace);
      else this.heads.set(entry.workspace, entry.head.to);
    }
  }
}

/** Bytes of the packs of a state, or of `some` of them. */
export function packBytesOf(state: StoreState, some?: Iterable<PackId>): number {
  const counted = some === undefined ? undefined : new Set(some);
  let bytes = 0;
  for (const [id, pack] of state.packs) if (counted?.has(id) ?? true) bytes += pack.size;
  return bytes;
}

/** Why the journal cannot be read as far as `seen`: an entry is missing before others, or its end is. */
async function endOf({ backend }: Repository, state: StoreState, seen: number): Promise<SnapError> {
  try {
    await readEntriesAfter(backend, state);
    return tooShort(state.number, seen);
  } catch (error) {
    if (!hasCode(error, 'corrupt-data')) throw error;
    return error;
  }
}
