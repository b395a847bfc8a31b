/**
 * Damage for decoders: every truncation and every change of one byte. A decoder must refuse it with one of its codes,
 * or give a value that encodes to the very bytes it was given; never anything in between.
 */
import { expect } from 'vitest';
import { hasCode } from '../../src/errors.ts';

export interface TamperCounts {
  readonly refused: number;
  readonly other: number;
}

/** Tries every truncation, one byte too many, and 8 changes of each byte. `again` decodes and encodes. */
export function tamper(bytes: Buffer, again: (bytes: Buffer) => Uint8Array): TamperCounts {
  let refused = 0;
  let other = 0;
  const probe = (damaged: Buffer, what: string): void => {
    const result = attempt(damaged, again);
    if (result === undefined) refused++;
    else {
      other++;
      expect(result.equals(damaged), `${what}: it decodes, and encodes to other bytes`).toBe(true);
    }
  };
  for (let length = 0; length < bytes.length; length++) probe(bytes.subarray(0, length), `cut off at ${length}`);
  probe(Buffer.concat([bytes, Buffer.of(0)]), 'one byte more');
  for (const [at, byte] of bytes.entries()) {
    for (const mask of [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80]) {
      const changed = Buffer.from(bytes);
      changed[at] = byte ^ mask;
      probe(changed, `byte ${at} is ${changed[at]} instead of ${byte}`);
    }
  }
  return { refused, other };
}

/** True if every truncation is refused. */
export function refusesTruncations(bytes: Buffer, again: (bytes: Buffer) => Uint8Array): boolean {
  for (let length = 0; length < bytes.length; length++) {
    if (attempt(bytes.subarray(0, length), again) !== undefined) return false;
  }
  return true;
}

/** Undefined if it was refused. Any error but ours is thrown on. */
export function attempt(bytes: Buffer, again: (bytes: Buffer) => Uint8Array): Buffer | undefined {
  try {
    return Buffer.from(again(bytes));
  } catch (error) {
    if (!hasCode(error, 'corrupt-data', 'unsupported-format')) throw error;
    return undefined;
  }
}
