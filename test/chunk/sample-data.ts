/**
 * Deterministic bytes for the chunking tests and their frozen vectors.
 * Invariant: the xorshift32 stream (13, 17, 5; each state as u32 little-endian) never changes: vectors name it.
 */
export function xorshiftBytes(seed: number, length: number): Uint8Array {
  const next = xorshift32(seed);
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i += 4) {
    const value = next();
    for (let k = 0; k < 4 && i + k < length; k++) bytes[i + k] = (value >>> (8 * k)) & 255;
  }
  return bytes;
}

/** Numbers 0 … 2^32 - 1 from a nonzero seed. */
export function xorshift32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** `pattern` over and over, `length` bytes in all. */
export function repeatedBytes(pattern: Uint8Array, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i += pattern.length) bytes.set(pattern.subarray(0, length - i), i);
  return bytes;
}
