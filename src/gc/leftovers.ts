/**
 * Leftovers of processes that died: packs that no journal entry names, files of packs that were swept, staging files.
 * A pack of a commit that is under way looks the same, so they go only if no session was alive after they were listed,
 * and the journal was read after that.
 */
import { removeIfThere } from '../disk/files.ts';
import { fromSystemError } from '../errors.ts';
import type { PackId } from '../object/pack-id.ts';
import { parsePackId } from '../object/pack-id.ts';
import { PACKS, WORKSPACE } from '../repo/layout.ts';
import type { Repository } from '../repo/repository.ts';
import { liveSessions } from '../repo/session.ts';
import type { StoredObject } from '../storage/backend.ts';
import type { StoreView } from './store-view.ts';

export interface Leftovers {
  readonly files: number;
  readonly bytes: number;
}

/** Commands without a session (tag, undo) stage a file for a moment; older ones were left behind. */
const STAGED_AGE_MS_MIN = 10 * 60_000;

/** Commits and checkouts have a session: what they staged is nobody's when none is alive. */
const CHECKOUT_FILE = /^[0-9a-f]{32}-/;

interface Found {
  readonly packs: readonly { readonly object: StoredObject; readonly id: PackId }[];
  readonly staged: readonly { readonly path: string; readonly size: number }[];
  /** No other process reads or writes. */
  readonly alone: boolean;
}

/** What the journal names, and what gc has swept. */
type Named = Pick<StoreView, 'state' | 'swept'>;

/** What `removeLeftovers` would remove now. */
export async function countLeftovers(repository: Repository, view: Named): Promise<Leftovers> {
  const { packs, staged, alone } = await findLeftovers(repository, view);
  const sizes = packs.filter(({ id }) => alone || view.swept.has(id)).map(({ object }) => object.size);
  if (alone) for (const { size } of staged) sizes.push(size);
  return { files: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

/** Removes what certainly nobody needs. Never a pack of the journal's state. */
export async function removeLeftovers(repository: Repository, view: StoreView): Promise<Leftovers> {
  const { environment, backend } = repository;
  const { packs, staged, alone } = await findLeftovers(repository, view);
  await view.refresh();
  let files = 0;
  let bytes = 0;
  for (const { object, id } of packs) {
    if (view.state.packs.has(id) || !(alone || view.swept.has(id))) continue;
    await backend.remove(object.name);
    files++;
    bytes += object.size;
  }
  if (alone) {
    for (const { path, size } of staged) {
      try {
        removeIfThere(environment.disk, path);
      } catch (error) {
        throw fromSystemError(error, 'removing', path);
      }
      files++;
      bytes += size;
    }
  }
  return { files, bytes };
}

async function findLeftovers(repository: Repository, view: Named): Promise<Found> {
  const { environment, backend } = repository;
  const packs: { readonly object: StoredObject; readonly id: PackId }[] = [];
  for await (const object of backend.list(PACKS)) {
    const id = packIdOfName(object.name);
    if (id !== undefined && !view.state.packs.has(id)) packs.push({ object, id });
  }
  return { packs, staged: listStaged(repository), alone: liveSessions(environment, backend).length === 0 };
}

/** Staged packs, and files that a checkout of this workspace had not put in their places. */
function listStaged({ environment, backend, folder }: Repository): { path: string; size: number }[] {
  const { disk } = environment;
  const limit = environment.now().getTime() - STAGED_AGE_MS_MIN;
  const staged: { path: string; size: number }[] = [];
  for (const where of [backend.stagingFolder(), `${folder}/${WORKSPACE.temporary}`]) {
    for (const name of disk.list(where)) {
      const path = `${where}/${name}`;
      const stat = disk.lstat(path);
      if (stat?.isDirectory() !== false) continue;
      if (name.endsWith('.pack') || CHECKOUT_FILE.test(name) || Number(stat.mtimeMs) < limit)
        staged.push({ path, size: Number(stat.size) });
    }
  }
  return staged;
}

function packIdOfName(name: string): PackId | undefined {
  const id = /^packs\/[0-9a-f]{2}\/([0-9a-f]{32})\.pack$/.exec(name)?.[1];
  return id === undefined ? undefined : parsePackId(id, 'pack name');
}
