/**
 * The bytes of files, piece by piece: of a snapshot from the store, each chunk verified against its id, or of the live
 * folder from the disk. Reading a store is a session, so that no gc sweeps underneath.
 */
import type { Disk } from '../disk/disk.ts';
import { OPEN } from '../disk/disk.ts';
import { readSome } from '../disk/whole-calls.ts';
import { errnoOf, fromSystemError, SnapError } from '../errors.ts';
import { BLOB_KIND } from '../object/blob-id.ts';
import type { FileEntry } from '../object/tree-entry.ts';
import type { Repository } from '../repo/repository.ts';
import type { TreeReader } from '../repo/tree-reader.ts';

const LIVE_PIECE_BYTES = 256 * 1024;

/** Reads a file's bytes in order. `path` is where it lies in the workspace. */
export type ReadContent = (file: FileEntry, path: string) => AsyncGenerator<Uint8Array>;

/** Contents from the store. Throws `corrupt-data`, `interrupted`. */
export function storedContent(repository: Repository, trees: TreeReader, signal: AbortSignal | undefined): ReadContent {
  return async function* read(file, path) {
    let size = 0;
    for await (const chunk of trees.chunks(file)) {
      signal?.throwIfAborted();
      const bytes = await repository.blobs.read(BLOB_KIND.data, chunk.id);
      size += bytes.length;
      yield bytes;
    }
    if (size !== file.size)
      throw new SnapError('corrupt-data', `${path} has ${size} bytes in the store where its entry says ${file.size}`, {
        hint: 'Run `snap verify` to see what else is affected.',
      });
  };
}

/** Contents of the live folder: as they are now, which may be later than the scan. Throws `io`, `permission`, `interrupted`. */
export function liveContent(disk: Disk, root: string, signal: AbortSignal | undefined): ReadContent {
  return async function* read(_file, path) {
    let fd: number | undefined;
    try {
      fd = disk.open(`${root}/${path}`, OPEN.source);
      for (;;) {
        signal?.throwIfAborted();
        const buffer = Buffer.allocUnsafe(LIVE_PIECE_BYTES);
        const count = readSome(disk, fd, buffer, 0, buffer.length, null);
        if (count === 0) return;
        yield buffer.subarray(0, count);
      }
    } catch (error) {
      throw errnoOf(error) === undefined || error instanceof SnapError
        ? error
        : fromSystemError(error, 'reading', `${root}/${path}`);
    } finally {
      if (fd !== undefined) disk.close(fd);
    }
  };
}
