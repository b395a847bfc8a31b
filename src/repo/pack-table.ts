/**
 * Every blob of every live pack, from footers alone: what gc, verify, stats and rebuilding decide from, never the
 * LevelDB index. A blob is a number by pack and ordinal; a blob that lies in several packs has a number for each copy,
 * and the copy added first is the one `find` answers. Typed arrays: about 60 bytes a blob.
 */
import type { BlobLocation } from '../index/blob-index.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import type { PackId } from '../object/pack-id.ts';
import type { PackFooter } from '../pack/pack-format.ts';
import { BLOCK_HEADER_BYTES } from '../pack/pack-format.ts';

const ID_BYTES = 32;
const ID_WORDS = 8;
/** Set in the kind of a copy that is not the one `find` answers. */
const SECOND_COPY = 0x80;

/** A pack in the table; its blobs are the numbers from `first` on. */
export interface TablePack {
  readonly id: PackId;
  /** Bytes of the whole file. */
  readonly size: number;
  readonly first: number;
  readonly count: number;
  /** Bytes of header and footer for each of its blobs. */
  readonly overhead: number;
}

export interface TableBlock {
  /** Its pack, by place in `packs`. */
  readonly pack: number;
  readonly offset: number;
  readonly storedLength: number;
  readonly first: number;
  readonly count: number;
  /** Raw bytes of its blobs, without the directory. */
  readonly blobBytes: number;
}

export class PackTable {
  readonly packs: TablePack[] = [];
  readonly blocks: TableBlock[] = [];
  #ids: Buffer;
  #words: Int32Array;
  #kinds: Uint8Array;
  #blockOf: Uint32Array;
  #offsets: Uint32Array;
  #lengths: Uint32Array;
  #next: Int32Array;
  #slots: Int32Array;
  #size = 0;

  constructor(expected = 1024) {
    const capacity = Math.max(16, expected);
    this.#ids = Buffer.alloc((capacity + 1) * ID_BYTES);
    this.#words = wordsOf(this.#ids);
    this.#kinds = new Uint8Array(capacity);
    this.#blockOf = new Uint32Array(capacity);
    this.#offsets = new Uint32Array(capacity);
    this.#lengths = new Uint32Array(capacity);
    this.#next = new Int32Array(capacity);
    this.#slots = new Int32Array(slotCount(capacity)).fill(-1);
  }

  /** Copies of blobs in all packs. */
  get size(): number {
    return this.#size;
  }

  addPack(id: PackId, size: number, footer: PackFooter): void {
    const pack = this.packs.length;
    const first = this.#size;
    let blockBytes = 0;
    for (const block of footer.blocks) {
      const firstOfBlock = this.#size;
      let offset = 0;
      for (const blob of block.blobs) {
        this.#add(blob.kind, blob.id, this.blocks.length, offset, blob.length);
        offset += blob.length;
      }
      this.blocks.push({
        pack,
        offset: block.offset,
        storedLength: block.storedLength,
        first: firstOfBlock,
        count: this.#size - firstOfBlock,
        blobBytes: offset,
      });
      blockBytes += BLOCK_HEADER_BYTES + block.storedLength;
    }
    const count = this.#size - first;
    this.packs.push({ id, size, first, count, overhead: count === 0 ? 0 : (size - blockBytes) / count });
  }

