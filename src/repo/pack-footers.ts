/** What packs say of themselves: their footers, one by one or as an index of all of them. */
import { SnapError } from '../errors.ts';
import { MemoryIndex } from '../index/memory-index.ts';
import type { PackId } from '../object/pack-id.ts';
import type { StoreState } from '../object/store-state.ts';
import type { PackFooter } from '../pack/pack-format.ts';
import { readFooter } from '../pack/pack-reader.ts';
import type { Backend } from '../storage/backend.ts';
import { readPackRange } from './read-pack.ts';

/** The footer of a pack, read with the size that the journal gives. */
export async function readPackFooter(backend: Backend, state: StoreState, pack: PackId): Promise<PackFooter> {
  const record = state.packs.get(pack);
  if (record === undefined) throw new SnapError('internal', `pack ${pack} is not in the journal`);
  return readFooter(pack, record.size, (offset, length) => readPackRange(backend, pack, { offset, length }));
}

/** An index of all readable packs of `state`; packs whose footer is damaged are left out. */
export async function indexFromFooters(
  backend: Backend,
  state: StoreState,
  damaged?: (pack: PackId, error: SnapError) => void,
): Promise<MemoryIndex> {
  const index = new MemoryIndex();
  for (const pack of state.packs.keys()) {
    try {
      index.addPack(pack, await readPackFooter(backend, state, pack));
    } catch (error) {
      if (!(error instanceof SnapError) || error.code !== 'corrupt-data') throw error;
      damaged?.(pack, error);
    }
  }
  await index.write({ state });
  return index;
}
