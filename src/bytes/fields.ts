/**
 * Typed access to the fields of decoded JSON from a store: each getter checks, and throws `corrupt-data` naming the
 * record and the field. `done` refuses fields nobody asked for, so that an unknown field is never silently dropped.
 */
import { SnapError } from '../errors.ts';
import type { Json } from './canonical-json.ts';
import { encodeCanonicalJson } from './canonical-json.ts';

/**
 * The canonical JSON of `value`, if `decode` takes it: what no reader takes must not be written, whatever a clock, a
 * setting or a program says. Throws `internal`.
 */
export function encodeReadable(value: Json, decode: (bytes: Buffer) => unknown): Buffer {
  try {
    const bytes = encodeCanonicalJson(value);
    decode(bytes);
    return bytes;
  } catch (error) {
    throw new SnapError('internal', `what nobody could read again was to be written: ${(error as Error).message}`, {
      hint: 'Nothing was recorded. Please report this, with the command and its time.',
      cause: error,
    });
  }
}

export class Fields {
  readonly #value: { readonly [key: string]: Json };
  readonly #what: string;
  readonly #seen = new Set<string>();

  constructor(value: Json | undefined, what: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new SnapError('corrupt-data', `damaged ${what}: it is not an object`);
    this.#value = value as { readonly [key: string]: Json };
    this.#what = what;
  }

  text(name: string): string {
    const value = this.#get(name);
    return typeof value === 'string' ? value : this.fail(name);
  }

  textOrNull(name: string): string | null {
    const value = this.#get(name);
    return value === null || typeof value === 'string' ? value : this.fail(name);
  }

  matching(name: string, pattern: RegExp): string {
    const text = this.text(name);
    return pattern.test(text) ? text : this.fail(name);
  }

  /** 16 random bytes as 32 digits. */
  randomId(name: string): string {
    return this.matching(name, /^[0-9a-f]{32}$/);
  }

  /** Years of more digits come from a clock that was far off: what they stamp is as good as anything else. */
  time(name: string): string {
    const time = this.matching(name, /^(?:\d{4}|[+-]\d{6})-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d$/);
    return Number.isFinite(Date.parse(time)) ? time : this.fail(name);
  }

  /** A non-negative safe integer. */
  count(name: string): number {
    const value = this.#get(name);
    return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : this.fail(name);
  }

  flag(name: string): boolean {
    const value = this.#get(name);
    return typeof value === 'boolean' ? value : this.fail(name);
  }

  list(name: string): readonly Json[] {
    const value = this.#get(name);
    return Array.isArray(value) ? value : this.fail(name);
  }

  texts(name: string): string[] {
    return this.list(name).map((value) => (typeof value === 'string' ? value : this.fail(name)));
  }

  textMap(name: string): Record<string, string> {
    const inner = new Fields(this.#get(name), `${this.#what} ${name}`);
    const map: Record<string, string> = Object.create(null) as Record<string, string>;
    for (const key of inner.keys()) map[key] = inner.text(key);
    return map;
  }

  fields(name: string): Fields {
    return new Fields(this.#get(name), `${this.#what} ${name}`);
  }

  isNull(name: string): boolean {
    return this.#get(name) === null;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#value, name);
  }

  keys(): string[] {
    return Object.keys(this.#value);
  }

  /** Throws if a field was never read. */
  done(): void {
    for (const key of Object.keys(this.#value))
      if (!this.#seen.has(key))
        throw new SnapError('unsupported-format', `${this.#what} has the unknown field "${key}"`, {
          hint: 'It was written by a newer version of snap; update this one.',
        });
  }

  fail(name: string): never {
    throw new SnapError('corrupt-data', `damaged ${this.#what}: field "${name}" is missing or of the wrong kind`);
  }

  #get(name: string): Json | undefined {
    this.#seen.add(name);
    return Object.hasOwn(this.#value, name) ? this.#value[name] : undefined;
  }
}
