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
import { PACK_BYTES_MAX, parsePackId } from '../object/pack-id.ts';
import type { RefName } from '../object/ref-name.ts';
import { snapshotOfRef, snapshotRef } from '../object/ref-name.ts';
import type { StoreState } from '../object/store-state.ts';
import { blobIn, openBlock } from '../pack/block.ts';
import { BLOCK_HEADER_BYTES } from '../pack/pack-format.ts';
import { readFooter } from '../pack/pack-reader.ts';
import { PACKS, packName } from '../repo/layout.ts';
import { Marker } from '../repo/mark.ts';
import type { PackTable } from '../repo/pack-table.ts';
import { hashOf, readPack, readPackRange } from '../repo/read-pack.ts';
import { readPackTable } from '../repo/read-pack-table.ts';
import type { TreeReader } from '../repo/tree-reader.ts';
import { treeReader } from '../repo/tree-reader.ts';
import type { Backend } from '../storage/backend.ts';
import type { Source } from './source.ts';
import { openSource, TableReader, withSources } from './source.ts';

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
  const known = new Map(knowledge.flatMap(({ state }) => [...state.packs]));
  const sources: Source[] = [];
  if (options.scan || knowledge.some(({ isTrusted }) => !isTrusted))
    for await (const { pack, source } of unnamedPacks(options, packs)) {
      if (!options.scan && (source !== undefined || !known.has(pack.id))) continue;
      packs.set(pack.id, source === undefined ? pack : (known.get(pack.id) ?? pack));
      if (source !== undefined) sources.push(source);
    }
  if (options.scan) await correctSizes(backend, packs);
  const table = await tableWith(backend, { ...to, packs }, sources);
  const view = withSources(backend, sources);
  const isWhole = (id: BlobId): Promise<boolean> => isWholeSnapshot({ ...options, backend: view }, table, id);

  const found: [RefName, BlobId, boolean][] = [];
  for (const { state, isTrusted } of knowledge)
    for (const [name, id] of state.refs) found.push([name, id, isTrusted && !removed.has(name)]);
  // Also in packs that are named: gc may have copied it there. In those that only a lost entry named it may be damaged.
  const unsure = new Set<BlobId>();
  const listed = new Map(sources.map((source) => [source.id, source.listed]));
  if (options.scan)
    for (const { id, pack } of snapshotsIn(table)) {
      if (listed.get(pack)?.has(id) === false) unsure.add(id);
      else found.push([snapshotRef(id), id, !to.packs.has(pack) && !removed.has(snapshotRef(id))]);
    }
  if (head !== null && unsure.has(head)) found.push([snapshotRef(head), head, true]);
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
  const isLost = (id: BlobId): boolean => unsure.has(id) && !removed.has(snapshotRef(id));
  if (unsure.size > 0) {
    const trees = treeReader(new TableReader(view, table));
    for (const id of (await parentsOf({ refs, grafts }, trees, isLost)).back) refs.set(snapshotRef(id), id);
  }
  return { ...to, packs, refs, grafts };
}

/** Nearest ancestors, by parents and grafts, that no ref names: `back` those that are there all the same. */
export async function parentsOf(
  { refs, grafts }: Pick<StoreState, 'refs' | 'grafts'>,
  trees: TreeReader,
  isThere: (id: BlobId) => boolean,
): Promise<{ readonly back: readonly BlobId[]; readonly absent: readonly BlobId[] }> {
  const back = new Set<BlobId>();
  const absent = new Set<BlobId>();
  const open = [...refs].flatMap(([name, id]) => (snapshotOfRef(name) === undefined ? [] : [id]));
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    try {
      let { parent } = await trees.snapshot(id);
      const passed = new Set<BlobId>();
      for (let next = parent; next !== null && !passed.has(next); next = grafts.get(next) ?? null) {
        parent = next;
        passed.add(next);
      }
      if (parent === null || back.has(parent) || refs.has(snapshotRef(parent))) continue;
      if (!isThere(parent)) absent.add(parent);
      else {
        back.add(parent);
        open.push(parent);
      }
    } catch (error) {
      // It is lost itself, and that is told of it.
      if (!hasCode(error, 'corrupt-data', 'unsupported-format')) throw error;
    }
  }
  return { back: [...back], absent: [...absent] };
}

