/** Rebuilding the index from outside. */

import { tryLock } from '../disk/lock-file.ts';
import { processEnvironment } from '../environment.ts';
import { SnapError } from '../errors.ts';
import type { Environment } from '../repo/environment.ts';
import { WORKSPACE } from '../repo/layout.ts';
import { findWorkspace, openRepository } from '../repo/repository.ts';
import type { ReindexResult } from '../verify/reindex.ts';
import { discardIndex, refillIndex } from '../verify/reindex.ts';
import type { OpenOptions } from './workspace.ts';

const LOCK_POLL_MS = 50;
const LOCK_TIMEOUT_MS = 10_000;

/**
 * Builds the index of the workspace that the absolute path `folder` lies in again. It must not be open in this process:
 * the old index is not even looked at. Throws `locked`, `no-workspace`, `corrupt-data`.
 */
export function reindex(folder: string, options: OpenOptions = {}): Promise<ReindexResult> {
  return reindexIn(processEnvironment(options.command ?? 'snap reindex'), folder, options);
}

/** As `reindex`, on a disk and with a clock of the caller's. */
export async function reindexIn(
  environment: Environment,
  folder: string,
  options: OpenOptions = {},
): Promise<ReindexResult> {
  const started = environment.elapsed();
  const root = findWorkspace(environment, folder);
  const own = root === '/' ? '/.snap' : `${root}/.snap`;
  const deadline = started + (options.lockTimeoutMs ?? LOCK_TIMEOUT_MS);
  let lock = tryLock(environment.disk, `${own}/${WORKSPACE.lock}`, environment.holder);
  for (let told = false; !('release' in lock); told = true) {
    const who = `\`${lock.command}\` (process ${lock.pid} on ${lock.host})`;
    if (environment.elapsed() >= deadline)
      throw new SnapError('locked', `the workspace is in use by ${who}`, {
        hint: 'Wait until it is done, or give more time with --lock-timeout.',
      });
    if (!told) options.onWaiting?.(who);
    await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS));
    lock = tryLock(environment.disk, `${own}/${WORKSPACE.lock}`, environment.holder);
  }
  try {
    discardIndex(environment, own);
    const repository = await openRepository(environment, root);
    try {
      return { ...(await refillIndex(repository, options.signal)), milliseconds: environment.elapsed() - started };
    } finally {
      await repository.close();
    }
  } finally {
    lock.release();
  }
}
