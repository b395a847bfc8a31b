/**
 * What is wrong with the packs of a store and what can be done: which packs are damaged or missing, which needed blobs
 * no whole pack has, and where these are found instead. Decides from journal and packs; changes nothing.
 */
import type { Zstd } from '../compress/zstd.ts';
import { loadZstd } from '../compress/zstd.ts';
import { BlobTable } from '../index/blob-table.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import { BLOB_KIND } from '../object/blob-id.ts';
import type { PackId } from '../object/pack-id.ts';
import { parsePackId } from '../object/pack-id.ts';
import type { StoreState } from '../object/store-state.ts';
import type { BlobBytes } from '../pack/block.ts';
import type { BitSet } from '../repo/bit-set.ts';
import { PACKS, packName, QUARANTINE } from '../repo/layout.ts';
import { Marker } from '../repo/mark.ts';
import type { PackTable } from '../repo/pack-table.ts';
import { readPackTable } from '../repo/read-pack-table.ts';
import type { Repository } from '../repo/repository.ts';
import type { Backend } from '../storage/backend.ts';
import { BytesCheck } from '../verify/data-check.ts';
import { FormatRules } from '../verify/format-rules.ts';
import type { Workers } from '../work/start-workers.ts';
import type { ChunkTaker } from './recover.ts';
import { searchFolder, searchIndex } from './recover.ts';
import type { Source } from './source.ts';
import { memorySource, openSource, withSources } from './source.ts';

export interface BadPack {
  readonly reason: string;
  readonly isMissing: boolean;
}

/** A needed blob that no whole pack has, found elsewhere; `place` is a stored name, or a path of the live folder. */
export interface Recovered {
  readonly kind: BlobKind;
  readonly id: BlobId;
  readonly length: number;
  readonly from: 'store' | 'index' | 'folder';
  readonly place: string | undefined;
}

export interface Analysis {
  readonly state: StoreState;
  readonly bad: ReadonlyMap<PackId, BadPack>;
  readonly sources: readonly Source[];
  /** Whole packs, then the sources; `marked` is what refs need. */
  readonly table: PackTable;
  readonly marked: BitSet;
  /** Reads blocks of the table. */
  readonly view: Backend;
  /** From outside of damaged packs. */
  readonly recovered: readonly Recovered[];
  /** Needed, and found nowhere. */
  readonly lost: BlobTable;
}

export interface AnalysisOptions {
  readonly repository: Repository;
  readonly workers: Workers;
  readonly state: StoreState;
  readonly taker: ChunkTaker | undefined;
  readonly signal: AbortSignal | undefined;
  readonly progress: (step: 'check' | 'search', bytesDone: number, bytesTotal: number) => void;
}

/** What is in the folder may need more than was known to be lost when it was read first. */
const FOLDER_SEARCHES_MAX = 3;

export async function analyse(options: AnalysisOptions): Promise<Analysis> {
  const { repository, state } = options;
  const { backend, environment } = repository;
  const zstd = await loadZstd();
  const bad = await findBadPacks(options);
  const sources = await openBadPacks(backend, zstd, bad);
  const chunks = new Map<BlobId, { length: number; path: string }>();
  const memory: { readonly from: 'index' | 'folder'; readonly part: BlobBytes }[] = [];
  const newId = (): PackId => parsePackId(environment.uniqueName(), 'new pack');
  let hasSearchedStore = false;
  let folderSearches = 0;
  for (;;) {
    const marks = await mark(options, bad, sources, chunks);
    const isThere = (kind: BlobKind, id: BlobId): boolean => marks.table.findId(kind, id) >= 0;
    const { lost } = marks;
    const goOn = (from: 'index' | 'folder', parts: readonly BlobBytes[]): boolean => {
      if (parts.length === 0) return false;
      sources.push(memorySource(zstd, newId(), parts));
      for (const part of parts) memory.push({ from, part });
      return true;
    };
    if (lost.size > 0 && !hasSearchedStore) {
      hasSearchedStore = true;
      const more = await openOtherPacks(options, zstd, newId);
      sources.push(...more);
      if (more.length > 0) continue;
    }
    if (lost.size > 0 && goOn('index', searchIndex(repository, lost, isThere))) continue;
    if (lost.size > 0 && folderSearches++ < FOLDER_SEARCHES_MAX) {
      const progress = (bytesRead: number): void => options.progress('search', bytesRead, 0);
      const finds = await searchFolder({ ...options, lost, isThere, progress });
      for (const [id, chunk] of finds.chunks) chunks.set(id, chunk);
      if (goOn('folder', finds.metadata) || finds.chunks.size > 0) continue;
    }
    const recovered = [...fromOtherPacks(marks, bad, sources)];
    for (const { from, part } of memory) recovered.push({ ...part.blob, from, place: undefined });
    for (const [id, { length, path }] of chunks)
      recovered.push({ kind: BLOB_KIND.data, id, length, from: 'folder', place: path });
    return { state, bad, sources, ...marks, recovered };
  }
}

