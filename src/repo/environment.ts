/**
 * What the outside world provides: disk, clock, randomness, names of machine and user. Made once, by the face (the
 * command line or the library), and passed down; nothing below reads the process or the clock by itself.
 */
import type { Disk } from '../disk/disk.ts';
import type { Holder } from '../disk/lock-file.ts';
import type { IndexVerdict } from '../index/index-sound.ts';

export interface Environment {
  readonly disk: Disk;
  now(): Date;
  /** Minutes east of Greenwich that this machine's zone has at `date`. */
  zoneMinutes(date: Date): number;
  /** 32 random hex digits, different at each call. */
  uniqueName(): string;
  /** How this process signs its locks. */
  readonly holder: Holder;
  readonly host: string;
  readonly user: string;
  /** Numeric id of the user; 0 may restore owners. */
  readonly uid: number;
  readonly gid: number;
  /** Permission bits that the system takes off new files. */
  readonly umask: number;
  /** Name and version of this program. */
  readonly program: string;
  /** Worker threads for reading, hashing and compressing. */
  readonly threads: number;
  /** Whether all of the index at `path` can be read, found out where a damaged one cannot end this process. */
  checkIndex(path: string): Promise<IndexVerdict>;
  /** Time from a monotonic clock, in milliseconds. */
  elapsed(): number;
}

/** `date` as ISO 8601 with milliseconds and the machine's zone: "2026-11-20T14:02:11.123+01:00". */
export function zonedTime(environment: Environment, date: Date): string {
  const minutes = knownZone(environment.zoneMinutes(date));
  const shown = Math.max(TIME_MS_MIN, Math.min(TIME_MS_MAX, date.getTime() + minutes * 60_000));
  const local = new Date(shown).toISOString().slice(0, -1);
  const size = Math.abs(minutes);
  const zone = `${String(Math.floor(size / 60)).padStart(2, '0')}:${String(size % 60).padStart(2, '0')}`;
  return `${local}${minutes < 0 ? '-' : '+'}${zone}`;
}

/** `TZ` can claim any offset; one that no clock has says nothing, and no reader takes it. */
function knownZone(minutes: number): number {
  return Number.isInteger(minutes) && Math.abs(minutes) <= ZONE_MINUTES_MAX ? minutes : 0;
}

const ZONE_MINUTES_MAX = 23 * 60 + 59;

/** Years of four digits, in every zone: a clock that is far off is no reason to write what no reader takes. */
const TIME_MS_MIN = Date.parse('0001-01-02T00:00:00Z');
const TIME_MS_MAX = Date.UTC(9999, 11, 30);
