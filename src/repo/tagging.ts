/**
 * Tags: names that people give to snapshots. Each change is one journal entry, which names its inverse for undo. If
 * others publish first, the change is checked again against what they did.
 */
import { SnapError } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import { shortId } from '../object/blob-id.ts';
import type { RefChange } from '../object/journal-entry.ts';
import { tagOfRef, tagRef } from '../object/ref-name.ts';
import type { EntryDraft } from './journal.ts';
import { refsThatMoved } from './ref-changes.ts';
import type { Repository } from './repository.ts';
import { requireSnapshot } from './snapshot-list.ts';

export interface TagChange {
  readonly name: string;
  readonly from: BlobId | null;
  readonly to: BlobId | null;
}

/** Sets a tag. `force` moves one that exists. Throws `usage`, `exists`, `not-found` for a pruned snapshot, `conflict`. */
export async function setTag(repository: Repository, name: string, id: BlobId, force: boolean): Promise<TagChange> {
  const ref = tagRef(name);
  const from = repository.state().refs.get(ref) ?? null;
  requireSnapshot(repository, id);
  if (from !== null && !force) {
    throw new SnapError('exists', `there is a tag "${name}" already, at ${shortId(from)}`, {
      hint: `Choose another name, or move it: snap tag --force ${name} ${shortId(id)}`,
    });
  }
  if (from !== id) {
    const note = from === null ? `${name} at ${shortId(id)}` : `${name} from ${shortId(from)} to ${shortId(id)}`;
    await publishTag(repository, note, { name: ref, from, to: id });
  }
  return { name, from, to: id };
}

/** Removes a tag; its snapshot stays as long as another ref names it. Throws `not-found`, `conflict`. */
export async function removeTag(repository: Repository, name: string): Promise<TagChange> {
  const ref = tagRef(name);
  const from = repository.state().refs.get(ref);
  if (from === undefined)
    throw new SnapError('not-found', `there is no tag "${name}"`, { hint: 'Run `snap tag` to see the tags.' });
  await publishTag(repository, `removed ${name}, which was at ${shortId(from)}`, { name: ref, from, to: null });
  return { name, from, to: null };
}

/** All tags, by name; numbers in names count as numbers. */
export function listTags(repository: Repository): { readonly name: string; readonly id: BlobId }[] {
  const order = new Intl.Collator('en', { numeric: true }).compare;
  const tags: { name: string; id: BlobId }[] = [];
  for (const [ref, id] of repository.state().refs) {
    const name = tagOfRef(ref);
    if (name !== undefined) tags.push({ name, id });
  }
  return tags.sort((a, b) => order(a.name, b.name) || (a.name < b.name ? -1 : 1));
}

async function publishTag(repository: Repository, note: string, change: RefChange): Promise<void> {
  const draft: EntryDraft = { operation: 'tag', note, workspace: repository.workspaceId, refs: [change] };
  await repository.publish(draft, {}, () => {
    const [moved] = refsThatMoved(repository.state(), [change]);
    if (moved !== undefined)
      throw new SnapError('conflict', `another command was faster: ${moved}`, {
        hint: 'Look at `snap tag`, then run this again if it is still wanted.',
      });
    if (change.to !== null) requireSnapshot(repository, change.to);
    return draft;
  });
}
