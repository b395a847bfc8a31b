/**
 * Opens the index of a workspace, whatever state it is in: another process may have it (then memory), its last user may
 * have died (then it is looked through in a child process first), it may be damaged or of another store (then it is
 * moved out of the way, removed, and built again). A bad index, or one that cannot be opened after all, never makes a
 * command fail: it works from memory.
 */
import type { Disk } from '../disk/disk.ts';
import { ensureFolder, removeTree } from '../disk/files.ts';
import { giveFilesAway } from '../disk/given-away.ts';
import type { Holder } from '../disk/lock-file.ts';
import { isElsewhere } from '../disk/lock-file.ts';
import type { Utf8Path } from '../disk/utf8-path.ts';
import { utf8Path } from '../disk/utf8-path.ts';
import { errnoOf, fromSystemError, hasCode, lacksDescriptors } from '../errors.ts';
import type { BlobIndex } from '../index/blob-index.ts';
import type { LevelIndex } from '../index/level-index.ts';
import type { Environment } from './environment.ts';
import type { IndexMarker } from './index-marker.ts';
import { quietly, takeMarker } from './index-marker.ts';
import { WORKSPACE } from './layout.ts';
import { nameHolder } from './lock-holder.ts';

export interface OpenedIndex {
  readonly index: BlobIndex | 'locked';
  /** One line for people if the index had to be given up. */
  readonly notice: string | undefined;
  close(): Promise<void>;
}

/**
 * `folder`: the `.snap` folder. An index that comes back empty is to be filled from journal and footers. `waitMs`: how
 * long to wait for another command that has it; without it, all files have to be read.
 */
export async function openIndex(
  environment: Environment,
  folder: string,
  storeId: string,
  waitMs = 0,
): Promise<OpenedIndex> {
  try {
    const marker = await waitForMarker(environment, folder, waitMs);
    if ('release' in marker) return await openOurs(environment, folder, storeId, marker);
    return withoutIndex(noticeOf(environment, folder, marker, waitMs > 0));
  } catch (error) {
    // Too many others break what a dead one left.
    if (hasCode(error, 'locked')) return withoutIndex(undefined);
    // Something else in the place of the folder for temporary files.
    if (hasCode(error, 'corrupt-data')) return withoutIndex(`working without the index: ${error.message}`);
    if (!isReadOnly(error) && !isFull(error)) throw fromSystemError(error, 'opening the index in', folder);
    return withoutIndex('the workspace cannot be written; working without its index');
  }
}

/** Moves the index in `.snap` (`folder`) away, at once: nobody may open half of it. The caller has its mark. */
export function removeIndex({ disk, uniqueName }: Environment, folder: string): void {
  const aside = `${folder}/${WORKSPACE.temporary}/index-${uniqueName()}`;
  try {
    disk.rename(`${folder}/${WORKSPACE.index}`, aside);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
  // What stays there goes with the next gc.
  quietly(() => removeTree(disk, aside));
}

/** True for the errors of a read-only file system, of somebody else's folder, and of a link in the place of our own. */
export function isReadOnly(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'EROFS' || errno === 'EACCES' || errno === 'EPERM' || errno === 'permission' || errno === 'refused';
}

/** True for the errors of a full disk; LevelDB has them in words. */
function isFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    /^(ENOSPC|EDQUOT|no-space)$/.test(errnoOf(error) ?? '') ||
    /No space left/.test(error.message) ||
    isFull(error.cause)
  );
}

function withoutIndex(notice: string | undefined): OpenedIndex {
  return { index: 'locked', notice, close: async () => {} };
}

