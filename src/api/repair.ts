/** Repairing from outside. */
import { processEnvironment } from '../environment.ts';
import type { ConfigMend } from '../repair/mend-config.ts';
import { mendConfig } from '../repair/mend-config.ts';
import type { RepairResult, RepairStep } from '../repair/repair.ts';
import { repair as repairIn } from '../repair/repair.ts';
import { findWorkspace } from '../repo/repository.ts';
import type { Workspace } from './workspace.ts';

const LOCK_TIMEOUT_MS = 10_000;

export interface RepairSettings {
  /** Find out what would be done; change nothing. */
  readonly dryRun?: boolean | undefined;
  /** Write snapshots anew without the files that are lost. */
  readonly dropDamaged?: boolean | undefined;
  readonly onProgress?: ((step: RepairStep, bytesDone: number, bytesTotal: number) => void) | undefined;
}

/** Mends the store as far as that is possible; what remains damaged is in the result. Throws `locked`, `no-space`, `io`. */
export async function repair(workspace: Workspace, settings: RepairSettings = {}): Promise<RepairResult> {
  const { repository, workers } = workspace;
  const dryRun = settings.dryRun ?? false;
  const work = (): Promise<RepairResult> =>
    repairIn(repository, workers, {
      dryRun,
      dropDamaged: settings.dropDamaged ?? false,
      signal: workspace.signal,
      progress: settings.onProgress ?? (() => undefined),
    });
  if (dryRun) return work();
  if (repository.damage === undefined) return workspace.exclusively(work);
  const lock = await repository.lock(LOCK_TIMEOUT_MS);
  try {
    return await work();
  } finally {
    lock.release();
  }
}

/**
 * Puts the store's `config.json` back, without which no workspace of it opens, for the workspace that the absolute path
 * `folder` lies in. Undefined if it is whole. Throws `corrupt-data` if this workspace does not know how it was.
 */
export function repairConfig(folder: string, { dryRun = false }: RepairSettings = {}): Promise<ConfigMend | undefined> {
  const environment = processEnvironment('snap repair');
  return mendConfig(environment, findWorkspace(environment, folder), dryRun);
}
