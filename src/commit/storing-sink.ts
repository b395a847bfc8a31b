/** The sink of a commit: claims each chunk that is new and hands the new ones of a buffer to the packing workers. */

import { BLOB_KIND } from '../object/blob-id.ts';
import type { ChunkRef } from '../object/tree-entry.ts';
import type { PackedBlob } from '../pack/pack-format.ts';
import type { BlobWriter } from '../repo/blob-writer.ts';
import type { ChunkSink } from '../scan/file-reader.ts';
import type { IndexFeed } from './index-feed.ts';

export function storingSink(writer: BlobWriter, feed: IndexFeed): ChunkSink {
  return {
    spareBuffer: () => writer.spareBuffer(),
    ready: async () => {
      await writer.ready();
      await feed.ready();
    },
    take: (buffer, chunks, refs) => {
      const wanted: number[] = [];
      for (const [i, ref] of refs.entries()) if (writer.claim(BLOB_KIND.data, ref.id)) wanted.push(i);
      if (wanted.length === 0) {
        writer.giveBack(buffer);
        return;
      }
      const blobs: PackedBlob[] = [];
      const offsets = new Uint32Array(wanted.length);
      for (const [to, from] of wanted.entries()) {
        const { id, length } = refs[from] as ChunkRef;
        blobs.push({ kind: BLOB_KIND.data, id, length });
        offsets[to] = chunks.offsets[from] ?? 0;
      }
      writer.storeFrom(buffer, blobs, offsets);
    },
  };
}
