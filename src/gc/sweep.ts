/**
 * Sweep: publishes which condemned packs are gone, then removes their files. A condemned pack is swept only if every
 * needed blob of it also lies in a pack that stays and whose footer was read. The entry is published on the very state
 * that was walked; if anybody published before, the walk is done again. That alone makes it safe beside writers.
 */
import type { Duration } from '../bytes/quantity.ts';
import { subtractDuration } from '../bytes/quantity.ts';
import type { BlobIndex } from '../index/blob-index.ts';
import type { PackId } from '../object/pack-id.ts';
import { packName } from '../repo/layout.ts';
import { readPackFooter } from '../repo/pack-footers.ts';
import type { PackTable } from '../repo/pack-table.ts';
import type { Repository } from '../repo/repository.ts';
import { onNewestState, Raced } from './raced.ts';
import type { Reach } from './reach.ts';
import { markNeeded } from './reach.ts';
import type { StoreView } from './store-view.ts';
import { packBytesOf } from './store-view.ts';

export interface Swept {
  readonly packs: readonly PackId[];
  readonly bytes: number;
  /** Condemned packs that wait for their grace to pass, and those of which something is needed again. */
  readonly inGrace: readonly PackId[];
  readonly needed: readonly PackId[];
}

export interface SweepOptions {
  /** Undefined: none. */
  readonly grace: Duration | undefined;
  /** Spare nothing. */
  readonly now: boolean;
  readonly signal: AbortSignal | undefined;
}

/** `reach`: marks made on exactly the state of `view`, or undefined to walk afresh. */
export async function sweep(
  repository: Repository,
  view: StoreView,
  reach: Reach | undefined,
  options: SweepOptions,
): Promise<Swept> {
  return onNewestState(view, async () => {
    const { packs, inGrace } = dueForSweep(repository, view, options.grace);
    if (packs.size === 0) return { packs: [], bytes: 0, inGrace, needed: [] };
    const current = reach?.state.hash === view.state.hash ? reach : await markNeeded(repository, view, options);
    const needed = keepNeeded(current, packs);
    // What a pack that cannot be read holds is unknown: it stays.
    for (const id of current.damaged.keys()) packs.delete(id);
    const swept = [...packs];
    const bytes = packBytesOf(view.state, swept);
    if (swept.length === 0) return { packs: [], bytes: 0, inGrace, needed };
    options.signal?.throwIfAborted();
    await publishSweep(repository, current, swept);
    for (const id of swept) await repository.backend.remove(packName(id));
    await view.refresh();
    return { packs: swept, bytes, inGrace, needed };
  });
}

/** Publishes on the state that was walked, or throws Raced. */
async function publishSweep(repository: Repository, reach: Reach, swept: readonly PackId[]): Promise<void> {
  const { backend } = repository;
  const state = repository.state();
  if (state.number !== reach.state.number || state.hash !== reach.state.hash) throw new Raced();
  // The index may answer from the packs that go: tell it of the copies that stay.
  const packs = [];
  for (const id of holdersUnknownToIndex(repository.index, reach, new Set(swept)))
    packs.push({ id, footer: await readPackFooter(backend, state, id) });
  const draft = {
    operation: 'sweep',
    note: `${swept.length} packs`,
    workspace: repository.workspaceId,
    swept,
  } as const;
  await repository.publish(draft, { packs, removedPacks: swept }, () => {
    throw new Raced();
  });
}

function dueForSweep(
  repository: Repository,
  view: StoreView,
  grace: Duration | undefined,
): { packs: Set<PackId>; inGrace: PackId[] } {
  const limit = grace === undefined ? undefined : subtractDuration(repository.environment.now(), grace);
  const packs = new Set<PackId>();
  const inGrace: PackId[] = [];
  for (const id of view.state.condemned) {
    const since = view.condemnedAt.get(id);
    if (limit !== undefined && (since === undefined || since > limit)) inGrace.push(id);
    else packs.add(id);
  }
  return { packs, inGrace };
}

/** Takes those out of `packs` that hold the only staying copy of a needed blob, and returns them. */
function keepNeeded({ table, marker }: Reach, packs: Set<PackId>): PackId[] {
  const needed: PackId[] = [];
  for (const pack of table.packs) {
    for (let number = pack.first; packs.has(pack.id) && number < pack.first + pack.count; number++) {
      if (!marker.marked.has(number) || stayingCopy(table, number, packs) >= 0) continue;
      packs.delete(pack.id);
      needed.push(pack.id);
    }
  }
  return needed;
}

/** Packs that stay and hold needed blobs which the index looks for in packs that go. */
function holdersUnknownToIndex(index: BlobIndex, { table, marker }: Reach, packs: ReadonlySet<PackId>): Set<PackId> {
  const holders = new Set<PackId>();
  for (const pack of table.packs) {
    if (!packs.has(pack.id)) continue;
    for (let number = pack.first; number < pack.first + pack.count; number++) {
      const chosen = table.chosenOf(number);
      if (!marker.marked.has(chosen)) continue;
      const holder = table.packOf(stayingCopy(table, chosen, packs)).id;
      if (holders.has(holder)) continue;
      const known = index.find(table.kindOf(number), table.idOf(number));
      if (known === undefined || packs.has(known.pack)) holders.add(holder);
    }
  }
  return holders;
}

/** A copy of a blob, given its chosen one, in a pack that does not go; or -1. */
function stayingCopy(table: PackTable, chosen: number, going: ReadonlySet<PackId>): number {
  for (let copy = chosen; copy >= 0; copy = table.nextCopy(copy)) if (!going.has(table.packOf(copy).id)) return copy;
  return -1;
}
