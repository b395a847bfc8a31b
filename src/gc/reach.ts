/**
 * What of a store is needed: the table of its packs with the marks of all refs. Made from journal and packs only. A
 * pack that cannot be read is left alone, whatever it holds; a needed blob that no readable pack has stops gc.
 */
import type { SnapError } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { PackId } from '../object/pack-id.ts';
import type { StoreState } from '../object/store-state.ts';
import { Marker } from '../repo/mark.ts';
import type { PackTable } from '../repo/pack-table.ts';
import { readPackTable } from '../repo/read-pack-table.ts';
import type { Repository } from '../repo/repository.ts';
import type { Backend } from '../storage/backend.ts';
import type { StoreView } from './store-view.ts';

export interface Reach {
  readonly state: StoreState;
  readonly table: PackTable;
  readonly marker: Marker;
  /** Packs whose footer cannot be read. */
  readonly damaged: ReadonlyMap<PackId, SnapError>;
}

/** How long gc leaves alone what an undo took the ref of: so long the undo can be undone. */
const UNDONE_MS = 7 * 24 * 3_600_000;

/**
 * Marks what `roots` need, and what is still there of what `spared` need. Throws `corrupt-data` if anything for `roots`
 * cannot be found, or any tree or list of it not be read.
 */
async function markReach(
  backend: Backend,
  state: StoreState,
  roots: Iterable<BlobId>,
  spared: Iterable<BlobId>,
  signal: AbortSignal | undefined,
): Promise<Reach> {
  const damaged = new Map<PackId, SnapError>();
  const table = await readPackTable(backend, state, (pack, error) => damaged.set(pack, error));
  const marker = new Marker({ backend, table, signal });
  await marker.mark(roots);
  await marker.markReadable(spared);
  return { state, table, marker, damaged };
}

/** The snapshots that refs of a state name, without those in `without`. */
export function rootsOf(state: StoreState, without: ReadonlySet<BlobId> = new Set()): Set<BlobId> {
  const roots = new Set<BlobId>();
  for (const id of state.refs.values()) if (!without.has(id)) roots.add(id);
  return roots;
}

/** As `markReach`, of all that refs name now, with what undos of the last days took the refs of unless nothing is spared. */
export function markNeeded(
  { backend, environment }: Repository,
  view: StoreView,
  { now, signal }: { readonly now: boolean; readonly signal: AbortSignal | undefined },
  without: ReadonlySet<BlobId> = new Set(),
): Promise<Reach> {
  const spared = undoneLately(view, environment.now(), now);
  return markReach(backend, view.state, rootsOf(view.state, without), spared, signal);
}

/** Snapshots that lost their refs to an undo of the last days, by the times of the entries; none for a gc that spares nothing. */
function undoneLately(view: StoreView, now: Date, sparesNothing: boolean): BlobId[] {
  if (sparesNothing) return [];
  return [...view.undone].filter(([, time]) => now.getTime() - time.getTime() < UNDONE_MS).map(([id]) => id);
}
