/**
 * Which names a tree may hold. A name that could leave its folder, or that is the workspace's own `.snap` in a
 * spelling some file system takes for it, is refused when trees are written and when they are read.
 */
import { encodeName } from '../bytes/names.ts';

export const WORKSPACE_FOLDER_NAME = '.snap';
export const NAME_BYTES_MAX = 4096;

/** Why `name` cannot be an entry of a tree, or undefined if it can. */
export function entryNameFault(name: string): string | undefined {
  if (name === '') return 'an empty name';
  if (name === '.' || name === '..') return `the name "${name}"`;
  if (name.includes('/') || name.includes('\0')) return 'a name with "/" or NUL';
  if (name.length > NAME_BYTES_MAX / 3 && encodeName(name).length > NAME_BYTES_MAX)
    return `a name longer than ${NAME_BYTES_MAX} bytes`;
  if (isWorkspaceFolderName(name)) return `the reserved name "${WORKSPACE_FOLDER_NAME}"`;
  return undefined;
}

/** True for `.snap` in any spelling that a case-folding, HFS+ or NTFS volume takes for it. */
export function isWorkspaceFolderName(name: string): boolean {
  if (!/[sS\u017f]/.test(name) || !/[pP]/.test(name)) return false;
  const [stem = ''] = name.replace(IGNORED_BY_HFS, '').toLowerCase().replaceAll('\u017f', 's').split(':', 1);
  let end = stem.length;
  while (stem[end - 1] === '.' || stem[end - 1] === ' ') end--;
  const folded = stem.slice(0, end);
  return folded === WORKSPACE_FOLDER_NAME || /^snap~[1-9]$/.test(folded);
}

const IGNORED_BY_HFS = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;
