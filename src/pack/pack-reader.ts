/**
 * Reads packs through a range reader, wherever they lie: the footer, whole blocks, and, where a footer is lost, the
 * blocks that a forward scan finds.
 */
import type { Zstd } from '../compress/zstd.ts';
import { hasCode, SnapError } from '../errors.ts';
import type { PackId } from '../object/pack-id.ts';
import { PACK_BYTES_MAX } from '../object/pack-id.ts';
import type { BlobBytes } from './block.ts';
import { openBlock, scanBlock } from './block.ts';
import type { BlockHeader, PackFooter } from './pack-format.ts';
import {
  BLOCK_HEADER_BYTES,
  BLOCK_MAGIC,
  beginsLikeBlock,
  checkPackHeader,
  decodeBlockHeader,
  decodeFooter,
  footerLength,
  PACK_HEADER_BYTES,
  TRAILER_BYTES,
} from './pack-format.ts';

/** Gives `length` bytes of a pack from `offset`; fewer only at its end. */
export type RangeReader = (offset: number, length: number) => Promise<Buffer>;

/** Most footers fit into what is read first. */
const FOOTER_GUESS_BYTES = 256 * 1024;

/** The checked footer of a pack of `size` bytes. Throws `corrupt-data` or `unsupported-format`. */
export async function readFooter(id: PackId, size: number, read: RangeReader): Promise<PackFooter> {
  if (size < PACK_HEADER_BYTES + TRAILER_BYTES)
    throw new SnapError('corrupt-data', `damaged pack ${id}: it is too short (${size} bytes)`, {
      context: { pack: id },
    });
  const tailStart = Math.max(0, size - FOOTER_GUESS_BYTES);
  const tail = await read(tailStart, size - tailStart);
  if (tail.length !== size - tailStart)
    throw new SnapError('corrupt-data', `damaged pack ${id}: it is shorter than ${size} bytes`, {
      context: { pack: id },
    });
  const trailer = tail.subarray(tail.length - TRAILER_BYTES);
  const length = footerLength(trailer, id, size);
  const bodyStart = size - TRAILER_BYTES - length;
  const body =
    bodyStart >= tailStart
      ? tail.subarray(bodyStart - tailStart, tail.length - TRAILER_BYTES)
      : await read(bodyStart, length);
  if (body.length !== length)
    throw new SnapError('corrupt-data', `damaged pack ${id}: it is shorter than ${size} bytes`, {
      context: { pack: id },
    });
  checkPackHeader(tailStart === 0 ? tail.subarray(0, PACK_HEADER_BYTES) : await read(0, PACK_HEADER_BYTES), id);
  return decodeFooter(body, trailer, id, size);
}

/** What a forward scan found: blobs of a readable block, and where it lies. */
export interface ScannedBlock {
  readonly offset: number;
  readonly header: BlockHeader;
  readonly parts: readonly BlobBytes[];
}

/** Bytes that a scan reads in vain, for each byte of a pack. Real damage takes less than one: blocks do not overlap. */
const VAIN_READS_MAX = 4;

/**
 * Finds the readable blocks of a pack without its footer, skipping damage to the next block's mark. Of a file that is
 * longer than any pack only what a pack could hold.
 */
export async function* scanPack(
  zstd: Zstd,
  id: PackId,
  fileSize: number,
  read: RangeReader,
  from = PACK_HEADER_BYTES,
): AsyncGenerator<ScannedBlock> {
  const size = Math.min(fileSize, PACK_BYTES_MAX);
  const marks = new MarkFinder(size, read);
  let vainBytes = VAIN_READS_MAX * size + SCAN_STEP_BYTES;
  for (let at: number | undefined = from; at !== undefined && vainBytes > 0; ) {
    const found: ScannedBlock | number = await readScanned(zstd, id, at, size, read);
    if (typeof found === 'number') {
      vainBytes -= found;
      at = await marks.next(at + 1);
    } else {
      yield found;
      at += BLOCK_HEADER_BYTES + found.header.storedLength;
    }
  }
}

/** The block at `offset`, or how many bytes were read to find that there is none. */
async function readScanned(
  zstd: Zstd,
  id: PackId,
  offset: number,
  size: number,
  read: RangeReader,
): Promise<ScannedBlock | number> {
  const what = `block at ${offset} of pack ${id}`;
  let readBytes = 0;
  try {
    const header = decodeBlockHeader(await read(offset, BLOCK_HEADER_BYTES), what);
    if (header.storedLength > size - offset - BLOCK_HEADER_BYTES) return 0;
    readBytes = header.storedLength;
    const bytes = await read(offset, BLOCK_HEADER_BYTES + header.storedLength);
    const { raw } = openBlock(zstd, bytes, what);
    return { offset, header, parts: scanBlock(header, raw, what) };
  } catch (error) {
    if (hasCode(error, 'corrupt-data', 'unsupported-format')) return readBytes;
    throw error;
  }
}

const SCAN_STEP_BYTES = 1024 * 1024;

/** Finds what begins like a block, going forward; every byte is read once, however many marks there are. */
class MarkFinder {
  readonly #size: number;
  readonly #read: RangeReader;
  #start = 0;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(size: number, read: RangeReader) {
    this.#size = size;
    this.#read = read;
  }

  /** Where the first header at or after `from` is whose checksum fits; `from` never gets smaller. */
  async next(from: number): Promise<number | undefined> {
    for (let at = from; at + BLOCK_HEADER_BYTES <= this.#size; ) {
      if (at < this.#start || at + BLOCK_HEADER_BYTES > this.#start + this.#bytes.length) {
        this.#start = at;
        this.#bytes = await this.#read(at, Math.min(SCAN_STEP_BYTES, this.#size - at));
        if (this.#bytes.length < BLOCK_HEADER_BYTES) return undefined;
      }
      const found = this.#bytes.indexOf(BLOCK_MAGIC, at - this.#start);
      const header = this.#bytes.subarray(found, found + BLOCK_HEADER_BYTES);
      if (found < 0) at = this.#start + this.#bytes.length - (BLOCK_MAGIC.length - 1);
      else if (header.length < BLOCK_HEADER_BYTES) at = this.#start + found;
      else if (beginsLikeBlock(header)) return this.#start + found;
      else at = this.#start + found + 1;
    }
    return undefined;
  }
}
