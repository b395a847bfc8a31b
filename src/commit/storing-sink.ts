/** The sink of a commit: claims each chunk that is new and hands the new ones of a buffer to the packing workers. */

import type { BlobId } from '../object/blob-id.ts';
import { BLOB_KIND } from '../object/blob-id.ts';
import type { BlobWriter } from '../repo/blob-writer.ts';
import type { ChunkSink } from '../scan/file-reader.ts';

export function storingSink(writer: BlobWriter): ChunkSink {
  return {
    spareBuffer: () => writer.spareBuffer(),
    ready: () => writer.ready(),
    take: (buffer, chunks) => {
      const ids = Buffer.from(chunks.ids.buffer, chunks.ids.byteOffset, chunks.ids.length);
      const wanted: number[] = [];
      for (const i of chunks.lengths.keys()) {
        if (writer.claim(BLOB_KIND.data, ids.toString('hex', i * 32, i * 32 + 32) as BlobId)) wanted.push(i);
      }
      if (wanted.length === 0) {
        writer.giveBack(buffer);
        return;
      }
      const kept = {
        offsets: new Uint32Array(wanted.length),
        lengths: new Uint32Array(wanted.length),
        ids: new Uint8Array(wanted.length * 32),
      };
      for (const [to, from] of wanted.entries()) {
        kept.offsets[to] = chunks.offsets[from] ?? 0;
        kept.lengths[to] = chunks.lengths[from] ?? 0;
        kept.ids.set(ids.subarray(from * 32, from * 32 + 32), to * 32);
      }
      writer.storeFrom({ buffer, kinds: new Uint8Array(wanted.length).fill(BLOB_KIND.data), chunks: kept });
    },
  };
}
