/**
 * What a checkout into another folder leaves there when it is cut short: its folder of temporary files, with a mark that
 * names the store and the tree it was writing. Only a mark of the same two lets another one go on without being forced,
 * and only names that begin with the folder's own digits are ever removed from it. SPEC.md "Checkout".
 */
import { encodeCanonicalJson } from '../bytes/canonical-json.ts';
import type { AnchoredFolder } from '../disk/anchored-folder.ts';
import type { Disk } from '../disk/disk.ts';
import { readRegular, removeQuietly } from '../disk/files.ts';
import { errnoOf, hasCode } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import { CHECKOUT_PREFIX, notesIn, removeMadeBeside } from '../work/staging.ts';

/** The name of the folder for the temporary files that begin with `token`. */
export function temporaryFolder(token: string): string {
  return CHECKOUT_PREFIX + token;
}

/** What the names of temporary files in the folder `name` begin with; undefined if it is no such folder's name. */
function tokenOf(name: string): string | undefined {
  const token = name.startsWith(CHECKOUT_PREFIX) ? name.slice(CHECKOUT_PREFIX.length) : '';
  return /^[0-9a-f]{32}$/.test(token) ? token : undefined;
}

/** True for what a checkout itself makes in the folder of its token. */
function isOwnTemporary(token: string, name: string): boolean {
  return name.startsWith(`${token}-`);
}

export function markName(token: string): string {
  return `${token}-mark`;
}

export function markOf(store: string, tree: BlobId): Buffer {
  return encodeCanonicalJson({ format: 1, store, tree });
}

/** True if `folder/name` was left by a checkout with this very mark. */
export function bearsMark(disk: Disk, folder: string, name: string, mark: Buffer): boolean {
  const token = tokenOf(name);
  if (token === undefined || disk.lstat(`${folder}/${name}`)?.isDirectory() !== true) return false;
  const path = `${folder}/${name}/${markName(token)}`;
  return quietly(
    () => Number(disk.lstat(path)?.size) === mark.length && readRegular(disk, path)?.equals(mark) === true,
  );
}

/** True if `folder/name` holds nothing but what a checkout makes there. */
export function holdsOnlyTemporaries(disk: Disk, folder: string, name: string): boolean {
  const token = tokenOf(name);
  if (token === undefined || disk.lstat(`${folder}/${name}`)?.isDirectory() !== true) return false;
  return quietly(() => disk.list(`${folder}/${name}`).every((inner) => isOwnTemporary(token, inner)));
}

/**
 * Removes what a checkout made in its folder of temporary files `folder` of `root`, and beside places, and the folder
 * itself, unless a file of it is `kept`. What has another name is somebody else's, and stays.
 */
export function removeTemporaries(
  disk: Disk,
  root: { readonly fd: number; readonly path: string },
  anchor: AnchoredFolder,
  folder: string,
  kept: string | undefined,
): void {
  const token = tokenOf(folder);
  const at = enterIfThere(anchor, folder);
  if (at === undefined || token === undefined) return;
  removeMadeBeside(disk, root, at, notesIn(disk, at, token));
  for (const name of disk.list(`${at}/.`))
    if (isOwnTemporary(token, name) && name !== kept) removeQuietly(disk, `${at}/${name}`);
  if (kept !== undefined) return;
  try {
    disk.removeFolder(anchor.at(folder));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== 'ENOENT' && errno !== 'ENOTDIR' && errno !== 'ENOTEMPTY') throw error;
  }
}

function enterIfThere(anchor: AnchoredFolder, folder: string): string | undefined {
  try {
    return anchor.enter(folder);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && !hasCode(error, 'refused')) throw error;
    return undefined;
  }
}

/** What cannot be looked at is not one's own. */
function quietly(look: () => boolean): boolean {
  try {
    return look();
  } catch (error) {
    if (errnoOf(error) === undefined && !hasCode(error, 'corrupt-data')) throw error;
    return false;
  }
}
