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
import type { FooterBlock, PackedBlob, PackFooter } from './pack-format.ts';
import { BLOCK_HEADER_BYTES, decodeFooter, encodeBlockHeader, footerLength, TRAILER_BYTES } from './pack-format.ts';
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

/** Searches all bytes of a pack; `id` is only for messages. Never throws for damage. */
export async function salvagePack(zstd: Zstd, id: PackId, bytes: Buffer): Promise<Salvage> {
  const blocks: FooterBlock[] = [];
  const headers = new Map<number, Buffer>();
  const spoilt = new Set<BlobId>();
  const listed = new Set<BlobId>();
  for (const block of findFooter(id, bytes)?.blocks ?? []) {
    const blobs = openListed(zstd, block, bytes);
    if (blobs === undefined || !blobs.some((blob, i) => blob.id === block.blobs[i]?.id)) continue;
    for (const [i, blob] of blobs.entries()) (blob.id === block.blobs[i]?.id ? listed : spoilt).add(blob.id);
    const header = encodeBlockHeader(block);
    if (!header.equals(bytes.subarray(block.offset, block.offset + BLOCK_HEADER_BYTES)))
      headers.set(block.offset, header);
    blocks.push({ ...block, blobs });
  }
  const covered = blocks.map(({ offset, storedLength }) => ({ from: offset, to: endOf(offset, storedLength) }));
  const read = async (offset: number, length: number): Promise<Buffer> => bytes.subarray(offset, offset + length);
  // From the very first byte: the front may be cut off.
  for await (const { offset, header, parts } of scanPack(zstd, id, bytes.length, read, 0)) {
    if (covered.some(({ from, to }) => offset < to && from < endOf(offset, header.storedLength))) continue;
    blocks.push({ ...header, offset, blobs: parts.map(({ blob }) => blob) });
  }
  return { blocks: blocks.sort((a, b) => a.offset - b.offset), headers, spoilt, listed };
}

function endOf(offset: number, storedLength: number): number {
  return offset + BLOCK_HEADER_BYTES + storedLength;
}

/** The footer, wherever the file ends now. */
function findFooter(id: PackId, bytes: Buffer): PackFooter | undefined {
  let mark = bytes.lastIndexOf('SNAPFOOT', undefined, 'latin1');
  for (let tried = 0; mark >= 0 && tried < TRAILERS_TRIED_MAX; tried++) {
    const size = mark + 8;
    try {
      const trailer = bytes.subarray(Math.max(0, size - TRAILER_BYTES), size);
      const start = size - TRAILER_BYTES - footerLength(trailer, id, size);
      return decodeFooter(bytes.subarray(start, size - TRAILER_BYTES), trailer, id, size);
    } catch (error) {
      if (!hasCode(error, 'corrupt-data', 'unsupported-format')) throw error;
    }
    mark = mark === 0 ? -1 : bytes.lastIndexOf('SNAPFOOT', mark - 1, 'latin1');
  }
  return undefined;
}

/** The blobs of a block as a footer lays them out, with the ids that they have now. */
function openListed(zstd: Zstd, block: FooterBlock, bytes: Buffer): PackedBlob[] | undefined {
  try {
    const payload = bytes.subarray(block.offset + BLOCK_HEADER_BYTES, endOf(block.offset, block.storedLength));
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