/** What an altered entry says of a pack keeps nobody from reading one that is whole. */
async function correctSizes(backend: Backend, packs: Map<PackId, PackRecord>): Promise<void> {
  let zstd: Zstd | undefined;
  for (const [id, { size }] of packs) {
    const there = await backend.size(packName(id));
    if (there === undefined || there === size) continue;
    zstd ??= await loadZstd();
    const whole = await wholePack(backend, zstd, id);
    if (whole !== undefined) packs.set(id, whole);
  }
}

/** The table of the packs of `state`, of the sources what can be read; a pack without its footer becomes a source. */
async function tableWith(backend: Backend, state: StoreState, sources: Source[]): Promise<PackTable> {
  const damaged = new Set(sources.map(({ id }) => id));
  const packs = new Map([...state.packs].filter(([id]) => !damaged.has(id)));
  const cut: PackId[] = [];
  const table = await readPackTable(backend, { ...state, packs }, (id) => cut.push(id));
  for (const id of cut) {
    const source = await openSource(backend, await loadZstd(), id, packName(id));
    if (source !== undefined) sources.push(source);
  }
  for (const { id, size, blocks } of sources) table.addPack(id, size, { blocks });
  return table;
}

/** Packs that `named` does not have. `source`: what can be read of one of which not every byte is right. */
async function* unnamedPacks(
  { backend, swept, signal }: AdoptOptions,
  named: ReadonlyMap<PackId, PackRecord>,
): AsyncGenerator<{ readonly pack: PackRecord; readonly source: Source | undefined }> {
  const zstd = await loadZstd();
  const names: string[] = [];
  for await (const { name } of backend.list(PACKS)) names.push(name);
  for (const name of names) {
    const digits = /^packs\/[0-9a-f]{2}\/([0-9a-f]{32})\.pack$/.exec(name)?.[1];
    if (digits === undefined) continue;
    const id = parsePackId(digits, 'pack name');
    if (named.has(id) || swept.has(id)) continue;
    signal?.throwIfAborted();
    const pack = await wholePack(backend, zstd, id);
    if (pack !== undefined) yield { pack, source: undefined };
    else {
      const source = await openSource(backend, zstd, id, name);
      if (source !== undefined) yield { pack: recordOf(source), source };
    }
  }
}

/** What is said of a damaged pack that nobody knows anything of: by its bytes as they are, it is damaged. */
function recordOf({ id, size, blocks }: Source): PackRecord {
  const blobs = blocks.reduce((sum, block) => sum + block.blobs.length, 0);
  return { id, size, sha256: createHash('sha256').update(id).digest('hex'), blobs };
}

async function wholePack(backend: Backend, zstd: Zstd, id: PackId): Promise<PackRecord | undefined> {
  try {
    const size = await backend.size(packName(id));
    if (size === undefined || size > PACK_BYTES_MAX) return undefined;
    const read = (offset: number, length: number): Promise<Buffer> => readPackRange(backend, id, { offset, length });
    const { blocks } = await readFooter(id, size, read);
    let blobs = 0;
    for (const block of blocks) {
      const bytes = await read(block.offset, BLOCK_HEADER_BYTES + block.storedLength);
      const { raw } = openBlock(zstd, bytes, `pack ${id}`);
      let offset = 0;
      for (const blob of block.blobs) {
        blobIn(raw, offset, blob, `pack ${id}`);
        offset += blob.length;
        blobs++;
      }
    }
    const sha256 = await hashOf(size, (range) => readPack(backend, id, range));
    return sha256 === undefined ? undefined : { id, size, sha256, blobs };
  } catch (error) {
    if (!hasCode(error, 'corrupt-data', 'unsupported-format')) throw error;
    return undefined;
  }
}

function* snapshotsIn(table: PackTable): Generator<{ readonly id: BlobId; readonly pack: PackId }> {
  for (const { id: pack, first, count } of table.packs)
    for (let number = first; number < first + count; number++)
      if (table.kindOf(number) === BLOB_KIND.snapshot) yield { id: table.idOf(number), pack };
}

/** Every tree and list of it can be read, every chunk is in a pack. */
async function isWholeSnapshot({ backend, signal }: AdoptOptions, table: PackTable, id: BlobId): Promise<boolean> {
  let isWhole = true;
  const marker = new Marker({ backend, table, signal, fault: () => (isWhole = false) });
  await marker.mark([id]);
  return isWhole;
}
