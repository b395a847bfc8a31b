/**
 * The mark of who has the index of a workspace: taken before LevelDB is opened, and given up after it is closed, so that
 * whoever has it may also remove the index. One that is left behind says that its index has to be looked through. It
 * never replaces a living process's, but that of another container, whose life only LevelDB's own lock tells.
 */
import { ensureFolder, removeIfThere, removeQuietly, requireRealFolder, writeMarker } from '../disk/files.ts';
import type { Holder } from '../disk/lock-file.ts';
import { breakLock, isAlive, isInOtherContainer, readHolder } from '../disk/lock-file.ts';
import { errnoOf } from '../errors.ts';
import type { Environment } from './environment.ts';
import { WORKSPACE } from './layout.ts';

export interface IndexMarker {
  /** Whose it was: he died, or is in another container. */
  readonly left: Holder | undefined;
  /** False once a process of another container has taken it: what is there is not ours any more. */
  isOurs(): boolean;
  release(): void;
  /** Leaves things as they were before it was taken. */
  giveBack(): void;
}

/** Takes the mark in `.snap` (`folder`), or returns who has it. Throws the system's errors, and those of `requireRealFolder`. */
export function takeMarker(environment: Environment, folder: string): IndexMarker | Holder {
  const { disk, holder } = environment;
  const path = `${folder}/${WORKSPACE.indexInUse}`;
  const left = readHolder(disk, path);
  let isTaken = false;
  if (left === undefined) isTaken = put(environment, folder, holder, 'new');
  else {
    if (left.id !== holder.id && isAlive(disk, left, holder) && !isInOtherContainer(left, holder)) return left;
    const other = breakLock(disk, path, left, holder, () => {
      isTaken = put(environment, folder, holder, 'replace');
    });
    if (other !== undefined) return other;
  }
  // Somebody else was faster.
  if (!isTaken) return readHolder(disk, path) ?? holder;
  const isOurs = (): boolean => readHolder(disk, path)?.id === holder.id;
  const release = (): void => {
    if (isOurs()) removeIfThere(disk, path);
  };
  return {
    left,
    isOurs,
    release,
    giveBack: () =>
      quietly(() => (left === undefined ? release() : isOurs() && put(environment, folder, left, 'replace'))),
  };
}

/** Clean-up after the work is done: what fails here is found, and mended, by the next command. */
export function quietly(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}

/** Whole at once, and never written into what is there: a name may have been linked to somebody else's file. */
function put({ disk, uniqueName }: Environment, folder: string, holder: Holder, how: 'new' | 'replace'): boolean {
  const path = `${folder}/${WORKSPACE.indexInUse}`;
  const temporary = `${folder}/${WORKSPACE.temporary}/${uniqueName()}`;
  ensureFolder(disk, `${folder}/${WORKSPACE.temporary}`);
  requireRealFolder(disk, `${folder}/${WORKSPACE.temporary}`);
  writeMarker(disk, temporary, Buffer.from(JSON.stringify(holder)));
  try {
    if (how === 'new') disk.link(temporary, path);
    else disk.rename(temporary, path);
    return true;
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    return false;
  } finally {
    removeQuietly(disk, temporary);
  }
}
