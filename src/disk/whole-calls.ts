/** Reading and writing all of what is asked for, which one call of the system may do in part, or be interrupted in. */
import { errnoOf } from '../errors.ts';
import type { Disk } from './disk.ts';

/** Node takes the length of one call as 32 bits with a sign. */
const CALL_BYTES_MAX = 1024 ** 3;

/** So that a disk that is never done with interrupting ends as an error. */
const INTERRUPTED_MAX = 8;

/** As `disk.read`, again where that was interrupted (EINTR, on network mounts): of all calls Node repeats but this one. */
export function readSome(disk: Disk, ...[fd, buffer, offset, length, position]: Parameters<Disk['read']>): number {
  for (let attempt = 1; ; attempt++) {
    try {
      return disk.read(fd, buffer, offset, length, position);
    } catch (error) {
      if (errnoOf(error) !== 'EINTR' || attempt >= INTERRUPTED_MAX) throw error;
    }
  }
}

/** Fills `buffer` from `position`; returns how many bytes there were. */
export function readFully(disk: Disk, fd: number, buffer: Uint8Array, position: number): number {
  let done = 0;
  while (done < buffer.length) {
    const count = readSome(disk, fd, buffer, done, Math.min(buffer.length - done, CALL_BYTES_MAX), position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** Writes all of `bytes`, at `position` or where the descriptor stands. */
export function writeFully(disk: Disk, fd: number, bytes: Uint8Array, position: number | null): void {
  let done = 0;
  while (done < bytes.length) {
    const length = Math.min(bytes.length - done, CALL_BYTES_MAX);
    done += disk.write(fd, bytes, done, length, position === null ? null : position + done);
  }
}
