/**
 * The composition root: the real disk, clock, randomness and names of this process. Faces make one and pass it down.
 */
import { randomBytes } from 'node:crypto';
import { availableParallelism, hostname, userInfo } from 'node:os';
import { realDisk } from './disk/disk.ts';
import { bootId, processStartTime } from './disk/lock-file.ts';
import type { Environment } from './repo/environment.ts';
import { PROGRAM } from './version.ts';

/** `command`: how this process is shown to others that wait for it. */
export function processEnvironment(command: string): Environment {
  const uniqueName = (): string => randomBytes(16).toString('hex');
  const host = hostname();
  const holder = {
    id: uniqueName(),
    pid: process.pid,
    host,
    bootId: bootId(realDisk),
    startTime: processStartTime(realDisk, process.pid),
    command,
  };
  return {
    disk: realDisk,
    now: () => new Date(),
    zoneMinutes: (date) => -date.getTimezoneOffset(),
    uniqueName,
    holder,
    host,
    user: userName(),
    uid: process.geteuid?.() ?? -1,
    gid: process.getegid?.() ?? -1,
    umask: process.umask(),
    program: PROGRAM,
    threads: Math.max(1, Math.min(16, availableParallelism())),
    elapsed: () => performance.now(),
  };
}

/** Systems without an entry for this user throw. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}
