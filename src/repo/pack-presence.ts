/** Which packs of the journal are not in the store, or have another size: what only they hold counts as not stored. */
import type { PackId } from '../object/pack-id.ts';
import type { StoreState } from '../object/store-state.ts';
import type { Backend } from '../storage/backend.ts';
import { packName } from './layout.ts';

export async function missingPacks(backend: Backend, state: StoreState): Promise<Set<PackId>> {
  const missing = new Set<PackId>();
  for (const pack of state.packs.values())
    if ((await backend.size(packName(pack.id))) !== pack.size) missing.add(pack.id);
  return missing;
}
