/** Reading bytes by SPEC.md "Numbers", "File names" and "Canonical JSON". Nothing here comes from src/. */
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';

/** Bytes that are not what SPEC.md says. */
export class Unsound extends Error {}

export function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Unsound(what);
}

export function sha256(bytes: Uint8Array): string {
  return Buffer.from(nobleSha256(bytes)).toString('hex');
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  return crc;
});

export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ byte) & 255] ?? 0);
  return ~crc >>> 0;
}

export const HEX32 = /^[0-9a-f]{32}$/;
export const HEX64 = /^[0-9a-f]{64}$/;

/** Reads a record from its start to its end. */
export class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  take(length: number): Buffer {
    must(this.#at + length <= this.#bytes.length, 'a record ends too early');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  u8(): number {
    return this.take(1).readUInt8();
  }

  u16(): number {
    return this.take(2).readUInt16LE();
  }

  u32(): number {
    return this.take(4).readUInt32LE();
  }

  i64(): bigint {
    return this.take(8).readBigInt64LE();
  }

  uvarint(): number {
    let value = 0n;
    for (let shift = 0n; shift < 56n; shift += 7n) {
      const byte = this.u8();
      value += BigInt(byte & 127) << shift;
      if (byte >= 128) continue;
      must(byte !== 0 || shift === 0n, 'a number is not minimal');
      must(value <= Number.MAX_SAFE_INTEGER, 'a number is too large');
      return Number(value);
    }
    throw new Unsound('a number is too long');
  }

  id(): string {
    return this.take(32).toString('hex');
  }

  /** The bytes of a name as latin1, so that nothing is lost and sorting is by bytes. */
  name(): string {
    return this.take(this.uvarint()).toString('latin1');
  }

  end(): void {
    must(this.#at === this.#bytes.length, 'a record has bytes to spare');
  }
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** Parses canonical JSON; refuses any other spelling. */
export function canonicalJson(bytes: Buffer): Json {
  let value: Json;
  try {
    value = JSON.parse(bytes.toString('utf8')) as Json;
  } catch {
    throw new Unsound('no JSON');
  }
  must(Buffer.from(spell(value)).equals(bytes), 'JSON, but not canonical');
  return value;
}

export function spell(value: Json): string {
  if (typeof value === 'number') must(Number.isSafeInteger(value), 'a number that is no safe integer');
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(spell).join(',')}]`;
  const object = value as JsonObject;
  const keys = Object.keys(object).sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${spell(object[key] ?? null)}`).join(',')}}`;
}

/** What a field may hold: the name of a type, a pattern for a text, or a check of its own. */
type Shape = 'text' | 'count' | 'texts' | 'object' | RegExp | ((value: Json) => unknown);

/** An object with exactly these fields. A shape with `?` before its name (`'?id': …`) may also be null. */
export function record(value: Json, shapes: Readonly<Record<string, Shape>>): JsonObject {
  must(value !== null && typeof value === 'object' && !Array.isArray(value), 'no object');
  const object = value as JsonObject;
  const names = Object.keys(shapes).map((name) => name.replace('?', ''));
  must(Object.keys(object).sort().join() === names.sort().join(), `fields are ${Object.keys(object).join()}`);
  for (const [name, shape] of Object.entries(shapes)) {
    const field = object[name.replace('?', '')] ?? null;
    if (field === null && name.startsWith('?')) continue;
    must(fits(field, shape), `the field ${name.replace('?', '')} is ${JSON.stringify(field)}`);
  }
  return object;
}

function fits(field: Json, shape: Shape): boolean {
  if (typeof shape === 'function') return shape(field) !== false;
  if (shape instanceof RegExp) return typeof field === 'string' && shape.test(field);
  if (shape === 'text') return typeof field === 'string';
  if (shape === 'count') return typeof field === 'number' && field >= 0;
  if (shape === 'object') return field !== null && typeof field === 'object' && !Array.isArray(field);
  return Array.isArray(field) && field.every((item) => typeof item === 'string');
}
