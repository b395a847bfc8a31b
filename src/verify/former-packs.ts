/**
 * Packs that repairs took out of the store: what is lost now was in one of them, so these are the names to look for in
 * another copy. Damaged packs that are still listed, or missing, are named by the check itself.
 */
import { hasCode } from '../errors.ts';
import type { PackId } from '../object/pack-id.ts';
import { readEntry } from '../repo/journal.ts';
import type { Repository } from '../repo/repository.ts';

export interface FormerPack {
  readonly pack: PackId;
  /** The journal entry of the repair that took it out, and when that was. */
  readonly entry: number;
  readonly time: string;
}

/** The newest first. */
export async function formerPacks(repository: Repository): Promise<FormerPack[]> {
  const found: FormerPack[] = [];
  const listed = repository.state().packs;
  try {
    for (let number = repository.state().number; number > 0; number--) {
      const read = await readEntry(repository.backend, number);
      if (read?.entry.operation !== 'repair') continue;
      const { swept, time } = read.entry;
      for (const pack of swept) if (!listed.has(pack)) found.push({ pack, entry: number, time });
    }
  } catch (error) {
    // A damaged journal is reported by whoever checks it.
    if (!hasCode(error, 'corrupt-data')) throw error;
  }
  return found;
}
