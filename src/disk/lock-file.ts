/**
 * A lock between processes of one machine: a file created once that names its holder. It is stale only if its holder
 * ran on this machine and is gone; the machine is known by its boot, for host names change. Who removes a stale one
 * holds a lock on doing so, named after the dead holder, and looks again first: else it might remove the lock that
 * somebody has taken meanwhile.
 * Locks order work; no promise about stored data rests on them (SPEC.md "Concurrency").
 */
import { describing, errnoOf, hasCode, SnapError } from '../errors.ts';
import type { Disk } from './disk.ts';
import { createOnce, readWhole, removeIfThere, removeQuietly } from './files.ts';

/** Who holds a lock. `bootId`, `pidNamespace` and `startTime` tell a living process from another with the same pid. */
export interface Holder {
  readonly id: string;
  readonly pid: number;
  readonly host: string;
  readonly bootId: string;
  /** Of what pids are numbers of; undefined in older records, and where the system has none. */
  readonly pidNamespace?: string | undefined;
  readonly startTime: string;
  readonly command: string;
}

export interface LockFile {
  release(): void;
}

/** Each attempt that fails means that somebody else had the lock and gave it back. */
const ATTEMPTS_MAX = 50;
/** More than any has: what is larger names nobody. */
const HOLDER_BYTES_MAX = 65_536;
/** In the place of a start time that cannot be read. */
const RUNNING = 'running';

/**
 * Takes the lock, or returns the living process that holds it (or is about to free it from a dead one). Throws what
 * `describing` makes of system errors, and `locked`.
 */
export function tryLock(disk: Disk, path: string, holder: Holder): LockFile | Holder {
  const bytes = Buffer.from(`${JSON.stringify(holder)}\n`);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const taken = describing('locking', path, () => {
      if (create(disk, path, bytes, holder)) return { release: () => release(disk, path, holder) };
      const other = readHolder(disk, path);
      if (other === undefined || isAlive(disk, other, holder)) return other;
      return breakLock(disk, path, other, holder, () => removeIfThere(disk, path));
    });
    if (taken !== undefined) return taken;
  }
  throw new SnapError('locked', `the lock ${path} keeps changing hands`, { hint: 'Try again in a moment.' });
}

/** Does `work` with the lock of `dead`, if that is still there; or returns the living process that is at it already. */
export function breakLock(
  disk: Disk,
  path: string,
  dead: Holder,
  holder: Holder,
  work: () => void,
): Holder | undefined {
  const guard = tryLock(disk, `${path}.stale-${dead.id.replace(/[^0-9a-zA-Z-]/g, '_').slice(0, 32)}`, holder);
  if (!('release' in guard)) return guard;
  try {
    if (readHolder(disk, path)?.id === dead.id) work();
  } finally {
    guard.release();
  }
  return undefined;
}

function create(disk: Disk, path: string, bytes: Uint8Array, holder: Holder): boolean {
  try {
    return createOnce(disk, path, bytes, `${path}.${holder.id}`);
  } catch (error) {
    // It may be there all the same, if only its folder could not be synced; nobody would release it.
    if (readHolder(disk, path)?.id === holder.id) removeQuietly(disk, path);
    throw error;
  }
}

/** Messages tell people which lock to remove by hand: by now it may be somebody else's. */
function release(disk: Disk, path: string, { id }: Holder): void {
  try {
    if (readHolder(disk, path)?.id !== id) return;
  } catch (error) {
    // What this process cannot read now (too many open files) it has to give back all the same.
    if (hasCode(error, 'corrupt-data')) return;
    if (errnoOf(error) === undefined) throw error;
  }
  removeQuietly(disk, path);
}

/** The holder written in a lock file; undefined if there is none. */
export function readHolder(disk: Disk, path: string): Holder | undefined {
  const bytes = readWhole(disk, path, HOLDER_BYTES_MAX);
  if (bytes === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (isHolder(value)) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return { id: '?', pid: 0, host: '?', bootId: '?', startTime: '?', command: '?' };
}

/** What of this process says which others it can see. */
export type Standpoint = Pick<Holder, 'host' | 'bootId' | 'pidNamespace'>;

/** False only if the holder certainly runs no more: same machine, and another boot or no such process. */
export function isAlive(disk: Disk, holder: Holder, self: Standpoint): boolean {
  if (holder.id === '?') return false;
  const where = whereIs(holder, self);
  return where === 'elsewhere' || (where === 'here' && isRunningSince(disk, holder));
}

/** Where a start time cannot be read (`hidepid` hides other users' processes), a process of that pid may be the holder. */
function isRunningSince(disk: Disk, { pid, startTime }: Holder): boolean {
  const found = processStartTime(disk, pid);
  return found === startTime || found === RUNNING || (startTime === RUNNING && found !== '');
}

/** True if nobody here can tell whether the holder still runs: on another machine, or in another container. */
export function isElsewhere(holder: Holder, self: Standpoint): boolean {
  return whereIs(holder, self) === 'elsewhere';
}

/** True if the holder is in another container of this machine: no pid tells whether it runs, but locks of the kernel do. */
export function isInOtherContainer(holder: Holder, self: Standpoint): boolean {
  return isElsewhere(holder, self) && holder.bootId === self.bootId && self.bootId !== UNKNOWN_BOOT;
}

function whereIs(holder: Holder, self: Standpoint): 'here' | 'elsewhere' | 'gone' {
  const tellsNamespace = holder.pidNamespace !== undefined && self.pidNamespace !== undefined;
  if (tellsNamespace && holder.bootId === self.bootId)
    return holder.pidNamespace === self.pidNamespace ? 'here' : 'elsewhere';
  if (holder.host !== self.host) return 'elsewhere';
  return holder.bootId === self.bootId ? 'here' : 'gone';
}

/** Identifies a running process beyond its pid, as far as that can be seen; '' if there is none. */
export function processStartTime(disk: Disk, pid: number): string {
  const stat = readProc(disk, `/proc/${pid}/stat`);
  if (stat === undefined) return isRunning(pid) ? RUNNING : '';
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  return state === 'Z' || state === 'X' ? '' : (fields[19] ?? '');
}

const UNKNOWN_BOOT = 'unknown';

/** The id of this boot of this machine, or 'unknown' where the system has none. */
export function bootId(disk: Disk): string {
  return readProc(disk, '/proc/sys/kernel/random/boot_id')?.trim() ?? UNKNOWN_BOOT;
}

/** Names the PID namespace of this process; undefined where the system has none. */
export function pidNamespace(disk: Disk): string | undefined {
  try {
    return disk.readLink('/proc/self/ns/pid');
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return errnoOf(error) === 'EPERM';
  }
}

function readProc(disk: Disk, path: string): string | undefined {
  let fd: number;
  try {
    fd = disk.open(path, 0);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
  try {
    const buffer = Buffer.alloc(4096);
    return buffer.toString('utf8', 0, disk.read(fd, buffer, 0, buffer.length, null));
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return undefined;
    throw error;
  } finally {
    disk.close(fd);
  }
}

function isHolder(value: unknown): value is Holder {
  if (typeof value !== 'object' || value === null) return false;
  const holder = value as Partial<Record<keyof Holder, unknown>>;
  return (
    typeof holder.id === 'string' &&
    typeof holder.pid === 'number' &&
    typeof holder.host === 'string' &&
    typeof holder.bootId === 'string' &&
    (holder.pidNamespace === undefined || typeof holder.pidNamespace === 'string') &&
    typeof holder.startTime === 'string' &&
    typeof holder.command === 'string'
  );
}
