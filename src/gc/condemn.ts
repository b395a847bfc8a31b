/**
 * Condemn: one journal entry that names the packs to go, and adds the new packs that hold what was live in them. Takes
 * nothing away yet. Commits that publish meanwhile do no harm: the sweep walks again.
 */
import type { PackId } from '../object/pack-id.ts';
import type { StoreState } from '../object/store-state.ts';
import type { NumberedEntry } from '../repo/journal.ts';
import { readPackFooter } from '../repo/pack-footers.ts';
import type { Repository } from '../repo/repository.ts';
import type { Backend } from '../storage/backend.ts';
import type { Workers } from '../work/start-workers.ts';
import type { CondemnPlan } from './plan-condemn.ts';
import { Raced } from './raced.ts';
import type { Reach } from './reach.ts';
import { rewritePacks } from './rewrite.ts';

export interface Condemned {
  readonly condemned: readonly PackId[];
  readonly rewrittenPacks: number;
  readonly newPacks: number;
  readonly failed: ReadonlyMap<PackId, string>;
}

export interface CondemnOptions {
  readonly repository: Repository;
  readonly workers: Workers;
  readonly signal: AbortSignal | undefined;
  readonly progress: (bytesDone: number, bytesTotal: number) => void;
}

/** Throws Raced if another gc published; the packs written here are then leftovers. */
export async function condemn(options: CondemnOptions, reach: Reach, plan: CondemnPlan): Promise<Condemned> {
  const { repository } = options;
  const { table, marker } = reach;
  const sources = [...plan.rewritten, ...plan.revived];
  const { packs, failed } = await rewritePacks({
    ...options,
    table,
    marked: marker.marked,
    sources,
    staying: new Set(plan.kept.map((use) => use.pack.id)),
  });
  const condemned = [...plan.dead, ...plan.rewritten].map((use) => use.pack.id).filter((id) => !failed.has(id));
  if (condemned.length > 0 || packs.length > 0) {
    options.signal?.throwIfAborted();
    const draft = {
      operation: 'condemn',
      note: `${condemned.length} packs, ${packs.length} new`,
      workspace: repository.workspaceId,
      packs: packs.map((pack) => pack.record),
      condemned,
    } as const;
    await repository.publish(
      draft,
      { packs: packs.map((pack) => ({ id: pack.record.id, footer: pack.footer })) },
      (others) => {
        if (others.some(isGc)) throw new Raced();
        return draft;
      },
    );
  }
  return { condemned, rewrittenPacks: plan.rewritten.length, newPacks: packs.length, failed };
}

/** Adds packs that came after the table was made, read back from the store. Throws `corrupt-data`. */
export async function extendTable(backend: Backend, reach: Reach, state: StoreState): Promise<Reach> {
  const known = new Set(reach.table.packs.map((pack) => pack.id));
  for (const pack of state.packs.values()) {
    if (known.has(pack.id) || reach.damaged.has(pack.id)) continue;
    reach.table.addPack(pack.id, pack.size, await readPackFooter(backend, state, pack.id));
  }
  return { ...reach, state };
}

function isGc({ entry }: NumberedEntry): boolean {
  return entry.condemned.length > 0 || entry.swept.length > 0;
}
