/** What a workspace does when it finds that the journal has gone on: its index and its HEAD follow. */

import { hasCode } from '../errors.ts';
import type { BlobIndex } from '../index/blob-index.ts';
import type { PackId } from '../object/pack-id.ts';
import type { StoreState } from '../object/store-state.ts';
import { hasSnapshot } from '../object/store-state.ts';
import type { PackFooter } from '../pack/pack-format.ts';
import type { Backend } from '../storage/backend.ts';
import type { Environment } from './environment.ts';
import type { Head } from './head.ts';
import { headAfter, readHead, writeHead } from './head.ts';
import type { NumberedEntry } from './journal.ts';
import { readEntryIfWhole } from './journal.ts';
import { isReadOnly } from './open-index.ts';
import { readPackFooter } from './pack-footers.ts';

/** HEAD's journal number is written anew once others published this many entries. */
const HEAD_LAG_MAX = 64;

/** Footers are held until they list this many blobs: some 250 bytes each. */
const BLOBS_AT_ONCE = 65_536;

/**
 * Brings an index up to `state`: blobs of packs that were added, out with those that were swept. The state comes last, so
 * that an index that was cut off before claims nothing that it lacks.
 */
export async function catchUp(
  backend: Backend,
  index: BlobIndex,
  from: StoreState,
  entries: readonly NumberedEntry[],
  state: StoreState,
): Promise<void> {
  if (index.state.number === state.number && index.state.hash === state.hash) return;
  const followed = index.state.number === from.number && index.state.hash === from.hash;
  const added = followed ? entries.flatMap(({ entry }) => entry.packs.map((pack) => pack.id)) : [...state.packs.keys()];
  let packs: { id: PackId; footer: PackFooter }[] = [];
  let blobs = 0;
  for (const id of added) {
    if (!state.packs.has(id)) continue;
    try {
      const footer = await readPackFooter(backend, state, id);
      packs.push({ id, footer });
      for (const block of footer.blocks) blobs += block.blobs.length;
    } catch (error) {
      // A damaged pack costs the blobs in it, not the command: who needs one of them gets the error.
      if (!hasCode(error, 'corrupt-data')) throw error;
    }
    if (blobs < BLOBS_AT_ONCE) continue;
    await index.write({ packs });
    packs = [];
    blobs = 0;
  }
  const removedPacks = followed ? entries.flatMap(({ entry }) => entry.swept) : [];
  await index.write({ packs, removedPacks, state });
}

/**
 * A commit that died between its journal entry and HEAD is finished here. A snapshot that never was, as a flipped bit of
 * HEAD gives, is found again from the whole journal, as if the file were missing.
 */
export async function catchUpHead(
  environment: Environment,
  folder: string,
  workspaceId: string,
  backend: Backend,
  state: StoreState,
): Promise<Head> {
  const head = readHead(environment.disk, folder);
  let { snapshot } = head;
  const isKnown = snapshot === null || hasSnapshot(state, snapshot) || state.grafts.has(snapshot);
  for (let number = isKnown ? head.journalNumber + 1 : 1; number <= state.number; number++) {
    const next = await readEntryIfWhole(backend, number);
    if (next !== undefined) snapshot = headAfter(snapshot, next.entry, workspaceId);
  }
  const isNewer = state.number >= head.journalNumber;
  const caughtUp = {
    snapshot,
    journalNumber: isNewer ? state.number : head.journalNumber,
    journalHash: isNewer ? (state.hash ?? undefined) : head.journalHash,
  };
  if (head.isDamaged || snapshot !== head.snapshot || state.number - head.journalNumber > HEAD_LAG_MAX)
    whereWritable(() => writeHead(environment.disk, folder, caughtUp, environment.uniqueName()));
  return caughtUp;
}

/** Housekeeping that a workspace can do without which is read-only, or on a full disk: commands work there too. */
export function whereWritable(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!isReadOnly(error) && !hasCode(error, 'no-space')) throw error;
  }
}
