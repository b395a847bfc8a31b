/**
 * Telling what is snap's own from any other folder: a store that lies in a workspace, and the workspace's own `.snap`
 * mounted under another name, are neither taken in, nor changed by a checkout.
 */
import type { Disk } from '../disk/disk.ts';
import { readWhole } from '../disk/files.ts';
import { errnoOf, hasCode } from '../errors.ts';
import { JOURNAL, journalName, PACKS, STORE_CONFIG, WORKSPACE } from './layout.ts';

/** What scans and checkouts say of them. */
export const STORE_REASON = 'it is a store of snap';
export const OWN_FOLDER_REASON = 'it is the .snap folder of this workspace';

const CONFIG_BYTES_MAX = 65_536;
const CONFIG_FIELDS = ['chunker', 'features', 'format', 'id', 'packBytes'];

/**
 * Why a folder is snap's own, or undefined for any other. `own`: the `.snap` of the workspace. `at` gives the path of a
 * name in the folder.
 */
export function whySnapsOwn(disk: Disk, own: string, at: (name: string) => string): string | undefined {
  try {
    if (isStore(disk, at)) return STORE_REASON;
    return isFolder(disk, own, at) ? OWN_FOLDER_REASON : undefined;
  } catch (error) {
    if (errnoOf(error) === undefined && !hasCode(error, 'corrupt-data', 'refused')) throw error;
    return undefined;
  }
}

/**
 * True for a folder with a journal and the configuration of a store, of whatever format; or, where that is damaged, with
 * a first journal entry and packs.
 */
function isStore(disk: Disk, at: (name: string) => string): boolean {
  if (disk.lstat(at(JOURNAL))?.isDirectory() !== true) return false;
  return (
    hasStoreConfig(disk, at(STORE_CONFIG)) ||
    (disk.lstat(at(PACKS))?.isDirectory() === true && disk.lstat(at(journalName(1)))?.isFile() === true)
  );
}

/** True for the very folder `own`: one without its settings is not looked at closer. */
function isFolder(disk: Disk, own: string, at: (name: string) => string): boolean {
  if (disk.lstat(at(WORKSPACE.config)) === undefined) return false;
  const there = disk.lstat(at('.'));
  const ours = disk.lstat(`${own}/.`);
  return there !== undefined && there.ino === ours?.ino && there.dev === ours.dev;
}

function hasStoreConfig(disk: Disk, path: string): boolean {
  const stat = disk.lstat(path);
  if (stat?.isFile() !== true || stat.size > CONFIG_BYTES_MAX) return false;
  try {
    const value: unknown = JSON.parse(readWhole(disk, path)?.toString('utf8') ?? '');
    return typeof value === 'object' && value !== null && CONFIG_FIELDS.every((field) => Object.hasOwn(value, field));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return false;
  }
}
