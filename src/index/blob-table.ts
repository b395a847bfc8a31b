/**
 * A set of (kind, id) pairs in typed arrays, each with a number: 45 bytes a blob instead of some hundreds for strings in
 * a Map. What belongs to a blob lies in columns that the caller keeps by that number.
 */
import type { BlobId, BlobKind } from '../object/blob-id.ts';

const RECORD_WORDS = 8;

export class BlobTable {
  #ids: Buffer;
  #words: Int32Array;
  #kinds: Uint8Array;
  #slots: Int32Array;
  #size = 0;

  constructor(expected = 1024) {
    const capacity = Math.max(16, expected);
    this.#ids = Buffer.alloc((capacity + 1) * 32);
    this.#words = wordsOf(this.#ids);
    this.#kinds = new Uint8Array(capacity);
    this.#slots = new Int32Array(slotCount(capacity)).fill(-1);
  }

  get size(): number {
    return this.#size;
  }

  /** The number of a blob, or -1. */
  find(kind: BlobKind, id: string): number {
    this.#ids.write(id, this.#size * 32, 'hex');
    return this.#slots[this.#probe(kind)] ?? -1;
  }

  /** Adds a blob; returns its number, old or new. */
  add(kind: BlobKind, id: string): number {
    if (this.#size === this.#kinds.length) this.#grow();
    this.#ids.write(id, this.#size * 32, 'hex');
    const slot = this.#probe(kind);
    const found = this.#slots[slot] ?? -1;
    if (found >= 0) return found;
    this.#slots[slot] = this.#size;
    this.#kinds[this.#size] = kind;
    return this.#size++;
  }

  idOf(number: number): BlobId {
    return this.#ids.toString('hex', number * 32, number * 32 + 32) as BlobId;
  }

  kindOf(number: number): BlobKind {
    return (this.#kinds[number] ?? 1) as BlobKind;
  }

  /** The slot of the blob whose id is in the scratch record behind the last one, or the free slot for it. */
  #probe(kind: BlobKind): number {
    const words = this.#words;
    const mask = this.#slots.length - 1;
    const scratch = this.#size * RECORD_WORDS;
    let slot = ((words[scratch] ?? 0) ^ (kind * 0x9e3779b1)) & mask;
    for (;;) {
      const number = this.#slots[slot] ?? -1;
      if (number < 0 || (this.#kinds[number] === kind && sameWords(words, number * RECORD_WORDS, scratch))) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #grow(): void {
    const capacity = this.#kinds.length * 2;
    const ids = Buffer.alloc((capacity + 1) * 32);
    this.#ids.copy(ids, 0, 0, this.#size * 32);
    const kinds = new Uint8Array(capacity);
    kinds.set(this.#kinds);
    this.#ids = ids;
    this.#words = wordsOf(ids);
    this.#kinds = kinds;
    if (slotCount(capacity) > this.#slots.length) this.#rehash(slotCount(capacity));
  }

  #rehash(count: number): void {
    this.#slots = new Int32Array(count).fill(-1);
    const mask = count - 1;
    for (let number = 0; number < this.#size; number++) {
      let slot = ((this.#words[number * RECORD_WORDS] ?? 0) ^ ((this.#kinds[number] ?? 0) * 0x9e3779b1)) & mask;
      while ((this.#slots[slot] ?? -1) >= 0) slot = (slot + 1) & mask;
      this.#slots[slot] = number;
    }
  }
}

function sameWords(words: Int32Array, a: number, b: number): boolean {
  for (let i = 0; i < RECORD_WORDS; i++) if (words[a + i] !== words[b + i]) return false;
  return true;
}

function slotCount(capacity: number): number {
  return 2 ** Math.ceil(Math.log2(capacity * 1.5));
}

function wordsOf(ids: Buffer): Int32Array {
  return new Int32Array(ids.buffer, ids.byteOffset, ids.length / 4);
}
