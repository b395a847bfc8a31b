/** Bytes of packs from the store. A bad read may pass: only a second one is damage. */
import { createHash } from 'node:crypto';
import { isUnreadable } from '../errors.ts';
import type { PackId } from '../object/pack-id.ts';
import { asPackDamage, missingPack } from '../pack/pack-errors.ts';
import type { Backend, ByteRange } from '../storage/backend.ts';
import { packName } from './layout.ts';

const STRETCH_BYTES = 8 * 1024 * 1024;

/** SHA-256 of the first `size` bytes, read stretch by stretch; undefined as soon as `read` gives nothing. */
export async function hashOf(
  size: number,
  read: (range: ByteRange) => Promise<Buffer | undefined>,
): Promise<string | undefined> {
  const hash = createHash('sha256');
  for (let offset = 0; offset === 0 || offset < size; offset += STRETCH_BYTES) {
    const bytes = await read({ offset, length: Math.min(STRETCH_BYTES, size - offset) });
    if (bytes === undefined) return undefined;
    hash.update(bytes);
  }
  return hash.digest('hex');
}

/** What there is of a range. Throws `corrupt-data` where the pack is missing or its bytes are lost; `permission`, `io`. */
export async function readPackRange(backend: Backend, pack: PackId, range: ByteRange): Promise<Buffer> {
  const bytes = await readPack(backend, pack, range);
  if (bytes === undefined) throw missingPack(pack);
  return bytes;
}

/** All of a pack, or a range; undefined if it is missing. Throws as `readPackRange`. */
export async function readPack(backend: Backend, pack: PackId, range?: ByteRange): Promise<Buffer | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await backend.get(packName(pack), range);
    } catch (error) {
      if (attempt > 1 || !isUnreadable(error)) throw asPackDamage(error, pack);
    }
  }
}
