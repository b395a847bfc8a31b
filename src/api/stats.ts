/** Statistics from outside. */
import type { Leftovers } from '../gc/leftovers.ts';
import { countLeftovers } from '../gc/leftovers.ts';
import type { Stats } from '../history/stats.ts';
import { stats as statsIn } from '../history/stats.ts';
import type { BlobId } from '../object/blob-id.ts';
import { resolveRevision } from '../repo/revision.ts';
import type { Workspace } from './workspace.ts';

export interface StoreStats extends Stats {
  /** What interrupted commands left in the store, on top of `storeBytes`: gc removes it. */
  readonly leftovers: Leftovers;
}

/** What some revisions take, or, with none, all snapshots of the workspace (`all`: of the store). Throws `not-found`, `ambiguous`, `corrupt-data`. */
export async function stats(
  workspace: Workspace,
  settings: { readonly revisions?: readonly string[] | undefined; readonly all?: boolean | undefined } = {},
): Promise<StoreStats> {
  const { repository } = workspace;
  const revisions = settings.revisions ?? [];
  const ids: BlobId[] = [];
  for (const revision of revisions) ids.push(await resolveRevision(repository, revision));
  const measured = await statsIn(
    repository,
    revisions.length === 0 ? undefined : ids,
    settings.all ?? false,
    workspace.signal,
  );
  return {
    ...measured,
    leftovers: await countLeftovers(repository, { state: await repository.blobs.newestState(), swept: new Set() }),
  };
}
