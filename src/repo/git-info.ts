/** Commit and branch of the Git checkout that the workspace is, read from Git's files; null if it is none. */

import type { Disk } from '../disk/disk.ts';
import { readWhole } from '../disk/files.ts';
import { errnoOf } from '../errors.ts';

export function gitInfo(disk: Disk, root: string): { commit: string; branch: string | null } | null {
  try {
    const folder = gitFolder(disk, root);
    const head = folder === undefined ? undefined : readLine(disk, `${folder}/HEAD`);
    if (folder === undefined || head === undefined) return null;
    const ref = /^ref: (refs\/[^\0\n]+)$/.exec(head)?.[1];
    if (ref === undefined) return /^[0-9a-f]{40,64}$/.test(head) ? { commit: head, branch: null } : null;
    const common = readLine(disk, `${folder}/commondir`);
    const shared = common === undefined ? folder : common.startsWith('/') ? common : `${folder}/${common}`;
    const commit =
      readLine(disk, `${folder}/${ref}`) ?? readLine(disk, `${shared}/${ref}`) ?? packedRef(disk, shared, ref);
    if (commit === undefined || !/^[0-9a-f]{40,64}$/.test(commit)) return null;
    return { commit, branch: ref.replace(/^refs\/heads\//, '') };
  } catch (error) {
    // Whatever is wrong with Git's files is Git's to report.
    if (errnoOf(error) === undefined) throw error;
    return null;
  }
}

function gitFolder(disk: Disk, root: string): string | undefined {
  const stat = disk.lstat(`${root}/.git`);
  if (stat?.isDirectory() === true) return `${root}/.git`;
  if (stat?.isFile() !== true) return undefined;
  const path = /^gitdir: (.+)$/.exec(readLine(disk, `${root}/.git`) ?? '')?.[1];
  return path === undefined ? undefined : path.startsWith('/') ? path : `${root}/${path}`;
}

function packedRef(disk: Disk, folder: string, ref: string): string | undefined {
  const lines = readWhole(disk, `${folder}/packed-refs`)?.toString('utf8').split('\n') ?? [];
  return lines.find((line) => line.endsWith(` ${ref}`))?.split(' ')[0];
}

function readLine(disk: Disk, path: string): string | undefined {
  if (disk.lstat(path)?.isFile() !== true) return undefined;
  return readWhole(disk, path)?.toString('utf8').split('\n')[0];
}
