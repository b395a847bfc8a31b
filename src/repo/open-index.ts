/**
 * Opens the index of a workspace, whatever state it is in: another process may have it (then memory), its last user may
 * have died (then it is looked through in a child process first), it may be damaged or of another store (then it is
 * moved out of the way and built again). Never throws for a bad index.
 */
import type { Disk } from '../disk/disk.ts';
import { ensureFolder, removeTree, writeMarker } from '../disk/files.ts';
import { giveFilesAway } from '../disk/given-away.ts';
import { isAlive, readHolder } from '../disk/lock-file.ts';
import { errnoOf, fromSystemError, lacksDescriptors } from '../errors.ts';
import type { BlobIndex } from '../index/blob-index.ts';
import type { LevelIndex } from '../index/level-index.ts';
import type { Environment } from './environment.ts';
import { WORKSPACE } from './layout.ts';

export interface OpenedIndex {
  readonly index: BlobIndex | 'locked';
  /** One line for people if the index had to be given up. */
  readonly notice: string | undefined;
  close(): Promise<void>;
}

/** `folder`: the `.snap` folder. An index that comes back empty is to be filled from journal and footers. */
export async function openIndex(environment: Environment, folder: string, storeId: string): Promise<OpenedIndex> {
  try {
    return await openOnDisk(environment, folder, storeId);
  } catch (error) {
    if (!isReadOnly(error)) throw fromSystemError(error, 'opening the index in', folder);
    return {
      index: 'locked',
      notice: 'the workspace cannot be written; working without its index',
      close: async () => {},
    };
  }
}

/** True for the errors of a read-only file system, of somebody else's folder, and of a link in the place of our own. */
export function isReadOnly(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'EROFS' || errno === 'EACCES' || errno === 'EPERM' || errno === 'permission' || errno === 'refused';
}

async function openOnDisk(environment: Environment, folder: string, storeId: string): Promise<OpenedIndex> {
  const { disk } = environment;
  const path = `${folder}/${WORKSPACE.index}`;
  const marker = `${folder}/${WORKSPACE.indexInUse}`;
  const holder = readHolder(disk, marker);
  let notice: string | undefined;
  if (holder !== undefined) {
    if (isAlive(disk, holder, environment.holder) && holder.id !== environment.holder.id)
      return { index: 'locked', notice: undefined, close: async () => {} };
    if (!(await environment.checkIndex(path)))
      notice = discard(environment, path, 'it was left damaged by a command that was killed');
  }
  // LevelDB would wait for the writer of a FIFO for ever.
  if (!holdsFilesOnly(disk, path)) notice = discard(environment, path, 'something else lies among its files');
  // A superuser in somebody's workspace: LevelDB makes its files as his.
  const isGiven = environment.uid === 0 && disk.lstat(folder)?.uid !== 0n;
  if (isGiven) ensureFolder(disk, path);
  let level: LevelIndex | 'locked';
  try {
    level = await openLevel(path, storeId);
  } catch (error) {
    if (lacksDescriptors(error)) throw error;
    notice = discard(environment, path, 'it could not be opened');
    level = await openLevel(path, storeId);
  }
  if (level !== 'locked' && level.suspect) {
    await level.close();
    notice = discard(environment, path, 'its contents failed their check');
    level = await openLevel(path, storeId);
  }
  if (level === 'locked') return { index: 'locked', notice, close: async () => {} };
  const opened = level;
  try {
    writeMarker(disk, marker, Buffer.from(JSON.stringify(environment.holder)));
  } catch (error) {
    await opened.close();
    throw error;
  }
  const close = async (): Promise<void> => {
    await opened.close();
    quietly(() => {
      if (isGiven) giveFilesAway(disk, path);
      if (opened.suspect) discard(environment, path, '');
      removeTree(disk, marker);
    });
  };
  return { index: opened, notice, close };
}

/** True if `path` is a folder with nothing but files, or not there: another command may take it away at any moment. */
function holdsFilesOnly(disk: Disk, path: string): boolean {
  const stat = disk.lstat(path);
  if (stat === undefined) return true;
  if (!stat.isDirectory()) return false;
  try {
    return disk.list(path).every((name) => disk.lstat(`${path}/${name}`)?.isFile() !== false);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return true;
  }
}

async function openLevel(path: string, storeId: string): Promise<LevelIndex | 'locked'> {
  const { openLevelIndex } = await import('../index/level-index.ts');
  return openLevelIndex(path, storeId);
}

/** Clean-up after the work is done: what fails here is found, and mended, by the next command. */
function quietly(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}

/** As often as something of a command that was killed just now may still write or remove files there. */
const REMOVALS_MAX = 100;

function discard(environment: Environment, path: string, reason: string): string {
  for (let attempt = 1; ; attempt++) {
    try {
      removeTree(environment.disk, path);
      return `the index was built again: ${reason}`;
    } catch (error) {
      const errno = errnoOf(error);
      if ((errno !== 'ENOTEMPTY' && errno !== 'ENOENT') || attempt >= REMOVALS_MAX) throw error;
    }
  }
}
