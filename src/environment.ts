/**
 * The composition root: the real disk, clock, randomness and names of this process. Faces make one and pass it down.
 */
import { randomBytes } from 'node:crypto';
import { availableParallelism, hostname, userInfo } from 'node:os';
import { decodeName } from './bytes/names.ts';
import { realDisk } from './disk/disk.ts';
import { bootId, pidNamespace, processStartTime } from './disk/lock-file.ts';
import { readFully } from './disk/whole-calls.ts';
import { errnoOf, SnapError } from './errors.ts';
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
    pidNamespace: pidNamespace(realDisk),
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
    checkIndex: async (path) => (await import('./index/check-apart.ts')).checkIndexApart(path),
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

const ARGUMENTS_BYTES_MAX = 4 * 1024 * 1024;

/**
 * The arguments of this process with all their bytes (as of bytes/names.ts): Node replaces those that are not UTF-8.
 * Throws `usage` where they cannot be found out: other files might have the names that Node makes of them.
 */
export function exactArguments(argv: readonly string[]): readonly string[] {
  if (process.platform !== 'linux' || !argv.some((argument) => argument.includes('\uFFFD'))) return argv;
  const words = commandLine();
  const exact = words.slice(Math.max(0, words.length - argv.length + 2));
  const matches = exact.every((word, i) => Buffer.from(word).toString() === word || argv[i + 2]?.includes('\uFFFD'));
  if (matches && exact.length === argv.length - 2) return [...argv.slice(0, 2), ...exact];
  throw new SnapError('usage', 'an argument is not UTF-8, and its bytes cannot be found out', {
    hint: 'Give fewer or shorter arguments; or name a folder, or a glob, that holds what you mean.',
  });
}

/** All words that started this process; none where they cannot be read. */
function commandLine(): string[] {
  let fd: number | undefined;
  try {
    fd = realDisk.open('/proc/self/cmdline', 0);
    const buffer = Buffer.alloc(ARGUMENTS_BYTES_MAX);
    const bytes = buffer.subarray(0, readFully(realDisk, fd, buffer, 0));
    const words: string[] = [];
    for (let start = 0; start < bytes.length; ) {
      const end = bytes.indexOf(0, start);
      words.push(decodeName(bytes.subarray(start, end < 0 ? bytes.length : end)));
      start = end < 0 ? bytes.length : end + 1;
    }
    return words;
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return [];
  } finally {
    if (fd !== undefined) realDisk.close(fd);
  }
}

/** The working folder with all its bytes, of which Node gives `folder`. Throws `usage` where it cannot be found out. */
export function exactFolder(folder: string): string {
  if (process.platform !== 'linux' || !folder.includes('\uFFFD')) return folder;
  try {
    return realDisk.readLink('/proc/self/cwd');
  } catch (error) {
    throw new SnapError('usage', 'the path of this folder is not UTF-8, and its bytes cannot be found out', {
      hint: 'Run snap in another folder, with -C <dir>.',
      cause: error,
    });
  }
}
