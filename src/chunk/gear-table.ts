/**
 * The 256 numbers that drive the cut points (SPEC.md, chunking).
 * Invariants: entry i = the first four bytes, little-endian, of SHA-256("snap gear 1" ‖ seed ‖ u8(i)), kept as int32.
 * The table decides every cut point of a store: changing it ends deduplication with what is stored, so it is frozen.
 * A seed (the chunking key of an encrypted store) hides cut points; without one all stores cut alike.
 */
import { createHash } from 'node:crypto';

export type GearTable = Int32Array;

export function gearTable(seed: Uint8Array = new Uint8Array(0)): GearTable {
  const table = new Int32Array(256);
  for (let byte = 0; byte < table.length; byte++) {
    const digest = createHash('sha256').update('snap gear 1').update(seed).update(Uint8Array.of(byte)).digest();
    table[byte] = digest.readInt32LE(0);
  }
  return table;
}