  /** The number of the chosen copy of a blob whose id is in `bytes` at `offset`, or -1. */
  find(kind: BlobKind, bytes: Buffer, offset: number): number {
    bytes.copy(this.#ids, this.#size * ID_BYTES, offset, offset + ID_BYTES);
    return this.#slots[this.#probe(kind)] as number;
  }

  findId(kind: BlobKind, id: BlobId): number {
    this.#ids.write(id, this.#size * ID_BYTES, 'hex');
    return this.#slots[this.#probe(kind)] as number;
  }

  /** The copy that `find` answers for the blob of this copy. */
  chosenOf(number: number): number {
    return this.isChosen(number) ? number : this.find(this.kindOf(number), this.#ids, number * ID_BYTES);
  }

  /** The next copy of the same blob, or -1; the first is the chosen one. */
  nextCopy(number: number): number {
    return this.#next[number] as number;
  }

  /** True if a copy of the blob whose chosen copy is `chosen` lies at this place. */
  hasCopyAt(chosen: number, place: Pick<BlobLocation, 'pack' | 'blockOffset' | 'offset' | 'length'>): boolean {
    for (let copy = chosen; copy >= 0; copy = this.nextCopy(copy)) {
      if (this.packOf(copy).id !== place.pack || this.blockOf(copy).offset !== place.blockOffset) continue;
      if (this.offsetOf(copy) === place.offset && this.lengthOf(copy) === place.length) return true;
    }
    return false;
  }

  idOf(number: number): BlobId {
    return this.#ids.toString('hex', number * ID_BYTES, (number + 1) * ID_BYTES) as BlobId;
  }

  kindOf(number: number): BlobKind {
    return ((this.#kinds[number] as number) & ~SECOND_COPY) as BlobKind;
  }

  /** True for the copy that `find` answers. */
  isChosen(number: number): boolean {
    return ((this.#kinds[number] as number) & SECOND_COPY) === 0;
  }

  /** The chosen copies of one kind, nearly in the order of their ids (by the first 16 bits): what lookups by key like. */
  inIdOrder(kind: BlobKind): Uint32Array {
    const starts = new Uint32Array(0x10001);
    const prefix = (number: number): number => this.#ids.readUInt16BE(number * ID_BYTES);
    for (let number = 0; number < this.#size; number++)
      if (this.#kinds[number] === kind) (starts[prefix(number) + 1] as number)++;
    for (let i = 1; i < starts.length; i++) (starts[i] as number) += starts[i - 1] as number;
    const ordered = new Uint32Array(starts[0x10000] as number);
    for (let number = 0; number < this.#size; number++) {
      if (this.#kinds[number] !== kind) continue;
      const place = starts[prefix(number)] as number;
      ordered[place] = number;
      starts[prefix(number)] = place + 1;
    }
    return ordered;
  }

  lengthOf(number: number): number {
    return this.#lengths[number] as number;
  }

  /** Where its bytes begin in the decoded block. */
  offsetOf(number: number): number {
    return this.#offsets[number] as number;
  }

  blockNumberOf(number: number): number {
    return this.#blockOf[number] as number;
  }

  blockOf(number: number): TableBlock {
    return at(this.blocks, this.#blockOf[number] as number);
  }

  packOf(number: number): TablePack {
    return at(this.packs, this.blockOf(number).pack);
  }

  /**
   * The bytes that this copy takes in the store: its share of its block by length, and of its pack's header and footer.
   * The shares of all blobs of a pack add up to the pack.
   */
  storedShare(number: number): number {
    const block = this.blockOf(number);
    const share = block.blobBytes === 0 ? 1 / block.count : this.lengthOf(number) / block.blobBytes;
    return (BLOCK_HEADER_BYTES + block.storedLength) * share + at(this.packs, block.pack).overhead;
  }

  #add(kind: BlobKind, id: BlobId, block: number, offset: number, length: number): void {
    if (this.#size === this.#kinds.length) this.#grow();
    const number = this.#size;
    this.#ids.write(id, number * ID_BYTES, 'hex');
    const slot = this.#probe(kind);
    const known = this.#slots[slot] as number;
    this.#kinds[number] = known < 0 ? kind : kind | SECOND_COPY;
    this.#blockOf[number] = block;
    this.#offsets[number] = offset;
    this.#lengths[number] = length;
    this.#next[number] = -1;
    if (known < 0) this.#slots[slot] = number;
    else {
      this.#next[number] = this.#next[known] as number;
      this.#next[known] = number;
    }
    this.#size++;
  }

  /** The slot of the blob whose id is in the scratch record behind the last one, or the free slot for it. */
  #probe(kind: BlobKind): number {
    const words = this.#words;
    const slots = this.#slots;
    const mask = slots.length - 1;
    const scratch = this.#size * ID_WORDS;
    let slot = slotOf(words[scratch] as number, kind) & mask;
    for (;;) {
      const number = slots[slot] as number;
      if (number < 0 || (this.#kinds[number] === kind && sameId(words, number * ID_WORDS, scratch))) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #grow(): void {
    const capacity = this.#kinds.length * 2;
    const ids = Buffer.alloc((capacity + 1) * ID_BYTES);
    this.#ids.copy(ids, 0, 0, this.#size * ID_BYTES);
    this.#ids = ids;
    this.#words = wordsOf(ids);
    const wider = (old: Uint32Array): Uint32Array => {
      const grown = new Uint32Array(capacity);
      grown.set(old);
      return grown;
    };
    const kinds = new Uint8Array(capacity);
    kinds.set(this.#kinds);
    this.#kinds = kinds;
    this.#blockOf = wider(this.#blockOf);
    this.#offsets = wider(this.#offsets);
    this.#lengths = wider(this.#lengths);
    const next = new Int32Array(capacity);
    next.set(this.#next);
    this.#next = next;
    if (slotCount(capacity) > this.#slots.length) this.#rehash(slotCount(capacity));
  }

  #rehash(count: number): void {
    const slots = new Int32Array(count).fill(-1);
    const mask = count - 1;
    for (let number = 0; number < this.#size; number++) {
      if (!this.isChosen(number)) continue;
      let slot = slotOf(this.#words[number * ID_WORDS] as number, this.kindOf(number)) & mask;
      while ((slots[slot] as number) >= 0) slot = (slot + 1) & mask;
      slots[slot] = number;
    }
    this.#slots = slots;
  }
}

/** Items by a place that is certain to exist. */
function at<T>(items: readonly T[], place: number): T {
  const item = items[place];
  if (item === undefined) throw new RangeError(`no item ${place} of ${items.length}`);
  return item;
}

function slotOf(word: number, kind: number): number {
  return word ^ (kind * 0x9e3779b1);
}

function sameId(words: Int32Array, a: number, b: number): boolean {
  for (let i = 0; i < ID_WORDS; i++) if (words[a + i] !== words[b + i]) return false;
  return true;
}

function slotCount(capacity: number): number {
  return 2 ** Math.ceil(Math.log2(capacity * 1.5));
}

function wordsOf(ids: Buffer): Int32Array {
  return new Int32Array(ids.buffer, ids.byteOffset, ids.length / 4);
}
