/**
 * What can still be read of a pack that is damaged: blocks that its footer tells of, if that is whole, and blocks that
 * begin with a block's mark. Every id is the hash of the bytes as they are, so whatever is found is what it says.
 */
import { decodeBlock } from '../compress/block-codec.ts';
import type { Zstd } from '../compress/zstd.ts';
import { hasCode } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import { blobIdOf } from '../object/blob-id.ts';
import type { PackId } from '../object/pack-id.ts';
import { PACK_BYTES_MAX } from '../object/pack-id.ts';
import type { FooterBlock, PackedBlob, PackFooter } from './pack-format.ts';
import { BLOCK_HEADER_BYTES, decodeFooter, encodeBlockHeader, footerLength, TRAILER_BYTES } from './pack-format.ts';
import type { RangeReader } from './pack-reader.ts';
import { scanPack } from './pack-reader.ts';

export interface Salvage {
  /** The readable blocks, in the order of their places; they need not follow each other. */
  readonly blocks: readonly FooterBlock[];
  /** Headers of blocks that are damaged in the file and known from the footer, by the block's place. */
  readonly headers: ReadonlyMap<number, Buffer>;
  /** Ids, as they are now, of blobs that the footer lists under another one: nobody needs these bytes. */
  readonly spoilt: ReadonlySet<BlobId>;
  /** Ids that a whole footer lists, and that the bytes still have. Others are right only if something else names them. */
  readonly listed: ReadonlySet<BlobId>;
}

/** Footers are looked for behind this many marks; content of users may hold some. */
const TRAILERS_TRIED_MAX = 16;

/** Footers of more bytes are not looked at: 7 million blobs. */
const FOOTER_BYTES_MAX = 256 * 1024 * 1024;
const STEP_BYTES = 1024 * 1024;
const FOOTER_MARK = Buffer.from('SNAPFOOT');

/**
 * Searches all bytes that a pack can have, in stretches: the file may have grown to any size. `id` is only for messages.
 * Never throws for damage.
 */
export async function salvagePack(zstd: Zstd, id: PackId, size: number, read: RangeReader): Promise<Salvage> {
  const blocks: FooterBlock[] = [];
  const headers = new Map<number, Buffer>();
  const spoilt = new Set<BlobId>();
  const listed = new Set<BlobId>();
  for (const block of (await findFooter(id, size, read))?.blocks ?? []) {
    const bytes = await read(block.offset, BLOCK_HEADER_BYTES + block.storedLength);
    const blobs = openListed(zstd, block, bytes.subarray(BLOCK_HEADER_BYTES));
    if (blobs === undefined || !blobs.some((blob, i) => blob.id === block.blobs[i]?.id)) continue;
    for (const [i, blob] of blobs.entries()) (blob.id === block.blobs[i]?.id ? listed : spoilt).add(blob.id);
    const header = encodeBlockHeader(block);
    if (!header.equals(bytes.subarray(0, BLOCK_HEADER_BYTES))) headers.set(block.offset, header);
    blocks.push({ ...block, blobs });
  }
  const covered = blocks.map(({ offset, storedLength }) => ({ from: offset, to: endOf(offset, storedLength) }));
  // From the very first byte: the front may be cut off.
  for await (const { offset, header, parts } of scanPack(zstd, id, size, read, 0)) {
    if (covered.some(({ from, to }) => offset < to && from < endOf(offset, header.storedLength))) continue;
    blocks.push({ ...header, offset, blobs: parts.map(({ blob }) => blob) });
  }
  return { blocks: blocks.sort((a, b) => a.offset - b.offset), headers, spoilt, listed };
}

function endOf(offset: number, storedLength: number): number {
  return offset + BLOCK_HEADER_BYTES + storedLength;
}

/** The footer, wherever the file ends now. */
async function findFooter(id: PackId, fileSize: number, read: RangeReader): Promise<PackFooter | undefined> {
  let tried = 0;
  for await (const size of endsOf(Math.min(fileSize, PACK_BYTES_MAX), read)) {
    if (tried++ >= TRAILERS_TRIED_MAX) break;
    try {
      const trailer = await read(size - TRAILER_BYTES, TRAILER_BYTES);
      const length = footerLength(trailer, id, size);
      if (length > FOOTER_BYTES_MAX) continue;
      return decodeFooter(await read(size - TRAILER_BYTES - length, length), trailer, id, size);
    } catch (error) {
      if (!hasCode(error, 'corrupt-data', 'unsupported-format')) throw error;
    }
  }
  return undefined;
}

/** Where a pack may end: behind each mark of a trailer, the last first. */
async function* endsOf(size: number, read: RangeReader): AsyncGenerator<number> {
  for (let end = size; end >= TRAILER_BYTES; end -= STEP_BYTES) {
    const start = Math.max(0, end - STEP_BYTES);
    // With the beginning of what was looked at before: a mark may lie across.
    const bytes = await read(start, Math.min(size, end + FOOTER_MARK.length - 1) - start);
    let mark = bytes.lastIndexOf(FOOTER_MARK);
    while (mark >= 0) {
      const packEnd = start + mark + FOOTER_MARK.length;
      if (packEnd >= TRAILER_BYTES) yield packEnd;
      mark = mark === 0 ? -1 : bytes.lastIndexOf(FOOTER_MARK, mark - 1);
    }
  }
}

/** The blobs of a block as a footer lays them out, with the ids that they have now. */
function openListed(zstd: Zstd, block: FooterBlock, payload: Buffer): PackedBlob[] | undefined {
  try {
    const raw = decodeBlock(zstd, block.codec, payload, block.rawLength);
    let offset = 0;
    return block.blobs.map(({ kind, length }) => {
      const id = blobIdOf(raw.subarray(offset, offset + length));
      offset += length;
      return { kind, length, id };
    });
  } catch (error) {
    if (!hasCode(error, 'corrupt-data', 'unsupported-format')) throw error;
    return undefined;
  }
}
