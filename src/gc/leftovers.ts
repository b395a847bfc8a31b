/**
 * Leftovers of processes that died: packs that no journal entry names, files of packs that were swept, staging files.
 * A pack of a commit that is under way looks the same: while any session is alive they stay, to spare it. That is no
 * promise, so a pack without an entry gets one that sweeps it before its file goes; a commit finds that by its number.
 */
import { OPEN } from '../disk/disk.ts';
import { folderOf, removeTree } from '../disk/files.ts';
import { fromSystemError, hasCode } from '../errors.ts';
import type { PackRecord } from '../object/journal-entry.ts';
import type { PackId } from '../object/pack-id.ts';
import { PACK_BYTES_MAX, parsePackId } from '../object/pack-id.ts';
import { readFooter } from '../pack/pack-reader.ts';
import type { EntryDraft } from '../repo/journal.ts';
import { GC_LOCK, PACKS, WORKSPACE } from '../repo/layout.ts';
import { hashOf } from '../repo/read-pack.ts';
import type { Repository } from '../repo/repository.ts';
import { liveSessions } from '../repo/session.ts';
import type { ByteRange, StoredObject } from '../storage/backend.ts';
import { notesIn, removeMadeBeside } from '../work/staging.ts';
import { Raced } from './raced.ts';
import type { StoreView } from './store-view.ts';

export interface Leftovers {
  readonly files: number;
  readonly bytes: number;
}

/** Commands without a session (tag, undo) stage a file for a moment; older ones were left behind. */
const STAGED_AGE_MS_MIN = 10 * 60_000;

/** Commits and checkouts have a session: what they staged is nobody's when none is alive. */
const CHECKOUT_FILE = /^[0-9a-f]{32}-/;

/** An index that was moved out of the way. */
const INDEX_ASIDE = /^index-[0-9a-f]{32}$/;

