/** Rebuilding the index from outside. */

import { removeTree } from '../disk/files.ts';
import { tryLock } from '../disk/lock-file.ts';
import { processEnvironment } from '../environment.ts';
import { hasCode, SnapError } from '../errors.ts';
import type { Environment } from '../repo/environment.ts';
import { readState } from '../repo/journal-base.ts';
import { damageOf } from '../repo/known-state.ts';
import { WORKSPACE } from '../repo/layout.ts';
import { findWorkspace, openRepository } from '../repo/repository.ts';
import type { ReindexResult } from '../verify/reindex.ts';
import { discardIndex, refillIndex, requireUnusedIndex } from '../verify/reindex.ts';
import type { OpenOptions } from './workspace.ts';

const LOCK_POLL_MS = 50;
const LOCK_TIMEOUT_MS = 10_000;

export interface ReindexOptions extends OpenOptions {
  /** An older copy of the store was put back on purpose: forget what this workspace has seen beyond it. */
  readonly acceptStore?: boolean | undefined;
}

/**
 * Builds the index of the workspace that the absolute path `folder` lies in again. It must not be open in this process.
 * Throws `locked`, `no-workspace`, and `corrupt-data` if the journal is damaged: then the index may know what it lost.
 */
export function reindex(folder: string, options: ReindexOptions = {}): Promise<ReindexResult> {
  return reindexIn(processEnvironment(options.command ?? 'snap reindex'), folder, options);
}

/** As `reindex`, on a disk and with a clock of the caller's. */
export async function reindexIn(
  environment: Environment,
  folder: string,
  options: ReindexOptions = {},
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
    requireUnusedIndex(environment, own);
    await requireSoundJournal(environment, root, options.acceptStore ?? false);
    // HEAD is found again from the journal.
    if (options.acceptStore === true) removeTree(environment.disk, `${own}/${WORKSPACE.head}`);
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

/** The index is thrown away only if the store can give all of it again. */
async function requireSoundJournal(environment: Environment, root: string, acceptStore: boolean): Promise<void> {
  const repository = await openRepository(environment, root);
  try {
    if (repository.damage !== undefined && !acceptStore) throw repository.damage;
    // What the index remembers may reach over a hole.
    await readState(repository.backend);
  } catch (error) {
    throw hasCode(error, 'corrupt-data') && error !== repository.damage
      ? damageOf(error, repository.state().number)
      : error;
  } finally {
    await repository.close();
  }
}
