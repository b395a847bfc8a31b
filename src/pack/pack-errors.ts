/** Packs that are missing, or that the disk does not give back: damage of that pack, which costs what needs it and no more. */
import { isUnreadable, SnapError } from '../errors.ts';
import type { PackId } from '../object/pack-id.ts';

const HINT = 'Run `snap verify` to see which snapshots and paths need it.';

export function missingPack(pack: PackId): SnapError {
  return new SnapError('corrupt-data', `pack ${pack} is missing from the store`, { hint: HINT, context: { pack } });
}

/** `error` itself, or that the pack is damaged where the error says that its bytes are lost. */
export function asPackDamage(error: unknown, pack: PackId): unknown {
  if (!isUnreadable(error) || !(error instanceof Error)) return error;
  return new SnapError('corrupt-data', `pack ${pack} cannot be read: ${error.message}`, {
    hint: HINT,
    context: { pack },
    cause: error,
  });
}
