/**
 * Builds binary records: a growing buffer with the few number forms the formats of snap use.
 * All fixed-width numbers are little-endian; `uvarint` is LEB128, `svarint` zigzag LEB128 (SPEC.md "Numbers").
 */
export class ByteWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(initialBytes = 256) {
    this.#buffer = Buffer.allocUnsafe(initialBytes);
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#length = this.#buffer.writeUInt32LE(value, this.#length);
  }

  i64(value: bigint): void {
    this.#reserve(8);
    this.#length = this.#buffer.writeBigInt64LE(value, this.#length);
  }

  /** Writes a non-negative integer up to 2^53 - 1. Throws `RangeError` for any other value: no reader would take it. */
  uvarint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not a count`);
    this.#reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#length++] = rest;
  }

  /** Writes a signed 64-bit integer. */
  svarint(value: bigint): void {
    let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
    this.#reserve(10);
    while (rest >= 0x80n) {
      this.#buffer[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#buffer[this.#length++] = Number(rest);
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
  }

  /** Writes the 32 bytes of a hex id. Throws `RangeError` for any other text. */
  id(hex: string): void {
    this.#reserve(32);
    if (this.#buffer.write(hex, this.#length, 'hex') !== 32 || hex.length !== 64)
      throw new RangeError(`${hex} is not an id`);
    this.#length += 32;
  }

  /** Writes text as UTF-8 (it must not hold lone surrogates). */
  text(value: string): void {
    const bytesMax = value.length * 3;
    this.#reserve(bytesMax);
    this.#length += this.#buffer.write(value, this.#length, 'utf8');
  }

  /** The bytes written so far, as a copy of exact size. */
  finish(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#length));
  }

  #reserve(extra: number): void {
    if (this.#length + extra <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + extra));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}
