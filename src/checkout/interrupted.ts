/**
 * What a checkout into another folder leaves there when it is cut short: its folder of temporary files, with a mark that
 * names the store and the tree it was writing. Only a mark of the same two lets another one go on without being forced,
 * and only names that begin with the folder's own digits are ever removed from it. SPEC.md "Checkout".
 */
import { encodeCanonicalJson } from '../bytes/canonical-json.ts';
import type { Disk } from '../disk/disk.ts';
import { readWhole } from '../disk/files.ts';
import { errnoOf, hasCode } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';

const PREFIX = '.snap-checkout-';

/** The name of the folder for the temporary files that begin with `token`. */
export function temporaryFolder(token: string): string {
  return PREFIX + token;
}

/** What the names of temporary files in the folder `name` begin with; undefined if it is no such folder's name. */
export function tokenOf(name: string): string | undefined {
  const token = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : '';
  return /^[0-9a-f]{32}$/.test(token) ? token : undefined;
}

/** True for what a checkout itself makes in the folder of its token. */
export function isOwnTemporary(token: string, name: string): boolean {
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
  return quietly(() => {
    const there = disk.lstat(path);
    return (
      there?.isFile() === true && Number(there.size) === mark.length && readWhole(disk, path)?.equals(mark) === true
    );
  });
}

/** True if `folder/name` holds nothing but what a checkout makes there. */
export function holdsOnlyTemporaries(disk: Disk, folder: string, name: string): boolean {
  const token = tokenOf(name);
  if (token === undefined || disk.lstat(`${folder}/${name}`)?.isDirectory() !== true) return false;
  return quietly(() => disk.list(`${folder}/${name}`).every((inner) => isOwnTemporary(token, inner)));
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
