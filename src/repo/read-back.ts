/** Reads a new pack back before anybody relies on it instead of another one. */
import { createHash } from 'node:crypto';
import { SnapError } from '../errors.ts';
import type { PackRecord } from '../object/journal-entry.ts';
import type { Backend } from '../storage/backend.ts';
import { packName } from './layout.ts';

const ATTEMPTS_MAX = 2;

/** Throws `io` if the store does not give back what was written. */
export async function readBack(backend: Backend, { id, size, sha256 }: PackRecord): Promise<void> {
  // What reads wrong once is read again, as everywhere.
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const bytes = await backend.get(packName(id), { offset: 0, length: size + 1 });
    // Another gc may have taken it for a leftover.
    if (bytes === undefined)
      throw new SnapError('corrupt-data', `the new pack ${id} is missing from the store`, { context: { pack: id } });
    if (bytes.length === size && createHash('sha256').update(bytes).digest('hex') === sha256) return;
  }
  throw new SnapError('io', `the new pack ${id} reads back with other bytes than were written`, {
    hint: 'The disk or the memory of this machine is faulty. Nothing was removed.',
    context: { pack: id },
  });
}
