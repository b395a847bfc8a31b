/** Rebuilding the index from outside. */

import { removeTree } from '../disk/files.ts';
import { processEnvironment } from '../environment.ts';
import { hasCode } from '../errors.ts';
import type { Environment } from '../repo/environment.ts';
import { readState } from '../repo/journal-base.ts';
import { damageOf } from '../repo/known-state.ts';
import { snapFolder, WORKSPACE } from '../repo/layout.ts';
import { findWorkspace, openRepository } from '../repo/repository.ts';
import { lockWorkspace } from '../repo/workspace-lock.ts';
import type { ReindexResult } from '../verify/reindex.ts';
import { discardIndex, refillIndex, requireUnusedIndex } from '../verify/reindex.ts';
import type { OpenOptions } from './workspace.ts';

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
  const own = snapFolder(root);
  const { lockTimeoutMs = LOCK_TIMEOUT_MS, onWaiting, signal } = options;
  const lock = await lockWorkspace(environment, own, lockTimeoutMs, onWaiting, signal);
  try {
    requireUnusedIndex(environment, own);
    await requireSoundJournal(environment, root, options.acceptStore ?? false);
    discardIndex(environment, own);
    // HEAD is found again from the journal.
    if (options.acceptStore === true) removeTree(environment.disk, `${own}/${WORKSPACE.head}`);
    const repository = await openRepository(environment, root);
    try {
      return { ...(await refillIndex(repository, signal)), milliseconds: environment.elapsed() - started };
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
