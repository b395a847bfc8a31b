/**
 * The structure of a store: every pack is there with its size and a readable footer, every blob that a snapshot needs
 * lies in one, every tree and list decodes by all rules of its format, and the index says what the footers say.
 */
import type { BlobIndex } from '../index/blob-index.ts';
import { BLOB_KIND } from '../object/blob-id.ts';
import type { StoreState } from '../object/store-state.ts';
import { packName } from '../repo/layout.ts';
import { Marker } from '../repo/mark.ts';
import type { PackTable } from '../repo/pack-table.ts';
import { readPackTable } from '../repo/read-pack-table.ts';
import type { Repository } from '../repo/repository.ts';
import type { Faults } from './faults.ts';
import { FormatRules } from './format-rules.ts';

export interface StructureCheck {
  readonly packs: number;
  readonly packBytes: number;
  /** Blobs in packs, with those that lie in several counted for each. */
  readonly blobs: number;
  /** Blobs that snapshots need, by kind. */
  readonly needed: {
    readonly snapshots: number;
    readonly trees: number;
    readonly lists: number;
    readonly data: number;
  };
  /** Undefined where the index is not LevelDB. `missing` costs time only; `wrong` are faults. */
  readonly index: { readonly blobs: number; readonly missing: number; readonly wrong: number } | undefined;
}

/** Lookups between two looks at what else is to be done. */
const LOOKUPS_BETWEEN_WAITS = 2000;

export async function checkStructure(
  repository: Repository,
  state: StoreState,
  faults: Faults,
  signal: AbortSignal | undefined,
): Promise<StructureCheck> {
  const { backend } = repository;
  let packBytes = 0;
  const unreadable = new Set<string>();
  for (const pack of state.packs.values()) {
    packBytes += pack.size;
    const size = await backend.size(packName(pack.id));
    if (size === pack.size) continue;
    unreadable.add(pack.id);
    faults.add({
      what: 'pack',
      pack: pack.id,
      offset: 0,
      reason:
        size === undefined ? 'it is missing from the store' : `it has ${size} bytes where ${pack.size} were written`,
    });
  }
  const table = await readPackTable(backend, state, (pack, error) => {
    unreadable.add(pack);
    faults.add({ what: 'pack', pack, offset: 0, reason: error.message });
  });
  for (const pack of table.packs) {
    const expected = state.packs.get(pack.id)?.blobs;
    if (pack.count !== expected)
      faults.add({
        what: 'pack',
        pack: pack.id,
        offset: 0,
        reason: `its footer lists ${pack.count} blobs where the journal says ${expected}`,
      });
  }
  const rules = new FormatRules(table, (number, reason) =>
    faults.add({
      what: 'blob',
      reason,
      blob: { kind: table.kindOf(number), id: table.idOf(number) },
      pack: table.packOf(number).id,
      offset: table.blockOf(number).offset,
    }),
  );
  const marker = new Marker({
    backend,
    table,
    signal,
    fault: ({ kind, id, place, reason }) => faults.add({ what: 'blob', reason, blob: { kind, id }, ...place }),
    visit: (kind, number, bytes) => rules.take(kind, number, bytes),
  });
  await marker.mark(new Set(state.refs.values()));
  await rules.finish(marker);
  const index =
    repository.index.kind === 'level' ? await compareIndex(repository.index, table, faults, signal) : undefined;
  return { packs: state.packs.size, packBytes, blobs: table.size, needed: countNeeded(marker), index };
}

function countNeeded({ table, marked }: Marker): StructureCheck['needed'] {
  const counts = { snapshots: 0, trees: 0, lists: 0, data: 0 };
  for (let number = 0; number < table.size; number++) {
    if (!marked.has(number)) continue;
    const kind = table.kindOf(number);
    if (kind === BLOB_KIND.data) counts.data++;
    else if (kind === BLOB_KIND.chunkList) counts.lists++;
    else if (kind === BLOB_KIND.tree) counts.trees++;
    else counts.snapshots++;
  }
  return counts;
}

async function compareIndex(
  index: BlobIndex,
  table: PackTable,
  faults: Faults,
  signal: AbortSignal | undefined,
): Promise<NonNullable<StructureCheck['index']>> {
  const counts = { blobs: 0, missing: 0, wrong: 0 };
  for (const kind of Object.values(BLOB_KIND)) {
    // In the order of the keys: three times as fast as in the order of the packs.
    for (const number of table.inIdOrder(kind)) {
      if (counts.blobs++ % LOOKUPS_BETWEEN_WAITS === 0) {
        signal?.throwIfAborted();
        await new Promise(setImmediate);
      }
      const location = index.find(kind, table.idOf(number));
      if (location === undefined) counts.missing++;
      else if (!table.hasCopyAt(number, location)) {
        counts.wrong++;
        faults.add({
          what: 'index',
          reason: `it places the blob ${table.idOf(number)} where it is not`,
          pack: location.pack,
          offset: location.blockOffset,
        });
      }
    }
  }
  return counts;
}
