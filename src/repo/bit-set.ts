/** A set of small whole numbers, one bit each. */
export class BitSet {
  #words: Uint32Array;
  #count = 0;

  constructor(capacity = 1024) {
    this.#words = new Uint32Array((capacity >>> 5) + 1);
  }

  /** How many numbers are in it. */
  get count(): number {
    return this.#count;
  }

  has(number: number): boolean {
    return ((this.#words[number >>> 5] ?? 0) & (1 << (number & 31))) !== 0;
  }

  /** True if `number` was not in it before. */
  add(number: number): boolean {
    const at = number >>> 5;
    if (at >= this.#words.length) this.#grow(at);
    const word = this.#words[at] as number;
    const bit = 1 << (number & 31);
    if ((word & bit) !== 0) return false;
    this.#words[at] = word | bit;
    this.#count++;
    return true;
  }

  #grow(at: number): void {
    const words = new Uint32Array(Math.max(at + 1, this.#words.length * 2));
    words.set(this.#words);
    this.#words = words;
  }
}
