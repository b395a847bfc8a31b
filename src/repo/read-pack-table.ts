/** Reads the table of all packs of a state from their footers. */
import type { SnapError } from '../errors.ts';
import { hasCode } from '../errors.ts';
import type { PackId } from '../object/pack-id.ts';
import type { StoreState } from '../object/store-state.ts';
import type { PackFooter } from '../pack/pack-format.ts';
import type { Backend } from '../storage/backend.ts';
import { packName } from './layout.ts';
import { readPackFooter } from './pack-footers.ts';
import { PackTable } from './pack-table.ts';

/** A blob takes at least this much of a footer: bounds what a false count in the journal makes us allocate. */
const FOOTER_BLOB_BYTES_MIN = 34;

/**
 * The table of all packs of `state`, in the order in which the journal added them, those that are not condemned first:
 * so the chosen copy of a blob is in a pack that stays, if there is one. Packs whose footer cannot be read are given
 * to `damaged`, after a second try; other failures throw.
 */
export async function readPackTable(
  backend: Backend,
  state: StoreState,
  damaged: (pack: PackId, error: SnapError) => void,
): Promise<PackTable> {
  let expected = 0;
  for (const pack of state.packs.values())
    expected += Math.min(
      pack.blobs,
      Math.ceil(Math.min(pack.size, (await backend.size(packName(pack.id))) ?? 0) / FOOTER_BLOB_BYTES_MIN),
    );
  const table = new PackTable(expected);
  for (const condemned of [false, true]) {
    for (const pack of state.packs.values()) {
      if (state.condemned.has(pack.id) !== condemned) continue;
      const footer = await readFooterTwice(backend, state, pack.id, damaged);
      if (footer !== undefined) table.addPack(pack.id, pack.size, footer);
    }
  }
  return table;
}

async function readFooterTwice(
  backend: Backend,
  state: StoreState,
  pack: PackId,
  damaged: (pack: PackId, error: SnapError) => void,
): Promise<PackFooter | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await readPackFooter(backend, state, pack);
    } catch (error) {
      if (!hasCode(error, 'corrupt-data', 'unsupported-format')) throw error;
      if (attempt < 2) continue;
      damaged(pack, error);
      return undefined;
    }
  }
}
