/**
 * Deterministic bytes for the chunking tests and their frozen vectors.
 * Invariant: the xorshift32 stream (13, 17, 5; each state as u32 little-endian) never changes: vectors name it.
 */
export declare function xorshiftBytes(seed: number, length: number): Uint8Array;
/** Numbers 0 … 2^32 - 1 from a nonzero seed. */
export declare function xorshift32(seed: number): () => number;
/** `pattern` over and over, `length` bytes in all. */
export declare function repeatedBytes(pattern: Uint8Array, length: number): Uint8Array;
