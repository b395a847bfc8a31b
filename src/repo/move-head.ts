/**
 * Moves HEAD without a commit. The journal is told first: in a store that several workspaces share, gc of another one
 * keeps what the journal knows as a HEAD. SPEC.md "Checkout".
 */
import { SnapError } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import { shortId } from '../object/blob-id.ts';
import { hasSnapshot } from '../object/store-state.ts';
import { isReadOnly } from './open-index.ts';
import type { Repository } from './repository.ts';

/** The caller holds the workspace's lock. Throws `conflict` if gc of another workspace has pruned the snapshot meanwhile. */
export async function moveHead(repository: Repository, to: BlobId | null): Promise<void> {
  const from = repository.head().snapshot;
  if (from !== to && repository.damage === undefined) {
    const draft = { operation: 'checkout', note: '', workspace: repository.workspaceId, head: { from, to } } as const;
    const checked = (): typeof draft => {
      if (to !== null && !hasSnapshot(repository.state(), to)) throw prunedMeanwhile(to);
      return draft;
    };
    try {
      await repository.publish(checked(), {}, checked);
    } catch (error) {
      // A store that cannot be written can be checked out from all the same.
      if (!isReadOnly(error)) throw error;
    }
  }
  repository.setHead(to);
}

function prunedMeanwhile(id: BlobId): SnapError {
  return new SnapError('conflict', `the snapshot ${shortId(id)} was pruned while it was checked out`, {
    hint: 'Its files are in the folder, and HEAD is where it was: `snap commit` keeps them.',
  });
}
