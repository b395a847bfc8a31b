/**
 * The state of a store: the fold of all journal entries. Pure; applying the same entries always gives the same state.
 * Its canonical JSON is what checkpoints hold. SPEC.md "State and checkpoints".
 */
import type { Json } from '../bytes/canonical-json.ts';
import { decodeCanonicalJson, encodeCanonicalJson } from '../bytes/canonical-json.ts';
import { Fields } from '../bytes/fields.ts';
import { SnapError } from '../errors.ts';
import type { BlobId } from './blob-id.ts';
import { parseBlobId } from './blob-id.ts';
import type { JournalEntry, PackRecord } from './journal-entry.ts';
import { readPack } from './journal-entry.ts';
import type { PackId } from './pack-id.ts';
import { parsePackId } from './pack-id.ts';
import type { RefName } from './ref-name.ts';
import { parseRefName, snapshotRef } from './ref-name.ts';

export interface StoreState {
  /** The last entry applied and the SHA-256 of its bytes; 0 and null for an empty journal. */
  readonly number: number;
  readonly hash: string | null;
  readonly refs: ReadonlyMap<RefName, BlobId>;
  readonly packs: ReadonlyMap<PackId, PackRecord>;
  /** Packs that are in `packs` and wait to be swept. */
  readonly condemned: ReadonlySet<PackId>;
  /** Parents of pruned snapshots. */
  readonly grafts: ReadonlyMap<BlobId, BlobId>;
}

export const EMPTY_STATE: StoreState = {
  number: 0,
  hash: null,
  refs: new Map(),
  packs: new Map(),
  condemned: new Set(),
  grafts: new Map(),
};

/**
 * Applies the next entry, whose bytes hash to `hash`. Throws `corrupt-data` if it does not follow the state: number,
 * chain, a ref that was not as the entry says, a pack added twice or swept without being condemned.
 */
export function applyEntry(state: StoreState, entry: JournalEntry, hash: string): StoreState {
  return applyEntries(state, [{ entry, hash }]);
}

/** As `applyEntry`, for several in order; copies the state once. */
export function applyEntries(state: StoreState, entries: readonly { entry: JournalEntry; hash: string }[]): StoreState {
  const refs = new Map(state.refs);
  const packs = new Map(state.packs);
  const condemned = new Set(state.condemned);
  const grafts = new Map(state.grafts);
  let number = state.number;
  let last = state.hash;
  for (const { entry, hash } of entries) {
    if (entry.number !== number + 1) fault(entry, `it does not follow entry ${number}`);
    if (entry.previous !== last)
      fault(entry, 'it does not carry the hash of the entry before; the journal was altered or replaced');
    for (const change of entry.refs) {
      if ((refs.get(change.name) ?? null) !== change.from) fault(entry, `the ref ${change.name} was not what it says`);
      if (change.to === null) refs.delete(change.name);
      else refs.set(change.name, change.to);
    }
    for (const pack of entry.packs) {
      if (packs.has(pack.id)) fault(entry, `pack ${pack.id} is added twice`);
      packs.set(pack.id, pack);
    }
    for (const id of entry.condemned) {
      if (!packs.has(id)) fault(entry, `pack ${id} is condemned and not there`);
      condemned.add(id);
    }
    for (const id of entry.swept) {
      if (!condemned.delete(id)) fault(entry, `pack ${id} is swept and was not condemned`);
      packs.delete(id);
    }
    for (const [child, parent] of Object.entries(entry.grafts)) grafts.set(child as BlobId, parent as BlobId);
    number = entry.number;
    last = hash;
  }
  return { number, hash: last, refs, packs, condemned, grafts };
}

/** Whether any ref names it: its own, or, in stores of early versions, a tag alone. */
export function hasSnapshot({ refs }: Pick<StoreState, 'refs'>, id: BlobId): boolean {
  if (refs.has(snapshotRef(id))) return true;
  for (const to of refs.values()) if (to === id) return true;
  return false;
}

export function encodeState(state: StoreState): Buffer {
  return encodeCanonicalJson({
    condemned: [...state.condemned].sort(),
    format: 1,
    grafts: Object.fromEntries(state.grafts),
    hash: state.hash,
    number: state.number,
    packs: [...state.packs.values()].sort((a, b) => (a.id < b.id ? -1 : 1)).map((pack) => ({ ...pack })),
    refs: Object.fromEntries(state.refs),
  });
}

/** Decodes a checkpoint. Throws `corrupt-data` or `unsupported-format`. */
export function decodeState(bytes: Uint8Array): StoreState {
  const what = 'checkpoint';
  const fields = new Fields(decodeCanonicalJson(bytes, what), what);
  const format = fields.count('format');
  if (format !== 1) throw new SnapError('unsupported-format', `a checkpoint has the unknown format ${format}`);
  const packs = fields.list('packs').map((value: Json) => readPack(value, what));
  const state: StoreState = {
    number: fields.count('number'),
    hash: fields.textOrNull('hash'),
    refs: new Map(
      Object.entries(fields.textMap('refs')).map(([name, id]) => [parseRefName(name, what), parseBlobId(id, what)]),
    ),
    packs: new Map(packs.map((pack) => [pack.id, pack])),
    condemned: new Set(fields.texts('condemned').map((id) => parsePackId(id, what))),
    grafts: new Map(
      Object.entries(fields.textMap('grafts')).map(([child, parent]) => [
        parseBlobId(child, what),
        parseBlobId(parent, what),
      ]),
    ),
  };
  fields.done();
  if (!encodeState(state).equals(bytes)) fields.fail('packs');
  return state;
}

function fault(entry: JournalEntry, reason: string): never {
  throw new SnapError('corrupt-data', `journal entry ${entry.number} does not fit: ${reason}`, {
    hint: 'Run `snap verify` to see what is affected; do not run gc before this is understood.',
    context: { entry: entry.number },
  });
}