async function waitForMarker(environment: Environment, folder: string, waitMs: number): Promise<IndexMarker | Holder> {
  const deadline = environment.elapsed() + waitMs;
  for (;;) {
    const marker = takeMarker(environment, folder);
    if ('release' in marker || environment.elapsed() >= deadline) return marker;
    if (isElsewhere(marker, environment.holder) || !isCommand(marker)) return marker;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Commands end soon; programs that use the library may keep it for days. */
function isCommand({ command }: Holder): boolean {
  return command.startsWith('snap ');
}

/** `hasWaited`: who has not is not told of a process that ends some time. */
function noticeOf(environment: Environment, folder: string, holder: Holder, hasWaited: boolean): string | undefined {
  if (!isElsewhere(holder, environment.holder))
    return hasWaited ? `${nameHolder(holder)} has the index: every file is read again` : undefined;
  return (
    `working without the index: ${nameHolder(holder)}, on another machine or in another container, has it; ` +
    `if nothing runs there any more, remove ${folder}/${WORKSPACE.indexInUse}`
  );
}

async function openOurs(
  environment: Environment,
  folder: string,
  storeId: string,
  marker: IndexMarker,
): Promise<OpenedIndex> {
  const { disk } = environment;
  // A superuser in somebody's workspace: LevelDB makes its files as his.
  const isGiven = environment.uid === 0 && disk.lstat(folder)?.uid !== 0n;
  let place: Utf8Path | undefined;
  let opened: Opened;
  const giveUp = (): void => {
    place?.close();
    marker.giveBack();
  };
  try {
    place = utf8Path(disk, folder, environment.holder.pid);
    opened = await openLevel(environment, folder, place.path, storeId, marker.left !== undefined, isGiven);
  } catch (error) {
    giveUp();
    throw error;
  }
  const { level, notice } = opened;
  if (level === 'locked') {
    giveUp();
    return withoutIndex(notice);
  }
  const close = async (): Promise<void> => {
    await level.close();
    place.close();
    quietly(() => {
      if (!marker.isOurs()) return;
      if (isGiven) giveFilesAway(disk, `${folder}/${WORKSPACE.index}`);
      if (level.suspect) removeIndex(environment, folder);
      marker.release();
    });
  };
  return { index: level, notice, close };
}

interface Opened {
  readonly level: LevelIndex | 'locked';
  readonly notice: string | undefined;
}

/** `at`: the folder, for LevelDB. `isLeft`: its last user may have died. */
async function openLevel(
  environment: Environment,
  folder: string,
  at: string,
  storeId: string,
  isLeft: boolean,
  isGiven: boolean,
): Promise<Opened> {
  const { disk } = environment;
  const path = `${folder}/${WORKSPACE.index}`;
  let fault = holdsOnlyFiles(disk, path, isGiven) ? undefined : 'something else lies among its files';
  if (isLeft && fault === undefined) {
    const verdict = await environment.checkIndex(`${at}/${WORKSPACE.index}`);
    if (verdict === 'locked') return { level: 'locked', notice: undefined };
    if (verdict === 'unknown') return { level: 'locked', notice: NOT_LOOKED_THROUGH };
    if (verdict === 'damaged') fault = 'it was left damaged by a command that was killed';
  }
  const { openLevelIndex } = await import('../index/level-index.ts');
  let notice: string | undefined;
  let reason = '';
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    try {
      if (fault !== undefined) {
        notice = `the index was built again: ${fault}`;
        removeIndex(environment, folder);
      }
      if (isGiven) ensureFolder(disk, path);
      const level = await openLevelIndex(`${at}/${WORKSPACE.index}`, storeId);
      if (level === 'locked' || !level.suspect) return { level, notice };
      await level.close();
      fault = 'its contents failed their check';
    } catch (error) {
      if (lacksDescriptors(error) || isReadOnly(error) || isFull(error)) throw error;
      fault = 'it could not be opened';
      reason = fromSystemError(error, 'opening', path).message;
    }
  }
  return { level: 'locked', notice: `working without the index, which cannot be built again: ${reason}` };
}

const ATTEMPTS_MAX = 2;
const POLL_MS = 20;

const NOT_LOOKED_THROUGH =
  'working without the index: a command that used it was killed, and it could not be looked through; `snap reindex` builds ' +
  'it again';

/**
 * True if `path` is a folder with nothing but files, or not there: it may be deleted at any time. For the writer of a FIFO LevelDB would wait for ever.
 * `ownOnly`: nor with files that have other names, which may be somebody else's: LevelDB writes over what is there.
 */
function holdsOnlyFiles(disk: Disk, path: string, ownOnly: boolean): boolean {
  const stat = disk.lstat(path);
  if (stat === undefined) return true;
  if (!stat.isDirectory()) return false;
  try {
    return disk.list(path).every((name) => {
      const file = disk.lstat(`${path}/${name}`);
      return file === undefined || (file.isFile() && !(ownOnly && file.nlink > 1n));
    });
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return true;
  }
}
