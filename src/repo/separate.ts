/** Gives a copied workspace an id of its own. */
import { replaceFile } from '../disk/files.ts';
import { describing, SnapError } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { StoreState } from '../object/store-state.ts';
import type { Backend } from '../storage/backend.ts';
import type { Environment } from './environment.ts';
import { writeHead } from './head.ts';
import { appendEntry } from './journal.ts';
import { WORKSPACE } from './layout.ts';
import { isStoreElsewhere, notePlace } from './place.ts';
import type { Repository } from './repository.ts';
import { readSettingsText } from './settings-file.ts';
import { editSetting } from './settings-text.ts';
import { livingParent } from './snapshot-list.ts';
import { lockWorkspace } from './workspace-lock.ts';
import { nameBeside } from './workspace-name.ts';

export interface Separated {
  readonly workspaceId: string;
  readonly name: string;
  /** As before, or what is left of its line if that was pruned. */
  readonly head: BlobId | null;
}

/**
 * The store is told of its HEAD first, so that gc keeps it; then the id is written. Cut off in between, an id is left in
 * the journal that nobody has, and the copy is one as before. `given`: its name, by default that of its folder, or another
 * where the first one has that. Throws `refused` if the store lies in the workspace,
 * `locked` after `waitMs`, `corrupt-data`.
 */
export async function separate(repository: Repository, given: string | undefined, waitMs: number): Promise<Separated> {
  const { environment, root, folder, backend, settings } = repository;
  if (!isStoreElsewhere(environment.disk, root, settings))
    throw new SnapError('refused', `the store of ${root} lies in it: no other workspace has it`, {
      hint: 'Nothing is to be done: a copy of such a folder is a workspace of its own.',
    });
  const lock = await lockWorkspace(environment, folder, waitMs);
  try {
    const workspaceId = environment.uniqueName();
    const name = given ?? nameBeside(root, repository.workspaceName);
    const { head, state } = await announceHead(environment, backend, workspaceId, async () => {
      await repository.refresh();
      const living = livingParent(repository, repository.head().snapshot) ?? null;
      return { state: repository.state(), head: living };
    });
    const now = { snapshot: head, journalNumber: state.number, journalHash: state.hash ?? undefined };
    writeHead(environment.disk, folder, now, environment.uniqueName());
    const path = `${folder}/${WORKSPACE.config}`;
    describing('writing', path, () => {
      const before = readSettingsText(environment.disk, path) ?? '';
      const withId = editSetting(before, 'workspace.id', workspaceId);
      const text = editSetting(withId, 'workspace.name', name);
      const temporary = `${folder}/${WORKSPACE.temporary}/${environment.uniqueName()}`;
      replaceFile(environment.disk, path, Buffer.from(text), temporary);
      notePlace(environment, root, backend.location, workspaceId);
    });
    return { workspaceId, name, head };
  } finally {
    lock.release();
  }
}

interface Announced {
  readonly state: StoreState;
  readonly head: BlobId | null;
}

/**
 * Tells the store where the HEAD of a workspace with a new id is, so that gc keeps it. `newest` reads the store's state
 * and says where HEAD is then; it is asked again if somebody published before. Returns the state with it. Throws what
 * `newest` throws, and system errors.
 */
export async function announceHead(
  environment: Environment,
  backend: Backend,
  workspace: string,
  newest: () => Promise<Announced>,
): Promise<Announced> {
  for (;;) {
    const { state, head } = await newest();
    const draft = { operation: 'checkout', note: '', workspace, head: { from: null, to: head } } as const;
    const result = await appendEntry(backend, environment, state, draft);
    if (!('conflict' in result)) return { state: result.state, head };
  }
}
