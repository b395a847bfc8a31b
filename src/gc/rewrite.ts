/**
 * Moves the live blobs of packs into new packs. Each block is read and decoded once, each live blob hashed before it is
 * packed again, and each new pack read back and hashed before anybody relies on it. A pack with a live blob that
 * cannot be read stays as it is.
 */
import { release } from '../bytes/release.ts';
import type { CompressionLevel } from '../compress/block-codec.ts';
import type { Zstd } from '../compress/zstd.ts';
import { loadZstd } from '../compress/zstd.ts';
import { BLOB_KIND, blobIdOf } from '../object/blob-id.ts';
import type { PackRecord } from '../object/journal-entry.ts';
import type { PackId } from '../object/pack-id.ts';
import type { FooterBlock, PackFooter } from '../pack/pack-format.ts';
import type { BitSet } from '../repo/bit-set.ts';
import { BlobWriter } from '../repo/blob-writer.ts';
import { Gathering } from '../repo/gathering.ts';
import { readTableBlock } from '../repo/mark.ts';
import type { PackTable } from '../repo/pack-table.ts';
import { readBack } from '../repo/read-back.ts';
import type { Repository } from '../repo/repository.ts';
import { textSetting } from '../repo/settings.ts';
import type { Workers } from '../work/start-workers.ts';
import type { PackUse } from './plan-condemn.ts';

export interface Rewritten {
  readonly packs: readonly { readonly record: PackRecord; readonly footer: PackFooter }[];
  /** Packs that could not be emptied, with the first reason. */
  readonly failed: ReadonlyMap<PackId, string>;
}

export interface RewriteOptions {
  readonly repository: Repository;
  readonly workers: Workers;
  readonly table: PackTable;
  readonly marked: BitSet;
  readonly sources: readonly PackUse[];
  /** Packs that stay: what they hold need not be written again. */
  readonly staying: ReadonlySet<PackId>;
  readonly signal: AbortSignal | undefined;
  readonly progress: (bytesDone: number, bytesTotal: number) => void;
}

export async function rewritePacks(options: RewriteOptions): Promise<Rewritten> {
  const { repository, workers, table } = options;
  const { environment, backend } = repository;
  if (options.sources.length === 0) return { packs: [], failed: new Map() };
  const level = (textSetting(repository.settings, 'commit.compression') as CompressionLevel | undefined) ?? 'balanced';
  const blocks = new Map<PackId, FooterBlock[]>();
  const writer = new BlobWriter({
    environment,
    backend,
    workers,
    isKnown: () => false,
    level,
    packBytes: repository.config.packBytes,
    placed: (pack, block) => {
      const before = blocks.get(pack);
      if (before === undefined) blocks.set(pack, [block]);
      else before.push(block);
    },
  });
  const failed = new Map<PackId, string>();
  const mover = new Mover(options, writer, await loadZstd());
  const total = options.sources.reduce((sum, use) => sum + use.liveBytes, 0);
  const sources = new Map(options.sources.map((use) => [use.pack, use]));
  let done = 0;
  try {
    for (const [place, pack] of table.packs.entries()) {
      const use = sources.get(pack);
      if (use === undefined) continue;
      const reason = await mover.movePack(place);
      if (reason !== undefined) failed.set(pack.id, reason);
      done += use.liveBytes;
      options.progress(done, total);
    }
    mover.flush();
    const records = await writer.finish();
    // The only other copy of these blobs is about to go.
    for (const record of records) await readBack(backend, record);
    const packs = records.map((record) => ({ record, footer: { blocks: blocks.get(record.id) ?? [] } }));
    return { packs, failed };
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

class Mover {
  readonly #options: RewriteOptions;
  readonly #writer: BlobWriter;
  readonly #zstd: Zstd;
  readonly #blocksOfPack = new Map<number, { number: number; first: number; count: number }[]>();
  readonly #data: Gathering;
  readonly #metadata: Gathering;

  constructor(options: RewriteOptions, writer: BlobWriter, zstd: Zstd) {
    this.#options = options;
    this.#writer = writer;
    this.#zstd = zstd;
    this.#data = new Gathering(writer);
    this.#metadata = new Gathering(writer);
    for (const [number, { pack, first, count }] of options.table.blocks.entries()) {
      const blocks = this.#blocksOfPack.get(pack);
      if (blocks === undefined) this.#blocksOfPack.set(pack, [{ number, first, count }]);
      else blocks.push({ number, first, count });
    }
  }

  /** Returns why not all live blobs of the pack could be moved, if so. */
  async movePack(place: number): Promise<string | undefined> {
    const { table } = this.#options;
    for (const { number: blockNumber, first, count } of this.#blocksOfPack.get(place) ?? []) {
      this.#options.signal?.throwIfAborted();
      const live: number[] = [];
      for (let number = first; number < first + count; number++) if (this.#mustMove(number)) live.push(number);
      if (live.length === 0) continue;
      await this.#writer.ready();
      const raw = await this.#read(blockNumber, live);
      if (typeof raw === 'string') return raw;
      for (const number of live) {
        const kind = table.kindOf(number);
        const bytes = raw.subarray(table.offsetOf(number), table.offsetOf(number) + table.lengthOf(number));
        if (this.#writer.claim(kind, table.idOf(number)))
          (kind === BLOB_KIND.data ? this.#data : this.#metadata).add(kind, table.idOf(number), bytes);
      }
      release(raw);
    }
    return undefined;
  }

  flush(): void {
    this.#data.flush();
    this.#metadata.flush();
  }

  /** A block whose live blobs are all what they should be, or why not; a bad one is read twice. */
  async #read(block: number, live: readonly number[]): Promise<Uint8Array | string> {
    const { table, repository } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const raw = await readTableBlock(repository.backend, this.#zstd, table, block);
      const bad =
        typeof raw === 'string'
          ? raw
          : live.some((number) => !isWhole(table, number, raw))
            ? 'the bytes of a blob are not what was stored'
            : undefined;
      if (bad === undefined || attempt > 1) return bad ?? raw;
    }
  }

  /** Needed, and in no pack that stays. */
  #mustMove(number: number): boolean {
    const { table, marked, staying } = this.#options;
    if (!marked.has(number)) return false;
    for (let copy = table.nextCopy(number); copy >= 0; copy = table.nextCopy(copy))
      if (staying.has(table.packOf(copy).id)) return false;
    return true;
  }
}

function isWhole(table: PackTable, number: number, raw: Uint8Array): boolean {
  const bytes = raw.subarray(table.offsetOf(number), table.offsetOf(number) + table.lengthOf(number));
  return blobIdOf(bytes) === table.idOf(number);
}
