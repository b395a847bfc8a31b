/**
 * Storage in a folder of a local file system. `putIfAbsent` is link(2) of a synced temporary file; publishing is
 * rename(2) after a look, which is safe because pack names are random and never reused.
 */
import type { Disk } from '../disk/disk.ts';
import {
  createOnce,
  ensureOwnFolder,
  folderOf,
  openForReading,
  readFully,
  readWhole,
  removeIfThere,
  syncFolder,
} from '../disk/files.ts';
import { fromSystemError, SnapError } from '../errors.ts';
import type { Backend, StoredObject } from './backend.ts';

/** `root`: an absolute path. `uniqueName`: a new random name at each call. */
export function fileBackend(disk: Disk, root: string, uniqueName: () => string): Backend {
  const pathOf = (name: string): string => `${root}/${name}`;
  const staging = `${root}/tmp`;
  const synced = new Set<string>();
  /** A folder that is there may have been made by a process that died before it was durable. */
  const ensureDurable = (folder: string): void => {
    ensureOwnFolder(disk, folder);
    for (let path = folder; path === root || path.startsWith(`${root}/`); path = folderOf(path)) {
      if (synced.has(path)) return;
      syncFolder(disk, folderOf(path));
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
        const stat = disk.lstat(pathOf(name));
        return stat?.isFile() === true ? Number(stat.size) : undefined;
      }),
    putIfAbsent: async (name, bytes) =>
      guard('writing', pathOf(name), () => {
        ensureOwnFolder(disk, staging);
        ensureDurable(folderOf(pathOf(name)));
        return createOnce(disk, pathOf(name), bytes, `${staging}/${uniqueName()}`);
      }),
    publish: async (stagedPath, name) =>
      guard('writing', pathOf(name), () => {
        const path = pathOf(name);
        ensureDurable(folderOf(path));
        if (disk.lstat(path) !== undefined) throw new SnapError('exists', `${path} exists already`);
        disk.rename(stagedPath, path);
        syncFolder(disk, folderOf(path));
      }),
    list: (folder) => listObjects(disk, root, folder),
    remove: async (name) => guard('removing', pathOf(name), () => removeIfThere(disk, pathOf(name))),
    stagingFolder: () => {
      guard('creating', staging, () => ensureOwnFolder(disk, staging));
      return staging;
    },
    localPath: pathOf,
    freeBytes: () => guard('reading', root, () => disk.freeBytes(root)),
  };
}

async function* listObjects(disk: Disk, root: string, folder: string): AsyncGenerator<StoredObject> {
  const path = `${root}/${folder}`;
  const names = guard('listing', path, () => (disk.lstat(path) === undefined ? [] : disk.list(path).sort()));
  for (const name of names) {
    const stat = guard('listing', path, () => disk.lstat(`${path}/${name}`));
    if (stat === undefined) continue;
    if (stat.isDirectory()) yield* listObjects(disk, root, `${folder}/${name}`);
    else if (stat.isFile()) yield { name: `${folder}/${name}`, size: Number(stat.size) };
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

function guard<T>(action: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw fromSystemError(error, action, path);
  }
}
