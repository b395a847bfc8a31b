/** Statistics from outside. */
import type { Stats } from '../history/stats.ts';
import { stats as statsIn } from '../history/stats.ts';
import type { BlobId } from '../object/blob-id.ts';
import { resolveRevision } from '../repo/revision.ts';
import type { Workspace } from './workspace.ts';

/** What some revisions take, or, with none, all snapshots of the workspace (`all`: of the store). Throws `not-found`, `ambiguous`, `corrupt-data`. */
export async function stats(
  workspace: Workspace,
  settings: { readonly revisions?: readonly string[] | undefined; readonly all?: boolean | undefined } = {},
): Promise<Stats> {
  const { repository } = workspace;
  const revisions = settings.revisions ?? [];
  const ids: BlobId[] = [];
  for (const revision of revisions) ids.push(await resolveRevision(repository, revision));
  return statsIn(repository, revisions.length === 0 ? undefined : ids, settings.all ?? false, workspace.signal);
}
