/**
 * Where repair reads from: the packs that are whole, and others beside them that are read as far as they can be: damaged
 * packs, files that the journal does not name, blobs that were found elsewhere. All in one table, whole packs first, so
 * that the chosen copy of a blob is in a whole pack if there is one.
 */
import type { Zstd } from '../compress/zstd.ts';
import { loadZstd } from '../compress/zstd.ts';
import { isUnreadable, SnapError } from '../errors.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import { blobIdOf, blobKindName } from '../object/blob-id.ts';
import type { PackId } from '../object/pack-id.ts';
import { PACK_BYTES_MAX } from '../object/pack-id.ts';
import type { BlobBytes } from '../pack/block.ts';
import { BLOCK_RAW_BYTES_TARGET, sealBlock } from '../pack/block.ts';
import type { FooterBlock } from '../pack/pack-format.ts';
import { salvagePack } from '../pack/salvage.ts';
import { packName } from '../repo/layout.ts';
import { readTableBlock } from '../repo/mark.ts';
import type { PackTable } from '../repo/pack-table.ts';
import type { Backend } from '../storage/backend.ts';

export interface Source {
  /** The pack's own id, or a new one where it is not in the state. */
  readonly id: PackId;
  /** At most what a pack may have, however long its file is. */
  readonly size: number;
  readonly blocks: readonly FooterBlock[];
  readonly headers: ReadonlyMap<number, Buffer>;
  readonly spoilt: ReadonlySet<BlobId>;
  readonly listed: ReadonlySet<BlobId>;
  /** A stored object, or bytes in memory. */
  readonly from: { readonly name: string } | { readonly bytes: Buffer };
}

/** Where the disk fails, pieces of this size are tried, and of those that fail again, sectors. */
const PIECE_BYTES = 64 * 1024;
const SECTOR_BYTES = 4 * 1024;

/** What can be read of a stored pack; undefined if it is not there. */
export async function openSource(backend: Backend, zstd: Zstd, id: PackId, name: string): Promise<Source | undefined> {
  const fileSize = await backend.size(name);
  if (fileSize === undefined) return undefined;
  const size = Math.min(fileSize, PACK_BYTES_MAX);
  const read = (offset: number, length: number): Promise<Buffer> => readDespiteErrors(backend, name, offset, length);
  return { id, size, ...(await salvagePack(zstd, id, size, read)), from: { name } };
}

/** Blobs that were found outside of the store, as a pack in memory. */
export function memorySource(zstd: Zstd, id: PackId, parts: readonly BlobBytes[]): Source {
  const blocks: FooterBlock[] = [];
  const pieces: Uint8Array[] = [];
  let offset = 0;
  let group: BlobBytes[] = [];
  let groupBytes = 0;
  const seal = (): void => {
    if (group.length === 0) return;
    const { header, blobs, bytes } = sealBlock(zstd, group, 'off');
    blocks.push({ ...header, offset, blobs });
    pieces.push(bytes);
    offset += bytes.length;
    group = [];
    groupBytes = 0;
  };
  for (const part of parts) {
    group.push(part);
    groupBytes += part.bytes.length;
    if (groupBytes >= BLOCK_RAW_BYTES_TARGET) seal();
  }
  seal();
  const none = { headers: new Map(), spoilt: new Set<BlobId>(), listed: new Set<BlobId>() };
  return { id, size: offset, blocks, ...none, from: { bytes: Buffer.concat(pieces) } };
}

/** The store with the sources in the places of their packs. For reading only. */
export function withSources(backend: Backend, sources: readonly Source[]): Backend {
  const byName = new Map(sources.map((source) => [packName(source.id), source]));
  return {
    ...backend,
    get: async (name, range) => {
      const source = byName.get(name);
      if (source === undefined || range === undefined) return backend.get(name, range);
      const { offset, length } = range;
      if ('bytes' in source.from) return source.from.bytes.subarray(offset, offset + length);
      const bytes = await readDespiteErrors(backend, source.from.name, offset, length);
      source.headers.get(offset)?.copy(bytes);
      return bytes;
    },
  };
}

/** Reads blobs of a table, each hashed; decoded blocks are kept for the next. */
export class TableReader {
  readonly #backend: Backend;
  readonly #table: PackTable;
  readonly #blocks = new Map<number, Uint8Array | string>();

  constructor(backend: Backend, table: PackTable) {
    this.#backend = backend;
    this.#table = table;
  }

  /** Throws `corrupt-data`. */
  async read(kind: BlobKind, id: BlobId): Promise<Buffer> {
    const number = this.#table.findId(kind, id);
    const raw = number < 0 ? 'no pack has it' : await this.block(this.#table.blockNumberOf(number));
    const bytes = typeof raw === 'string' ? raw : this.bytesOf(number, raw);
    if (typeof bytes !== 'string') return bytes;
    throw new SnapError('corrupt-data', `the ${blobKindName(kind)} ${id} cannot be read: ${bytes}`);
  }

  /** The decoded block, or why there is none. */
  async block(number: number): Promise<Uint8Array | string> {
    const cached = this.#blocks.get(number);
    if (cached !== undefined) return cached;
    const raw = await readTableBlock(this.#backend, await loadZstd(), this.#table, number);
    const [oldest] = this.#blocks.keys();
    if (oldest !== undefined && this.#blocks.size >= 16) this.#blocks.delete(oldest);
    this.#blocks.set(number, raw);
    return raw;
  }

  /** The bytes of a blob in its decoded block, or what is wrong with them. */
  bytesOf(number: number, raw: Uint8Array): Buffer | string {
    const start = this.#table.offsetOf(number);
    const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.length).subarray(
      start,
      start + this.#table.lengthOf(number),
    );
    return blobIdOf(bytes) === this.#table.idOf(number) ? bytes : 'its bytes are not what was stored';
  }
}

/** As `get`; what the disk cannot read is zeros. */
async function readDespiteErrors(backend: Backend, name: string, offset: number, length: number): Promise<Buffer> {
  try {
    return (await backend.get(name, { offset, length })) ?? Buffer.alloc(0);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
  }
  const bytes = Buffer.alloc(length);
  if (length <= SECTOR_BYTES) return bytes;
  const step = length > PIECE_BYTES ? PIECE_BYTES : SECTOR_BYTES;
  for (let done = 0; done < length; done += step) {
    const piece = await readDespiteErrors(backend, name, offset + done, Math.min(step, length - done));
    piece.copy(bytes, done);
  }
  return bytes;
}
