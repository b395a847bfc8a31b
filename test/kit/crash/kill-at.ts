/**
 * Ends this process just before one of its changes to the disk: SNAP_TEST_KILL="main 17 SIGKILL" is the 17th of the main
 * thread, "worker 3 SIGTERM" the third of a worker thread. Part of the test build only (kill-build.ts).
 */
import { isMainThread } from 'node:worker_threads';
import type { Disk } from '../../../src/disk/disk.ts';
import { realDisk } from '../../../src/disk/disk.ts';

const CHANGES: readonly (keyof Disk)[] = [
  'write',
  'sync',
  'syncLater',
  'truncate',
  'rename',
  'link',
  'unlink',
  'makeFolder',
  'removeFolder',
  'symlink',
  'makeNode',
  'setMode',
  'setTimes',
];
const O_CREAT = 0o100;

const [thread, at, signal] = (process.env.SNAP_TEST_KILL ?? '').split(' ');
if (thread === (isMainThread ? 'main' : 'worker')) {
  let left = Number(at);
  const changing = (): void => {
    if (--left === 0) process.kill(process.pid, signal as NodeJS.Signals);
  };
  const patched = realDisk as unknown as Record<string, (...args: unknown[]) => unknown>;
  for (const name of [...CHANGES, 'open'] as const) {
    const real = patched[name];
    if (real === undefined) continue;
    patched[name] = (...args) => {
      if (name !== 'open' || (Number(args[1]) & O_CREAT) !== 0) changing();
      return real(...args);
    };
  }
}
