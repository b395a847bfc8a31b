/** Tags from outside. */
import type { BlobId } from '../object/blob-id.ts';
import type { Snapshot } from '../object/snapshot.ts';
import { resolveRevision } from '../repo/revision.ts';
import type { TagChange } from '../repo/tagging.ts';
import { listTags, removeTag as removeTagIn, setTag } from '../repo/tagging.ts';
import type { Workspace } from './workspace.ts';

export interface ListedTag {
  readonly name: string;
  readonly id: BlobId;
  readonly snapshot: Snapshot;
}

/** All tags of the store, by name. */
export async function tags(workspace: Workspace): Promise<ListedTag[]> {
  const { repository } = workspace;
  const listed: ListedTag[] = [];
  for (const { name, id } of listTags(repository))
    listed.push({ name, id, snapshot: await repository.trees.snapshot(id) });
  return listed;
}

/** Tags a snapshot (default: HEAD); `force` moves a tag that exists. Throws `exists`, `usage`, `not-found`, `ambiguous`. */
export async function tag(
  workspace: Workspace,
  name: string,
  settings: { readonly revision?: string | undefined; readonly force?: boolean | undefined } = {},
): Promise<TagChange> {
  const { repository } = workspace;
  return workspace.exclusively(async () =>
    setTag(repository, name, await resolveRevision(repository, settings.revision ?? 'HEAD'), settings.force ?? false),
  );
}

/** Removes a tag. Throws `not-found`. */
export async function removeTag(workspace: Workspace, name: string): Promise<TagChange> {
  return workspace.exclusively(() => removeTagIn(workspace.repository, name));
}
