/**
 * Pack ids: 16 random bytes in hex. They are never reused, so a late delete of an old pack can never hit a new one;
 * the hash of a pack's bytes is in the journal instead.
 */
import { SnapError } from '../errors.ts';

/** A pack is smaller than 4 GiB: places in it are stored as u32. */
export const PACK_BYTES_MAX = 0xffff_ffff;

export type PackId = string & { readonly __brand: 'PackId' };

export function parsePackId(text: string, what: string): PackId {
  if (!/^[0-9a-f]{32}$/.test(text))
    throw new SnapError('corrupt-data', `damaged ${what}: "${text.slice(0, 80)}" is not a pack id`);
  return text as PackId;
}
