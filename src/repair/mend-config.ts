/** Puts the `config.json` of a store back from the copy that a workspace keeps: nothing can be opened without it. */
import { replaceFile } from '../disk/files.ts';
import { describing } from '../errors.ts';
import type { Environment } from '../repo/environment.ts';
import { STORE_CONFIG } from '../repo/layout.ts';
import { examineStoreConfig } from '../repo/open-store-config.ts';
import { locate } from '../repo/repository.ts';
import { quarantine } from './quarantine.ts';

export interface ConfigMend {
  readonly reason: string;
  /** Where the damaged file is now, in the store. */
  readonly quarantined: string | undefined;
}

/**
 * Undefined if there is nothing to do. Of two at once both write the same. Throws `corrupt-data` if this workspace has
 * no copy, and what `locate` and `examineStoreConfig` throw.
 */
export async function mendConfig(outside: Environment, root: string, dryRun: boolean): Promise<ConfigMend | undefined> {
  const { environment, folder, backend } = locate(outside, root);
  const found = await examineStoreConfig(environment, folder, backend);
  if (!('error' in found)) return undefined;
  const { error, copy } = found;
  const path = backend.localPath(STORE_CONFIG);
  if (copy === undefined || path === undefined) throw error;
  const reason = error.message;
  if (dryRun) return { reason, quarantined: undefined };
  const { disk, uniqueName } = environment;
  const quarantined = quarantine({ backend, environment }, STORE_CONFIG);
  const staged = `${backend.stagingFolder()}/${uniqueName()}`;
  describing('writing', path, () => replaceFile(disk, path, copy, staged));
  return { reason, quarantined };
}
