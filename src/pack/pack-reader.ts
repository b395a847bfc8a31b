/**
 * Reads packs through a range reader, wherever they lie: the footer, whole blocks, and, where a footer is lost, the
 * blocks that a forward scan finds.
 */
import type { Zstd } from '../compress/zstd.ts';
import { hasCode, SnapError } from '../errors.ts';
import type { PackId } from '../object/pack-id.ts';
import type { BlobBytes } from './block.ts';
import { openBlock, scanBlock } from './block.ts';
import type { PackFooter } from './pack-format.ts';
import {
  BLOCK_HEADER_BYTES,
  BLOCK_RAW_BYTES_MAX,
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
  readonly storedLength: number;
  readonly parts: readonly BlobBytes[];
}

/** Finds the readable blocks of a pack without its footer, skipping damage to the next block's mark. */
export async function* scanPack(
  zstd: Zstd,
  id: PackId,
  size: number,
  read: RangeReader,
  from = PACK_HEADER_BYTES,
): AsyncGenerator<ScannedBlock> {
  let offset = from;
  while (offset + BLOCK_HEADER_BYTES <= size) {
    const block = await readScanned(zstd, id, offset, size, read);
    if (block !== undefined) {
      yield block;
      offset += BLOCK_HEADER_BYTES + block.storedLength;
    } else {
      const next = await findMark(offset + 1, size, read);
      if (next === undefined) return;
      offset = next;
    }
  }
}

async function readScanned(
  zstd: Zstd,
  id: PackId,
  offset: number,
  size: number,
  read: RangeReader,
): Promise<ScannedBlock | undefined> {
  const what = `block at ${offset} of pack ${id}`;
  try {
    const header = decodeBlockHeader(await read(offset, BLOCK_HEADER_BYTES), what);
    if (header.storedLength > Math.min(size - offset, BLOCK_RAW_BYTES_MAX * 2)) return undefined;
    const bytes = await read(offset, BLOCK_HEADER_BYTES + header.storedLength);
    const { raw } = openBlock(zstd, bytes, what);
    return { offset, storedLength: header.storedLength, parts: scanBlock(header, raw, what) };
  } catch (error) {
    if (hasCode(error, 'corrupt-data', 'unsupported-format')) return undefined;
    throw error;
  }
}

async function findMark(from: number, size: number, read: RangeReader): Promise<number | undefined> {
  const stepBytes = 1024 * 1024;
  for (let offset = from; offset < size; offset += stepBytes) {
    const bytes = await read(offset, Math.min(stepBytes + 3, size - offset));
    const found = bytes.indexOf('SBLK', 0, 'latin1');
    if (found >= 0) return offset + found;
  }
  return undefined;
}