/** Reads every byte of every pack. */
async function findBadPacks(options: AnalysisOptions): Promise<Map<PackId, BadPack>> {
  const { repository, state } = options;
  const bad = new Map<PackId, BadPack>();
  const note = (id: PackId, reason: string, isMissing = false): void => {
    if (!bad.has(id)) bad.set(id, { reason, isMissing });
  };
  for (const { id } of state.packs.values())
    if ((await repository.backend.size(packName(id))) === undefined) note(id, 'it is missing from the store', true);
  const check = new BytesCheck({
    ...options,
    sample: undefined,
    paranoid: false,
    progress: (done, total) => options.progress('check', done, total),
  });
  const packs = new Map([...state.packs].filter(([id]) => !bad.has(id)));
  await check.check(
    { ...state, packs },
    { add: ({ pack, reason }) => (pack === undefined ? undefined : note(pack, reason)) },
  );
  for (const { id, count } of (await tableOf(options, bad)).packs) {
    const said = state.packs.get(id)?.blobs;
    if (count !== said) note(id, `its footer lists ${count} blobs where the journal says ${said}`);
  }
  return bad;
}

/** The table of the packs that are not bad. */
async function tableOf({ repository, state }: AnalysisOptions, bad: Map<PackId, BadPack>): Promise<PackTable> {
  const packs = new Map([...state.packs].filter(([id]) => !bad.has(id)));
  return readPackTable(repository.backend, { ...state, packs }, (id, error) =>
    bad.set(id, { reason: error.message, isMissing: false }),
  );
}

async function openBadPacks(backend: Backend, zstd: Zstd, bad: ReadonlyMap<PackId, BadPack>): Promise<Source[]> {
  const sources: Source[] = [];
  for (const [id, { isMissing }] of bad) {
    const source = isMissing ? undefined : await openSource(backend, zstd, id, packName(id));
    if (source !== undefined) sources.push(source);
  }
  return sources;
}

/** Packs that the journal does not name: of commands that died, and what was put into quarantine. */
async function openOtherPacks(options: AnalysisOptions, zstd: Zstd, newId: () => PackId): Promise<Source[]> {
  const { backend } = options.repository;
  const named = new Set([...options.state.packs.keys()].map(packName));
  const sources: Source[] = [];
  for (const folder of [QUARANTINE, PACKS]) {
    for await (const { name } of backend.list(folder)) {
      if (!name.endsWith('.pack') || named.has(name)) continue;
      const source = await openSource(backend, zstd, newId(), name);
      if (source !== undefined && source.blocks.length > 0) sources.push(source);
    }
  }
  return sources;
}

async function mark(
  options: AnalysisOptions,
  bad: Map<PackId, BadPack>,
  sources: readonly Source[],
  chunks: ReadonlyMap<BlobId, unknown>,
): Promise<Pick<Analysis, 'table' | 'marked' | 'view' | 'lost'>> {
  const table = await tableOf(options, bad);
  for (const { id, size, blocks } of sources) table.addPack(id, size, { blocks });
  const view = withSources(options.repository.backend, sources);
  const lost = new BlobTable();
  // Whoever wrote it otherwise, nobody can read it.
  const rules = new FormatRules(table, (number) => lost.add(table.kindOf(number), table.idOf(number)));
  const marker = new Marker({
    backend: view,
    table,
    signal: options.signal,
    fault: ({ kind, id }) => {
      if (kind !== BLOB_KIND.data || !chunks.has(id)) lost.add(kind, id);
    },
    visit: (kind, number, bytes) => rules.take(kind, number, bytes),
  });
  await marker.mark(new Set(options.state.refs.values()));
  await rules.finish(marker);
  return { table, marked: marker.marked, view, lost };
}

function* fromOtherPacks(
  { table, marked }: Pick<Analysis, 'table' | 'marked'>,
  bad: ReadonlyMap<PackId, BadPack>,
  sources: readonly Source[],
): Generator<Recovered> {
  const places = new Map(sources.map(({ id, from }) => [id, 'name' in from ? from.name : undefined]));
  for (const pack of table.packs) {
    const place = places.get(pack.id);
    if (place === undefined || bad.has(pack.id)) continue;
    for (let number = pack.first; number < pack.first + pack.count; number++)
      if (marked.has(number) && table.isChosen(number))
        yield {
          kind: table.kindOf(number),
          id: table.idOf(number),
          length: table.lengthOf(number),
          from: 'store',
          place,
        };
  }
}
