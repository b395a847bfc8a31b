/** Whether a LevelDB folder can be read as an index: every record opens and fits its checksum. */
import { Level } from 'level';
import { errnoOf } from '../errors.ts';
import { openValue } from './index-keys.ts';

/** 'locked': another process has it open. 'unknown': it could not be found out, or not in time. */
export type IndexVerdict = 'sound' | 'damaged' | 'locked' | 'unknown';

const RECORDS_A_SIGN = 10_000;

/**
 * Reads all of the index at `path`, with a sign of life now and then. Never throws; a damaged table may end the process,
 * so this is for one of its own.
 */
export async function examineIndex(path: string, signOfLife: () => void = () => {}): Promise<IndexVerdict> {
  const database = new Level<Uint8Array, Uint8Array>(path, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    createIfMissing: false,
  });
  let count = 0;
  try {
    await database.open();
    for await (const [key, value] of database.iterator()) {
      if (openValue(key, value) === undefined) return 'damaged';
      if (++count % RECORDS_A_SIGN === 0) signOfLife();
    }
    return 'sound';
  } catch (error) {
    return isTaken(error) ? 'locked' : 'damaged';
  } finally {
    await database.close().catch(() => undefined);
  }
}

/** True for the error of opening a LevelDB that another process has open. */
export function isTaken(error: unknown): boolean {
  return error instanceof Error && errnoOf(error.cause) === 'LEVEL_LOCKED';
}
