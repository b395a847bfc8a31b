/**
 * JSON with one spelling per value: keys sorted by code unit, no white space, integers only, no undefined.
 * Snapshots and journal entries are hashed in this form (the idea of RFC 8785, restricted to integers).
 */
import { SnapError } from '../errors.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** The canonical UTF-8 bytes of `value`. */
export function encodeCanonicalJson(value: Json): Buffer {
  return Buffer.from(write(value), 'utf8');
}

/** Parses canonical JSON; anything that would be written differently throws `corrupt-data`. */
export function decodeCanonicalJson(bytes: Uint8Array, what: string): Json {
  let value: Json;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'));
  } catch (error) {
    throw new SnapError('corrupt-data', `damaged ${what}: it is not JSON`, { cause: error });
  }
  if (!encodeCanonicalJson(value).equals(bytes))
    throw new SnapError('corrupt-data', `damaged ${what}: it is not in canonical form`);
  return value;
}

/** Deeper than any record; bounds what hostile bytes can make this recurse. */
const DEPTH_MAX = 32;

function write(value: Json, depth = 0): string {
  if (depth > DEPTH_MAX) throw new SnapError('corrupt-data', 'damaged record: it is nested too deeply');
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value))
      throw new SnapError('corrupt-data', 'damaged record: a number is not a safe integer');
    return String(value === 0 ? 0 : value);
  }
  if (isArray(value)) return `[${value.map((item) => write(item, depth + 1)).join(',')}]`;
  const keys = Object.keys(value).sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${write(value[key] ?? null, depth + 1)}`).join(',')}}`;
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
