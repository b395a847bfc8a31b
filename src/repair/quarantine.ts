/**
 * Quarantine: a damaged object gets a second name in the folder `quarantine` of the store before anything is put in its
 * place, and loses its first name only after that was published. So at no moment is it without a name, and gc, which
 * removes the files of packs that left the store, never removes it.
 */
import { ensureFolder, folderOf, removeIfThere, syncFolder } from '../disk/files.ts';
import { describing } from '../errors.ts';
import { QUARANTINE } from '../repo/layout.ts';
import type { Repository } from '../repo/repository.ts';

/** Gives a stored object its second name, and returns it; undefined if it is not there, or no file of this machine. */
export function quarantine(
  { backend, environment }: Pick<Repository, 'backend' | 'environment'>,
  name: string,
): string | undefined {
  const path = backend.changeablePath(name);
  if (path === undefined) return undefined;
  const { disk } = environment;
  return describing('quarantining', path, () => {
    const stat = disk.lstat(path);
    // What is a folder is no object of ours, and has no second name.
    if (stat === undefined || stat.isDirectory()) return undefined;
    const base = name.slice(name.lastIndexOf('/') + 1);
    for (const second of [`${QUARANTINE}/${base}`, `${QUARANTINE}/${environment.uniqueName()}-${base}`]) {
      const to = backend.changeablePath(second) ?? path;
      const there = disk.lstat(to);
      // A repair that was cut short may have done it.
      if (there !== undefined && there.ino === stat.ino && there.dev === stat.dev) return second;
      if (there !== undefined) continue;
      ensureFolder(disk, folderOf(to));
      disk.link(path, to);
      syncFolder(disk, folderOf(to));
      return second;
    }
    return undefined;
  });
}

/** Takes the first name away. */
export function removeFirstName({ backend, environment }: Repository, name: string): void {
  const path = backend.changeablePath(name);
  if (path === undefined) return;
  describing('removing', path, () => {
    removeIfThere(environment.disk, path);
    syncFolder(environment.disk, folderOf(path));
  });
}
