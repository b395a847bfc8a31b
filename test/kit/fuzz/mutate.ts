/**
 * Makes hostile inputs of valid ones: bits flipped, ranges cut, repeated, moved and spliced, and numbers set to their
 * extremes, as fixed-width numbers and as LEB128. Every choice comes from the random numbers given.
 */
import { ByteWriter } from '../../../src/bytes/byte-writer.ts';

export const INPUT_BYTES_MAX = 1024 * 1024;

/** Numbers around which lengths and counts go wrong. */
const EXTREMES = [
  0,
  1,
  2,
  0x7f,
  0x80,
  0xff,
  0x100,
  0x7fff,
  0xffff,
  0x10000,
  2 ** 21,
  2 ** 26,
  2 ** 26 + 1,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 40,
  2 ** 53 - 1,
] as const;

/** LEB128 that no encoder writes: not minimal, too large, without an end. */
const ODD_NUMBERS = [
  Buffer.of(0x80, 0x00),
  Buffer.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
  Buffer.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
  Buffer.alloc(12, 0xff),
];

export class Mutator {
  readonly #random: () => number;
  readonly #words: readonly Buffer[];

  /** `words`: what may be put into a text as it is. */
  constructor(random: () => number, words: readonly string[]) {
    this.#random = random;
    this.#words = words.map((word) => Buffer.from(word));
  }

  /** A whole number from 0 to below `count`. */
  below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  pick<T>(items: readonly [T, ...T[]] | readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }

  /** One to eight changes of `seed`; `other` is spliced into it now and then. */
  mutate(seed: Buffer, other: Buffer): Buffer {
    let bytes: Buffer = Buffer.from(seed);
    for (let n = 1 + this.below(this.pick([1, 2, 8])); n > 0; n--) bytes = this.#once(bytes, other);
    return bytes.length > INPUT_BYTES_MAX ? bytes.subarray(0, INPUT_BYTES_MAX) : bytes;
  }

  #once(bytes: Buffer, other: Buffer): Buffer {
    const [from, to] = this.#range(bytes.length);
    switch (this.below(12)) {
      case 0:
        return bytes.subarray(0, from);
      case 1:
        return join(bytes.subarray(0, from), bytes.subarray(to));
      case 2:
        return join(bytes.subarray(0, to), bytes.subarray(from));
      case 3: {
        const [a, b] = this.#range(other.length);
        return join(bytes.subarray(0, from), other.subarray(a, b), bytes.subarray(this.pick([from, to])));
      }
      case 4:
        return join(bytes.subarray(0, from), this.#insertion(), bytes.subarray(this.pick([from, to])));
      case 5:
        return join(bytes.subarray(0, from), this.#insertion(), bytes.subarray(from));
      case 6:
      case 7:
        return this.#number(bytes, from);
      case 8:
        return this.below(40) === 0 ? this.#long(bytes, from, to) : this.#flip(bytes);
      default:
        return this.#flip(bytes);
    }
  }

  #flip(bytes: Buffer): Buffer {
    if (bytes.length === 0) return Buffer.of(this.below(256));
    const at = this.below(bytes.length);
    bytes[at] = this.below(2) === 0 ? this.pick([0, 1, 0x7f, 0x80, 0xff]) : (bytes[at] ?? 0) ^ (1 << this.below(8));
    return bytes;
  }

  /** A range of a text or record up to a megabyte long. */
  #long(bytes: Buffer, from: number, to: number): Buffer {
    const part = to > from ? bytes.subarray(from, Math.min(to, from + 64)) : this.#insertion();
    if (part.length === 0) return bytes;
    const count = Math.floor((INPUT_BYTES_MAX - bytes.length) / part.length / this.pick([1, 16, 256]));
    return join(bytes.subarray(0, from), Buffer.alloc(Math.max(0, count) * part.length, part), bytes.subarray(from));
  }

  #number(bytes: Buffer, at: number): Buffer {
    const value = this.pick(EXTREMES);
    const fixed = this.pick([1, 2, 4, 4, 8]);
    if (this.below(2) === 0 && at + fixed <= bytes.length) {
      if (fixed === 8) bytes.writeBigInt64LE(this.pick([-(2n ** 63n), -1n, BigInt(value), 2n ** 63n - 1n]), at);
      else bytes.writeUIntLE(value % 2 ** (8 * fixed), at, fixed);
      return bytes;
    }
    const writer = new ByteWriter(16);
    writer.uvarint(value);
    const number = this.below(4) === 0 ? this.pick(ODD_NUMBERS) : writer.finish();
    return join(bytes.subarray(0, at), number, bytes.subarray(this.pick([at, at + 1, at + number.length])));
  }

  #insertion(): Buffer {
    if (this.#words.length > 0 && this.below(4) > 0) return this.pick(this.#words);
    const bytes = Buffer.alloc(this.below(this.pick([4, 40, 400])));
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.below(256);
    return bytes;
  }

  #range(length: number): [number, number] {
    const from = this.below(length + 1);
    return [from, from + this.below(Math.min(length - from, this.pick([8, 64, 4096])) + 1)];
  }
}

function join(...parts: Buffer[]): Buffer {
  const bytes = Buffer.concat(parts);
  return bytes.length > INPUT_BYTES_MAX ? bytes.subarray(0, INPUT_BYTES_MAX) : bytes;
}
