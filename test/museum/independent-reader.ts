/**
 * A reader of stores written from SPEC.md alone: it imports nothing of src/. If it and the program disagree, one of them
 * or SPEC.md is wrong. It checks what a reader must check, holds whole files in memory, and is not fast.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';
import zlib from 'node:zlib';

/** SPEC.md "Blobs". */
const KIND = { data: 1, chunkList: 2, tree: 3, snapshot: 4 } as const;

export interface ReadEntry {
  /** Path bytes as latin1. */
  readonly path: string;
  readonly kind: number;
  readonly mode: number;
  readonly mtime: bigint;
  readonly bytes: Buffer | undefined;
  readonly target: string | undefined;
  readonly linkKey: string | undefined;
}

/** What was met on the way, to know that the exhibit has it. */
export interface ReadCounts {
  chunkLists: number;
  partLists: number;
}

export class IndependentReader {
  readonly refs = new Map<string, string>();
  readonly counts: ReadCounts = { chunkLists: 0, partLists: 0 };
  readonly #places = new Map<string, { pack: string; block: number; stored: number; offset: number; length: number }>();
  readonly #store: string;
  readonly #blocks = new Map<string, Buffer>();

  constructor(store: string) {
    this.#store = store;
    const config = JSON.parse(fs.readFileSync(join(store, 'config.json'), 'utf8')) as {
      format: number;
      features: string[];
    };
    check(config.format === 1 && config.features.length === 0, 'a store of another format');
    for (const pack of this.#replay().values()) this.#readFooter(pack);
  }

  /** All entries below a snapshot's root, sorted by bytes, folders before what is in them. */
  *entries(snapshotId: string): Generator<ReadEntry> {
    check(this.refs.get(`snapshots/${snapshotId}`) === snapshotId, 'no such snapshot');
    const snapshot = JSON.parse(this.#blob(KIND.snapshot, snapshotId).toString('utf8')) as {
      format: number;
      tree: string;
    };
    check(snapshot.format === 1, 'a snapshot of another format');
    yield* this.#tree(snapshot.tree, '');
  }

  #replay(): Map<string, { id: string; size: number; sha256: string }> {
    const packs = new Map<string, { id: string; size: number; sha256: string }>();
    let previous: string | null = null;
    for (let number = 1; ; number++) {
      const path = join(this.#store, 'journal', `${String(number).padStart(12, '0')}.json`);
      if (!fs.existsSync(path)) return packs;
      const bytes = fs.readFileSync(path);
      const entry = JSON.parse(bytes.toString('utf8')) as {
        number: number;
        previous: string | null;
        refs: { name: string; from: string | null; to: string | null }[];
        packs: { id: string; size: number; sha256: string }[];
        swept: string[];
      };
      check(entry.number === number && entry.previous === previous, 'the journal is broken');
      for (const { name, from, to } of entry.refs) {
        check((this.refs.get(name) ?? null) === from, 'a ref was not what an entry says');
        if (to === null) this.refs.delete(name);
        else this.refs.set(name, to);
      }
      for (const pack of entry.packs) packs.set(pack.id, pack);
      for (const id of entry.swept) packs.delete(id);
      previous = sha256(bytes);
    }
  }

  #readFooter({ id, size, sha256: hash }: { id: string; size: number; sha256: string }): void {
    const pack = fs.readFileSync(this.#packPath(id));
    check(pack.length === size && sha256(pack) === hash, 'a pack is not the one of the journal');
    check(
      pack.toString('latin1', 0, 8) === 'SNAPPACK' &&
        pack.readUInt16LE(8) === 1 &&
        pack.readUInt16LE(10) === 0 &&
        pack.toString('hex', 16, 32) === id,
      'no pack',
    );
    const trailer = pack.subarray(-48);
    check(trailer.toString('latin1', 40) === 'SNAPFOOT', 'no trailer');
    const end = size - 48;
    const footer = new Cursor(pack.subarray(end - trailer.readUInt32LE(0), end));
    check(sha256(footer.rest()) === trailer.toString('hex', 4, 36), 'a damaged footer');
    check(footer.u8() === 1, 'a footer of another version');
    let next = 32;
    for (let blocks = footer.uvarint(); blocks > 0; blocks--) {
      const block = footer.uvarint();
      footer.u8();
      const rawLength = footer.uvarint();
      const stored = footer.uvarint();
      const directoryLength = footer.uvarint();
      let offset = 0;
      for (let blobs = footer.uvarint(); blobs > 0; blobs--) {
        const kind = footer.u8();
        const length = footer.uvarint();
        this.#places.set(`${kind}:${footer.id()}`, { pack: id, block, stored, offset, length });
        offset += length;
      }
      check(block === next && offset + directoryLength === rawLength, 'blocks that do not follow each other');
      next = block + 24 + stored;
    }
    footer.end();
  }

  #packPath(id: string): string {
    return join(this.#store, 'packs', id.slice(0, 2), `${id}.pack`);
  }

  #blob(kind: number, id: string): Buffer {
    const place = this.#places.get(`${kind}:${id}`);
    if (place === undefined) throw new Error(`no blob ${kind}:${id}`);
    const bytes = this.#block(place.pack, place.block, place.stored).subarray(
      place.offset,
      place.offset + place.length,
    );
    check(sha256(bytes) === id, 'a blob with other bytes than its id');
    return bytes;
  }

  #block(pack: string, at: number, stored: number): Buffer {
    const key = `${pack}:${at}`;
    const known = this.#blocks.get(key);
    if (known !== undefined) return known;
    const bytes = fs.readFileSync(this.#packPath(pack)).subarray(at, at + 24 + stored);
    check(
      bytes.toString('latin1', 0, 4) === 'SBLK' && crc32(bytes.subarray(0, 20)) === bytes.readUInt32LE(20),
      'no block',
    );
    check(bytes.readUInt32LE(12) === stored, 'a block of another length');
    const payload = bytes.subarray(24);
    const raw = bytes[4] === 0 ? payload : zlib.zstdDecompressSync(payload);
    check(raw.length === bytes.readUInt32LE(8), 'a block that decodes to another length');
    this.#blocks.set(key, raw);
    return raw;
  }

  *#tree(id: string, prefix: string): Generator<ReadEntry> {
    const cursor = new Cursor(this.#blob(KIND.tree, id));
    check(cursor.u8() === 1, 'a tree of another version');
    const isParts = cursor.u8() === 1;
    if (isParts) this.counts.partLists++;
    for (let count = cursor.uvarint(); count > 0; count--) {
      if (isParts) {
        cursor.name();
        yield* this.#tree(cursor.id(), prefix);
      } else yield* this.#entry(cursor, prefix);
    }
    cursor.end();
  }

  *#entry(cursor: Cursor, prefix: string): Generator<ReadEntry> {
    const kind = cursor.u8();
    const path = prefix + cursor.name();
    const mode = cursor.uvarint();
    const mtime = cursor.i64();
    cursor.uvarint();
    cursor.uvarint();
    const base = { path, kind, mode, mtime, bytes: undefined, target: undefined, linkKey: undefined };
    if (kind === 1) {
      const flags = cursor.u8();
      const size = cursor.uvarint();
      const linkKey = (flags & 2) === 0 ? undefined : cursor.take(8).toString('hex');
      const bytes =
        (flags & 1) === 1
          ? this.#list(cursor.id(), undefined)
          : Buffer.concat(Array.from({ length: cursor.uvarint() }, () => this.#chunk(cursor.uvarint(), cursor.id())));
      check(bytes.length === size, 'a file of another size');
      yield { ...base, bytes, linkKey };
    } else if (kind === 2) {
      yield base;
      yield* this.#tree(cursor.id(), `${path}/`);
    } else if (kind === 3) yield { ...base, target: cursor.name() };
    else {
      cursor.uvarint();
      cursor.uvarint();
      yield base;
    }
  }

  #list(id: string, expected: number | undefined): Buffer {
    this.counts.chunkLists++;
    const cursor = new Cursor(this.#blob(KIND.chunkList, id));
    check(cursor.u8() === 1, 'a chunk list of another version');
    const level = cursor.u8();
    check(expected === undefined || level === expected, 'a chunk list of another level');
    const pieces: Buffer[] = [];
    for (let count = cursor.uvarint(); count > 0; count--) {
      const length = cursor.uvarint();
      const below = cursor.id();
      pieces.push(level === 0 ? this.#chunk(length, below) : this.#list(below, level - 1));
    }
    cursor.end();
    return Buffer.concat(pieces);
  }

  #chunk(length: number, id: string): Buffer {
    const bytes = this.#blob(KIND.data, id);
    check(bytes.length === length, 'a chunk of another length');
    return bytes;
  }
}

class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  take(length: number): Buffer {
    check(this.#at + length <= this.#bytes.length, 'a record that ends too early');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  u8(): number {
    return this.take(1).readUInt8();
  }

  i64(): bigint {
    return this.take(8).readBigInt64LE();
  }

  uvarint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }

  id(): string {
    return this.take(32).toString('hex');
  }

  name(): string {
    return this.take(this.uvarint()).toString('latin1');
  }

  rest(): Buffer {
    return this.#bytes.subarray(this.#at);
  }

  end(): void {
    check(this.#at === this.#bytes.length, 'a record with bytes to spare');
  }
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function crc32(bytes: Buffer): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}
