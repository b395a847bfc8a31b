/**
 * Storage in a folder of a local file system. `putIfAbsent` is link(2) of a synced temporary file; publishing is
 * rename(2) after a look, which is safe because pack names are random and never reused. Nothing is changed through a
 * link in the place of a folder below the root: it may lead into another store.
 */
import type { Disk } from '../disk/disk.ts';
import {
  ensureOwnFolder,
  folderOf,
  linkOnce,
  openForReading,
  readWhole,
  refuseLinkedFolder,
  removeIfThere,
  requireFolder,
  statOfFile,
  syncFolder,
  wrongFolder,
} from '../disk/files.ts';
import { readFully } from '../disk/whole-calls.ts';
import { errnoOf, fromSystemError, SnapError } from '../errors.ts';
import type { Backend, StoredObject } from './backend.ts';

/** `root`: an absolute path. `uniqueName`: a new random name at each call. */
export function fileBackend(disk: Disk, root: string, uniqueName: () => string): Backend {
  const guard = guardOf(disk);
  const pathOf = (name: string): string => `${root}/${name}`;
  const staging = `${root}/tmp`;
  const synced = new Set<string>();
  const own = ownFolders(disk, root);
  const sync = syncOnce(disk);
  /** A folder that is there may have been made by a process that died before it was durable. */
  const ensureDurable = (folder: string): void => {
    own(folder);
    ensureOwnFolder(disk, folder, root);
    for (let path = folder; path === root || path.startsWith(`${root}/`); path = folderOf(path)) {
      if (synced.has(path)) return;
      sync(folderOf(path));
      synced.add(path);
    }
  };

  return {
    location: root,
    get: async (name, range) =>
      guard('reading', pathOf(name), () =>
        range === undefined ? readWhole(disk, pathOf(name)) : readRange(disk, pathOf(name), range.offset, range.length),
      ),
    size: async (name) =>
      guard('reading', pathOf(name), () => {
        const stat = statOfFile(disk, pathOf(name));
        return stat === undefined ? undefined : Number(stat.size);
      }),
    putIfAbsent: async (name, bytes) =>
      guard('writing', pathOf(name), () => {
        own(staging);
        ensureOwnFolder(disk, staging, root);
        ensureDurable(folderOf(pathOf(name)));
        const created = linkOnce(disk, pathOf(name), bytes, `${staging}/${uniqueName()}`);
        // Also if it was there: whoever made it may have failed just before it was durable.
        sync(folderOf(pathOf(name)));
        return created;
      }),
    publish: async (stagedPath, name) =>
      guard('writing', pathOf(name), () => {
        const path = pathOf(name);
        ensureDurable(folderOf(path));
        if (disk.lstat(path) !== undefined) throw new SnapError('exists', `${path} exists already`);
        disk.rename(stagedPath, path);
        sync(folderOf(path));
      }),
    list: (folder) => listObjects(disk, root, folder),
    remove: async (name) =>
      guard('removing', pathOf(name), () => {
        own(folderOf(pathOf(name)));
        removeIfThere(disk, pathOf(name));
      }),
    stagingFolder: () => {
      guard('creating', staging, () => {
        own(staging);
        ensureOwnFolder(disk, staging, root);
      });
      return staging;
    },
    localPath: pathOf,
    changeablePath: (name) => {
      guard('looking at', pathOf(name), () => own(folderOf(pathOf(name))));
      return pathOf(name);
    },
    freeBytes: () => guard('reading', root, () => disk.freeBytes(root)),
  };
}

/**
 * Makes the names in a folder durable. After a failure it fails always: the system may have dropped what it could not
 * write, and say yes the next time.
 */
function syncOnce(disk: Disk): (folder: string) => void {
  const failures = new Map<string, unknown>();
  return (folder) => {
    if (failures.has(folder)) throw failures.get(folder);
    try {
      syncFolder(disk, folder);
    } catch (error) {
      // The folder was not even opened.
      if (errnoOf(error) !== 'EMFILE' && errnoOf(error) !== 'ENFILE') failures.set(folder, error);
      throw error;
    }
  };
}

/**
 * A check before each change: throws `refused` if `folder`, or one between it and the root, is a link. All folders in the
 * root are looked at first, so that nothing is begun that another of them would stop. A real folder is looked at once.
 */
function ownFolders(disk: Disk, root: string): (folder: string) => void {
  const real = new Set<string>();
  const look = (path: string): void => {
    if (real.has(path)) return;
    refuseLinkedFolder(disk, path);
    if (disk.lstat(path)?.isDirectory() === true) real.add(path);
  };
  return (folder) => {
    if (!real.has(root)) {
      requireFolder(disk, root);
      if (disk.lstat(root) === undefined) return;
      for (const name of disk.list(root)) look(`${root}/${name}`);
      real.add(root);
    }
    for (let path = folder; path !== root; path = folderOf(path)) look(path);
  };
}

async function* listObjects(disk: Disk, root: string, folder: string): AsyncGenerator<StoredObject> {
  const guard = guardOf(disk);
  const path = `${root}/${folder}`;
  const names = guard('listing', path, () => (disk.lstat(path) === undefined ? [] : disk.list(path).sort()));
  for (const name of names) {
    const stat = guard('listing', path, () => disk.lstat(`${path}/${name}`));
    if (stat?.isDirectory() === true) {
      yield* listObjects(disk, root, `${folder}/${name}`);
      continue;
    }
    const file = stat?.isFile() === true ? stat : guard('listing', path, () => statOfFile(disk, `${path}/${name}`));
    if (file !== undefined) yield { name: `${folder}/${name}`, size: Number(file.size) };
  }
}

function readRange(disk: Disk, path: string, offset: number, length: number): Buffer | undefined {
  const fd = openForReading(disk, path);
  if (fd === undefined) return undefined;
  try {
    const buffer = Buffer.allocUnsafe(length);
    return buffer.subarray(0, readFully(disk, fd, buffer, offset));
  } finally {
    disk.close(fd);
  }
}

/** System errors come out as of `fromSystemError`; as `corrupt-data` where something else is in the place of a folder. */
function guardOf(disk: Disk) {
  return <T>(action: string, path: string, work: () => T): T => {
    try {
      return work();
    } catch (error) {
      const isNoFolder = ['ENOTDIR', 'ELOOP', 'ENOENT'].includes(errnoOf(error) ?? '');
      const wrong = isNoFolder ? wrongFolder(disk, action === 'listing' ? path : folderOf(path)) : undefined;
      throw wrong ?? fromSystemError(error, action, path);
    }
  };
}
