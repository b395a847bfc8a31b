/** The lock of commands that change a workspace: waited for, and named when the wait was in vain. */
import { requireFolder } from '../disk/files.ts';
import type { LockFile } from '../disk/lock-file.ts';
import { tryLock } from '../disk/lock-file.ts';
import { fromSystemError, SnapError } from '../errors.ts';
import type { Environment } from './environment.ts';
import { WORKSPACE } from './layout.ts';

const LOCK_POLL_MS = 50;

/** `folder`: the workspace's `.snap`. Throws `locked` naming the holder after `waitMs`. */
export async function lockWorkspace(
  environment: Environment,
  folder: string,
  waitMs: number,
  waiting?: (who: string) => void,
): Promise<LockFile> {
  // What a command that changes anything needs; without it, it would stop halfway.
  requireFolder(environment.disk, `${folder}/${WORKSPACE.temporary}`);
  const deadline = environment.elapsed() + waitMs;
  for (let told = false; ; ) {
    const lock = takeLock(environment, `${folder}/${WORKSPACE.lock}`);
    if ('release' in lock) return lock;
    const who = `\`${lock.command}\` (process ${lock.pid} on ${lock.host})`;
    if (environment.elapsed() >= deadline) {
      throw new SnapError('locked', `the workspace is in use by ${who}`, {
        hint: 'Wait until it is done, or give more time with --lock-timeout.',
        context: { pid: lock.pid, host: lock.host },
      });
    }
    if (!told) waiting?.(who);
    told = true;
    await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS));
  }
}

function takeLock(environment: Environment, path: string): ReturnType<typeof tryLock> {
  try {
    return tryLock(environment.disk, path, environment.holder);
  } catch (error) {
    throw fromSystemError(error, 'locking', path);
  }
}
