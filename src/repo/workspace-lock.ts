/** The lock of commands that change a workspace: waited for, and named when the wait was in vain. */
import { requireRealFolder } from '../disk/files.ts';
import type { LockFile } from '../disk/lock-file.ts';
import { tryLock } from '../disk/lock-file.ts';
import type { Environment } from './environment.ts';
import { WORKSPACE } from './layout.ts';
import { lockedBy, nameHolder } from './lock-holder.ts';

const LOCK_POLL_MS = 50;

/** `folder`: the workspace's `.snap`. Throws `locked` naming the holder after `waitMs`, and what `signal` is aborted for. */
export async function lockWorkspace(
  environment: Environment,
  folder: string,
  waitMs: number,
  waiting?: (who: string) => void,
  signal?: AbortSignal,
): Promise<LockFile> {
  // What a command that changes anything needs; without it, it would stop halfway.
  requireRealFolder(environment.disk, `${folder}/${WORKSPACE.temporary}`);
  const path = `${folder}/${WORKSPACE.lock}`;
  const deadline = environment.elapsed() + waitMs;
  for (let told = false; ; ) {
    const lock = tryLock(environment.disk, path, environment.holder);
    if ('release' in lock) return lock;
    if (environment.elapsed() >= deadline)
      throw lockedBy(
        environment,
        path,
        lock,
        'the workspace is in use by',
        'Wait until it is done, or give more time with --lock-timeout.',
      );
    if (!told) waiting?.(nameHolder(lock));
    told = true;
    signal?.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS));
  }
}
