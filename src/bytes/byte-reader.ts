/**
 * Reads binary records written by ByteWriter. Every read is bounded by the bytes given; anything short, overlong
 * or not minimal throws `corrupt-data`, so a decoder accepts exactly what its encoder writes.
 */
import { SnapError } from '../errors.ts';

export class ByteReader {
  readonly #bytes: Buffer;
  readonly #what: string;
  #offset: number;

  /** `what` names the record in errors ("tree", "pack footer"). */
  constructor(bytes: Uint8Array, what: string, offset = 0) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#what = what;
    this.#offset = offset;
  }

  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  u8(): number {
    this.#need(1);
    return this.#bytes.readUInt8(this.#offset++);
  }

  u32(): number {
    this.#need(4);
    const value = this.#bytes.readUInt32LE(this.#offset);
    this.#offset += 4;
    return value;
  }

  i64(): bigint {
    this.#need(8);
    const value = this.#bytes.readBigInt64LE(this.#offset);
    this.#offset += 8;
    return value;
  }

  /** Reads a minimal LEB128 number up to 2^53 - 1. */
  uvarint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 8; count++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (byte === 0 && count > 0) this.fail('a number is not minimal');
        if (!Number.isSafeInteger(value)) this.fail('a number is too large');
        return value;
      }
      scale *= 0x80;
    }
    return this.fail('a number is too long');
  }

  /** Reads a minimal zigzag LEB128 number of at most 64 bits. */
  svarint(): bigint {
    let value = 0n;
    for (let count = 0; count < 10; count++) {
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << BigInt(7 * count);
      if (byte < 0x80) {
        if ((byte === 0 && count > 0) || value >> 64n !== 0n) this.fail('a number is not minimal');
        return (value >> 1n) ^ -(value & 1n);
      }
    }
    return this.fail('a number is too long');
  }

  /** A view (not a copy) of the next `length` bytes. */
  bytes(length: number): Buffer {
    this.#need(length);
    const view = this.#bytes.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    return view;
  }

  /** The next 32 bytes as lower-case hex. */
  id(): string {
    this.#need(32);
    const hex = this.#bytes.toString('hex', this.#offset, this.#offset + 32);
    this.#offset += 32;
    return hex;
  }

  /** Throws unless everything was read. */
  end(): void {
    if (this.remaining !== 0) this.fail(`${this.remaining} bytes too many`);
  }

  fail(reason: string): never {
    throw new SnapError('corrupt-data', `damaged ${this.#what}: ${reason} at byte ${this.#offset}`);
  }

  #need(length: number): void {
    if (length < 0 || length > this.#bytes.length - this.#offset) this.fail('it ends too early');
  }
}
