/**
 * Blocks for workers: where they lie and how to get them decoded. Packs that are local files are read here, in the
 * worker, through a few open descriptors; a small cache keeps the last decoded blocks, since neighbours share them.
 */
import { release } from '../bytes/release.ts';
import type { Zstd } from '../compress/zstd.ts';
import type { Disk } from '../disk/disk.ts';
import { OPEN } from '../disk/disk.ts';
import { readFully } from '../disk/whole-calls.ts';
import { fromSystemError } from '../errors.ts';
import type { PackId } from '../object/pack-id.ts';
import { openBlock } from '../pack/block.ts';
import { asPackDamage, missingPack } from '../pack/pack-errors.ts';
import { BLOCK_HEADER_BYTES } from '../pack/pack-format.ts';

/** A block of a pack: `path` where it is a local file, else its bytes. */
export interface BlockRef {
  readonly pack: PackId;
  readonly offset: number;
  readonly storedLength: number;
  readonly source: { readonly path: string } | { readonly bytes: Uint8Array<ArrayBuffer> };
}

/** Nothing is in the place of a pack, or something else: a link that leads nowhere, a folder, a file on the way. */
const NO_PACK: readonly unknown[] = ['ENOENT', 'ELOOP', 'EISDIR', 'ENOTDIR'];
const OPEN_PACKS_MAX = 8;
const CACHED_BLOCKS_MAX = 8;

export class BlockSource {
  readonly #disk: Disk;
  readonly #zstd: Zstd;
  readonly #packs = new Map<string, number>();
  readonly #blocks = new Map<string, Uint8Array>();

  constructor(disk: Disk, zstd: Zstd) {
    this.#disk = disk;
    this.#zstd = zstd;
  }

  /** The decoded bytes of a block. Throws `corrupt-data`. */
  raw(ref: BlockRef): Uint8Array {
    const key = `${ref.pack}:${ref.offset}`;
    const cached = this.#blocks.get(key);
    if (cached !== undefined) return cached;
    const bytes = this.#bytesOf(ref);
    const { raw } = openBlock(this.#zstd, bytes, `block at ${ref.offset} of pack ${ref.pack}`);
    if (raw.buffer !== bytes.buffer) release(bytes);
    const dropped = evictOldest(this.#blocks, CACHED_BLOCKS_MAX);
    if (dropped !== undefined) release(dropped);
    this.#blocks.set(key, raw);
    return raw;
  }

  #bytesOf(ref: BlockRef): Buffer {
    const length = BLOCK_HEADER_BYTES + ref.storedLength;
    if ('bytes' in ref.source)
      return Buffer.from(ref.source.bytes.buffer, ref.source.bytes.byteOffset, ref.source.bytes.length);
    const buffer = Buffer.allocUnsafeSlow(length);
    try {
      const count = readFully(this.#disk, this.#descriptorOf(ref.source.path), buffer, ref.offset);
      return buffer.subarray(0, count);
    } catch (error) {
      const failure = fromSystemError(error, 'reading', ref.source.path);
      throw NO_PACK.includes(failure.context.errno) ? missingPack(ref.pack) : asPackDamage(failure, ref.pack);
    }
  }

  #descriptorOf(path: string): number {
    const open = this.#packs.get(path);
    if (open !== undefined) return open;
    const closed = evictOldest(this.#packs, OPEN_PACKS_MAX);
    if (closed !== undefined) this.#disk.close(closed);
    const fd = this.#disk.open(path, OPEN.read);
    this.#packs.set(path, fd);
    return fd;
  }
}

/** Makes room for one more; returns what was dropped. */
function evictOldest<T>(map: Map<string, T>, sizeMax: number): T | undefined {
  if (map.size < sizeMax) return undefined;
  for (const [key, value] of map) {
    map.delete(key);
    return value;
  }
  return undefined;
}
