/** Locks between processes: who counts as alive, and what a release leaves alone. */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import type { LockFile } from '../../src/disk/lock-file.ts';
import { isAlive, tryLock } from '../../src/disk/lock-file.ts';
import { environmentWith, FailingDisk, newRoots } from '../repo/failing-disk.ts';

const roots = newRoots();
const { disk, holder } = environmentWith();
let path: string;
beforeEach(() => {
  mkdirSync(roots.root, { recursive: true });
  path = join(roots.root, 'lock');
});

test('a process that runs is alive where its start time cannot be read, or could not be', () => {
  const hidden = new FailingDisk((call, at) =>
    call === 'open' && at === `/proc/${process.pid}/stat` ? 'ENOENT' : undefined,
  );
  expect(isAlive(hidden.disk, holder, holder)).toBe(true);
  expect(isAlive(disk, { ...holder, startTime: 'running' }, holder)).toBe(true);
  expect(isAlive(hidden.disk, { ...holder, pid: 4_194_303 }, holder)).toBe(false);
  expect(isAlive(disk, { ...holder, pid: 4_194_303, startTime: 'running' }, holder)).toBe(false);
});

test('who lost its lock, as a person removed it by hand, leaves the lock of the next one', () => {
  const lost = tryLock(disk, path, holder) as LockFile;
  rmSync(path);
  const next = tryLock(disk, path, environmentWith().holder) as LockFile;
  lost.release();
  expect(existsSync(path)).toBe(true);
  next.release();
  expect(existsSync(path)).toBe(false);
});

test('a lock that cannot be read when it is given back goes, and what is no lock stays', () => {
  const failing = new FailingDisk();
  const lock = tryLock(failing.disk, path, holder) as LockFile;
  failing.hook = (call) => (call === 'open' ? 'EMFILE' : undefined);
  lock.release();
  expect(existsSync(path)).toBe(false);
  failing.hook = undefined;
  const lost = tryLock(failing.disk, path, holder) as LockFile;
  rmSync(path);
  mkdirSync(path);
  lost.release();
  expect(existsSync(path)).toBe(true);
});
