/** Telling a store from any other folder: one that lies in a workspace is neither taken in, nor changed by a checkout. */
import type { Disk } from '../disk/disk.ts';
import { readWhole } from '../disk/files.ts';
import { errnoOf, hasCode } from '../errors.ts';
import { JOURNAL, journalName, PACKS, STORE_CONFIG } from './layout.ts';

/** What scans and checkouts say of one. */
export const STORE_REASON = 'it is a store of snap';

const CONFIG_BYTES_MAX = 65_536;
const CONFIG_FIELDS = ['chunker', 'features', 'format', 'id', 'packBytes'];

/**
 * True for a folder with a journal and the configuration of a store, of whatever format; or, where that is damaged, with
 * a first journal entry and packs. `at` gives the path of a name in the folder.
 */
export function isStore(disk: Disk, at: (name: string) => string): boolean {
  try {
    if (disk.lstat(at(JOURNAL))?.isDirectory() !== true) return false;
    return (
      hasStoreConfig(disk, at(STORE_CONFIG)) ||
      (disk.lstat(at(PACKS))?.isDirectory() === true && disk.lstat(at(journalName(1)))?.isFile() === true)
    );
  } catch (error) {
    if (errnoOf(error) === undefined && !hasCode(error, 'corrupt-data', 'refused')) throw error;
    return false;
  }
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
