/** Whether a LevelDB folder can be read as an index: every record opens and fits its checksum. */
import { Level } from 'level';
import { openValue } from './index-keys.ts';

/** Reads all of the index at `path`. Never throws; a damaged table may end the process, so this is for one of its own. */
export async function isIndexSound(path: string): Promise<boolean> {
  const database = new Level<Uint8Array, Uint8Array>(path, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    createIfMissing: false,
  });
  try {
    await database.open();
    for await (const [key, value] of database.iterator()) if (openValue(key, value) === undefined) return false;
    return true;
  } catch {
    return false;
  } finally {
    await database.close().catch(() => undefined);
  }
}
