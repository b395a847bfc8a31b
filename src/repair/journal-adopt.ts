/**
 * What entries that are lost may have said, found out from what they left behind: packs that no entry names, and the
 * snapshots in them; and what another state of the store knew.
 */
import { createHash } from 'node:crypto';
import type { Zstd } from '../compress/zstd.ts';
import { loadZstd } from '../compress/zstd.ts';
import { hasCode } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import { BLOB_KIND } from '../object/blob-id.ts';
import type { PackRecord } from '../object/journal-entry.ts';
import type { PackId } from '../object/pack-id.ts';
import { parsePackId } from '../object/pack-id.ts';
import type { RefName } from '../object/ref-name.ts';
import { snapshotOfRef, snapshotRef } from '../object/ref-name.ts';
import type { StoreState } from '../object/store-state.ts';
import { blobIn, openBlock } from '../pack/block.ts';
import { BLOCK_HEADER_BYTES } from '../pack/pack-format.ts';
import { readFooter } from '../pack/pack-reader.ts';
import { PACKS, packName } from '../repo/layout.ts';
import { Marker } from '../repo/mark.ts';
import type { PackTable } from '../repo/pack-table.ts';
import { readPackTable } from '../repo/read-pack-table.ts';
import type { Backend } from '../storage/backend.ts';

export interface Knowledge {
  readonly state: StoreState;
  /** It was the state once: what it has and no readable entry took out is taken over, be it damaged. Else only what is whole. */
  readonly isTrusted: boolean;
}

export interface AdoptOptions {
  readonly backend: Backend;
  readonly knowledge: readonly Knowledge[];
  /** Look at the packs that no entry names. */
  readonly scan: boolean;
  readonly swept: ReadonlySet<PackId>;
  readonly removed: ReadonlySet<RefName>;
  /** Where the workspace's HEAD is. */
  readonly head: BlobId | null;
  readonly signal: AbortSignal | undefined;
}

/** `to` with all that is found beside it. */
export async function adopt(to: StoreState, options: AdoptOptions): Promise<StoreState> {
  const { backend, knowledge, swept, removed, head } = options;
  const packs = new Map(to.packs);
  const refs = new Map(to.refs);
  const grafts = new Map(to.grafts);
  for (const { state, isTrusted } of knowledge)
    for (const pack of state.packs.values())
      if (isTrusted && !swept.has(pack.id) && !packs.has(pack.id)) packs.set(pack.id, pack);
  const whole = options.scan || knowledge.some(({ isTrusted }) => !isTrusted) ? await unnamedPacks(options, packs) : [];
  const named = new Set(knowledge.flatMap(({ state }) => [...state.packs.keys()]));
  for (const pack of whole) if (options.scan || named.has(pack.id)) packs.set(pack.id, pack);
  if (options.scan) await correctSizes(backend, packs);
  const table = await readPackTable(backend, { ...to, packs }, () => undefined);
  const isWhole = (id: BlobId): Promise<boolean> => isWholeSnapshot(options, table, id);

  const found: [RefName, BlobId, boolean][] = [];
  for (const { state, isTrusted } of knowledge)
    for (const [name, id] of state.refs) found.push([name, id, isTrusted && !removed.has(name)]);
  // Also in packs that are named: gc may have copied it there.
  if (options.scan) for (const id of snapshotsIn(table)) found.push([snapshotRef(id), id, false]);
  if (head !== null && !refs.has(snapshotRef(head)) && (await isWhole(head))) refs.set(snapshotRef(head), head);
  for (const [name, id, isSure] of found) {
    // An altered entry may give a snapshot another name. One that was pruned may have come back by what is lost.
    if (refs.has(name) || snapshotOfRef(name) !== id) continue;
    if (isSure || (await isWhole(id))) refs.set(name, id);
  }
  for (const [name, id] of found)
    if (snapshotOfRef(name) === undefined && !refs.has(name) && refs.has(snapshotRef(id))) refs.set(name, id);
  for (const { state } of knowledge)
    for (const [child, parent] of state.grafts)
      if (!grafts.has(child) && !refs.has(snapshotRef(child))) grafts.set(child, parent);
  // A tag whose removal is lost may name what was pruned since.
  for (const [name, id] of [...refs]) {
    if (snapshotOfRef(name) !== undefined || refs.has(snapshotRef(id))) continue;
    if (await isWhole(id)) refs.set(snapshotRef(id), id);
    else refs.delete(name);
  }
  return { ...to, packs, refs, grafts };
}

/** What an altered entry says of a pack keeps nobody from reading one that is whole. */
async function correctSizes(backend: Backend, packs: Map<PackId, PackRecord>): Promise<void> {
  let zstd: Zstd | undefined;
  for (const [id, { size }] of packs) {
    const there = await backend.size(packName(id));
    if (there === undefined || there === size) continue;
    zstd ??= await loadZstd();
    const whole = await wholePack(backend, zstd, id, packName(id));
    if (whole !== undefined) packs.set(id, whole);
  }
}

/** Packs that `named` does not have and of which every byte is right. */
async function unnamedPacks(
  { backend, swept, signal }: AdoptOptions,
  named: ReadonlyMap<PackId, PackRecord>,
): Promise<PackRecord[]> {
  const zstd = await loadZstd();
  const packs: PackRecord[] = [];
  for await (const { name } of backend.list(PACKS)) {
    const digits = /^packs\/[0-9a-f]{2}\/([0-9a-f]{32})\.pack$/.exec(name)?.[1];
    if (digits === undefined) continue;
    const id = parsePackId(digits, 'pack name');
    if (named.has(id) || swept.has(id)) continue;
    signal?.throwIfAborted();
    const pack = await wholePack(backend, zstd, id, name);
    if (pack !== undefined) packs.push(pack);
  }
  return packs;
}

async function wholePack(backend: Backend, zstd: Zstd, id: PackId, name: string): Promise<PackRecord | undefined> {
  try {
    const bytes = await backend.get(name);
    if (bytes === undefined) return undefined;
    const read = async (offset: number, length: number): Promise<Buffer> => bytes.subarray(offset, offset + length);
    const { blocks } = await readFooter(id, bytes.length, read);
    let blobs = 0;
    for (const block of blocks) {
      const end = block.offset + BLOCK_HEADER_BYTES + block.storedLength;
      const { raw } = openBlock(zstd, bytes.subarray(block.offset, end), `pack ${id}`);
      let offset = 0;
      for (const blob of block.blobs) {
        blobIn(raw, offset, blob, `pack ${id}`);
        offset += blob.length;
        blobs++;
      }
    }
    return { id, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex'), blobs };
  } catch (error) {
    if (!hasCode(error, 'corrupt-data', 'unsupported-format', 'io')) throw error;
    return undefined;
  }
}

function* snapshotsIn(table: PackTable): Generator<BlobId> {
  for (let number = 0; number < table.size; number++)
    if (table.kindOf(number) === BLOB_KIND.snapshot) yield table.idOf(number);
}

/** Every tree and list of it can be read, every chunk is in a pack. */
async function isWholeSnapshot({ backend, signal }: AdoptOptions, table: PackTable, id: BlobId): Promise<boolean> {
  let isWhole = true;
  const marker = new Marker({ backend, table, signal, fault: () => (isWhole = false) });
  await marker.mark([id]);
  return isWhole;
}