interface Found {
  readonly packs: readonly { readonly object: StoredObject; readonly id: PackId }[];
  readonly staged: readonly { readonly path: string; readonly size: number }[];
  /** What checkouts noted that they made beside places. */
  readonly notes: readonly string[];
  /** No other process reads or writes, nor has what is listed here. Who begins later has other names. */
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

/** Removes what nobody needs, or can need from now on. Never a pack of the journal's state. */
export async function removeLeftovers(repository: Repository, view: StoreView): Promise<Leftovers> {
  const { environment, backend } = repository;
  const { packs, staged, notes, alone } = await findLeftovers(repository, view);
  await view.refresh();
  if (alone) await sweepUnnamed(repository, view, packs);
  let files = 0;
  let bytes = 0;
  for (const { object, id } of packs) {
    if (!view.swept.has(id)) continue;
    await backend.remove(object.name);
    files++;
    bytes += object.size;
  }
  if (alone) {
    removeBeside(repository, notes);
    for (const { path, size } of staged) {
      try {
        removeTree(environment.disk, path);
      } catch (error) {
        throw fromSystemError(error, 'removing', path);
      }
      files++;
      bytes += size;
    }
  }
  return { files, bytes };
}

/** What checkouts had not put into places that cannot be reached from the folder for temporary files. */
function removeBeside({ environment: { disk }, root, folder }: Repository, notes: readonly string[]): void {
  if (notes.length === 0) return;
  const fd = disk.open(root, OPEN.folderThroughLink);
  try {
    removeMadeBeside(disk, { fd, path: root }, `${folder}/${WORKSPACE.temporary}`, notes);
  } finally {
    disk.close(fd);
  }
}

function listNotes({ environment: { disk }, folder }: Repository): string[] {
  const temporaries = `${folder}/${WORKSPACE.temporary}`;
  return disk.lstat(temporaries)?.isDirectory() === true ? notesIn(disk, temporaries) : [];
}

/**
 * Publishes that packs which no entry names are swept. Whoever wrote one and has not published it yet conflicts with
 * this entry, and starts again, as after any sweep; whoever was faster keeps it. Joining, being condemned and leaving
 * in one entry leaves the state as it was.
 */
async function sweepUnnamed(repository: Repository, view: StoreView, found: Found['packs']): Promise<void> {
  const { backend } = repository;
  const records: PackRecord[] = [];
  for (const { object, id } of found) {
    if (view.state.packs.has(id) || view.swept.has(id)) continue;
    // Of a file that is longer than any pack, what a pack could hold: no entry names more.
    const size = Math.min(object.size, PACK_BYTES_MAX);
    const read = (range: ByteRange): Promise<Buffer | undefined> => backend.get(object.name, range);
    const sha256 = await hashOf(size, read);
    if (sha256 !== undefined) records.push({ id, size, sha256, blobs: await countBlobs(id, size, read) });
  }
  const draft = (packs: readonly PackRecord[]): EntryDraft => {
    const ids = packs.map(({ id }) => id);
    const note = `${ids.length} packs that no entry named`;
    return { operation: 'sweep', note, workspace: repository.workspaceId, packs, condemned: ids, swept: ids };
  };
  let left: readonly PackRecord[] = records;
  try {
    if (left.length > 0)
      await repository.publish(draft(left), {}, (others) => {
        const named = new Set(others.flatMap(({ entry }) => entry.packs.map(({ id }) => id)));
        left = left.filter(({ id }) => !named.has(id));
        if (left.length === 0) throw new Raced();
        return draft(left);
      });
  } catch (error) {
    if (!(error instanceof Raced)) throw error;
  }
  await view.refresh();
}

/** 0 for a pack that is not whole. */
async function countBlobs(
  id: PackId,
  size: number,
  read: (range: ByteRange) => Promise<Buffer | undefined>,
): Promise<number> {
  try {
    const range = async (offset: number, length: number): Promise<Buffer> =>
      (await read({ offset, length })) ?? Buffer.alloc(0);
    const { blocks } = await readFooter(id, size, range);
    return blocks.reduce((sum, block) => sum + block.blobs.length, 0);
  } catch (error) {
    if (hasCode(error, 'corrupt-data', 'unsupported-format')) return 0;
    throw error;
  }
}

async function findLeftovers(repository: Repository, view: Named): Promise<Found> {
  const { environment, backend } = repository;
  const packs: { readonly object: StoredObject; readonly id: PackId }[] = [];
  for await (const object of backend.list(PACKS)) {
    const id = packIdOfName(object.name);
    if (id !== undefined && !view.state.packs.has(id)) packs.push({ object, id });
  }
  const [staged, notes] = [listStaged(repository), listNotes(repository)];
  // Last: a checkout that has begun by now is seen.
  return { packs, staged, notes, alone: liveSessions(environment, backend).length === 0 };
}

/** Staged packs, files that a checkout of this workspace had not put in their places, and beginnings of locks. */
function listStaged({ environment, backend, folder }: Repository): { path: string; size: number }[] {
  const { disk } = environment;
  const limit = environment.now().getTime() - STAGED_AGE_MS_MIN;
  const staged: { path: string; size: number }[] = [];
  const locks = [`${folder}/${WORKSPACE.lock}`, backend.changeablePath(GC_LOCK)].filter((path) => path !== undefined);
  const places = [
    ...[backend.stagingFolder(), `${folder}/${WORKSPACE.temporary}`].map((where) => ({ where, prefix: '' })),
    ...locks.map((path) => ({ where: folderOf(path), prefix: `${path.slice(folderOf(path).length + 1)}.` })),
  ];
  for (const { where, prefix } of places) {
    // Never through a link: it may lead to somebody's own files.
    for (const name of disk.lstat(where)?.isDirectory() === true ? disk.list(where) : []) {
      // What guards the breaking of a lock goes with its lock.
      if (!name.startsWith(prefix) || name.startsWith(`${prefix}stale-`)) continue;
      const path = `${where}/${name}`;
      const stat = disk.lstat(path);
      if (stat === undefined || (stat.isDirectory() && !INDEX_ASIDE.test(name))) continue;
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
