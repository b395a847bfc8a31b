/**
 * The live folder as a tree, without storing anything: what status, diff and a dry-run commit compare. New trees stay
 * in memory, in an overlay over the store's; new data is only counted.
 */

import { BlobTable } from '../index/blob-table.ts';
import type { BlobId } from '../object/blob-id.ts';
import { BLOB_KIND } from '../object/blob-id.ts';
import type { Repository } from '../repo/repository.ts';
import { livingHead } from '../repo/snapshot-list.ts';
import type { TreeReader } from '../repo/tree-reader.ts';
import { treeReader } from '../repo/tree-reader.ts';
import type { Workers } from '../work/start-workers.ts';
import type { ScanProgress, ScanResult } from './scan.ts';
import { scanWorkspace } from './scan.ts';
import type { Selection } from './selection.ts';

export interface LiveTree {
  readonly scan: ScanResult;
  /** Reads the live trees and the store's. */
  readonly trees: TreeReader;
  /** HEAD's tree, which the scan was compared with. */
  readonly base: BlobId | undefined;
  /** Bytes of chunks that the store does not have. */
  readonly newBytes: number;
}

export interface LiveOptions {
  readonly selection: Selection;
  readonly exclude: readonly string[];
  readonly rescan: boolean;
  readonly signal: AbortSignal | undefined;
  readonly progress: (progress: ScanProgress) => void;
  readonly ignored?: (path: string, isFolder: boolean) => void;
}

/** Scans the workspace against HEAD. */
export async function scanLive(repository: Repository, workers: Workers, options: LiveOptions): Promise<LiveTree> {
  const head = livingHead(repository);
  const base = head === undefined ? undefined : (await repository.trees.snapshot(head)).tree;
  const overlay = new Map<BlobId, Uint8Array>();
  const seen = new BlobTable();
  let newBytes = 0;
  let spare: ArrayBuffer[] = [];
  const scan = await scanWorkspace({
    repository,
    workers,
    base,
    selection: options.selection,
    useRecords: !options.rescan,
    exclude: options.exclude,
    keep: (_kind, id, bytes) => overlay.set(id, bytes),
    sink: {
      spareBuffer: () => spare.pop(),
      ready: async () => {},
      take: (buffer, chunks) => {
        if (spare.length < 4) spare.push(buffer);
        const ids = Buffer.from(chunks.ids.buffer, chunks.ids.byteOffset, chunks.ids.length);
        for (const [i, length] of chunks.lengths.entries()) {
          const id = ids.toString('hex', i * 32, i * 32 + 32) as BlobId;
          const before = seen.size;
          seen.add(BLOB_KIND.data, id);
          if (seen.size > before && repository.index.find(BLOB_KIND.data, id) === undefined) newBytes += length;
        }
      },
    },
    signal: options.signal,
    progress: options.progress,
    ...(options.ignored === undefined ? {} : { ignored: options.ignored }),
  });
  spare = [];
  return { scan, trees: treeReader(repository.blobs, overlay), base, newBytes };
}
