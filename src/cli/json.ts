/**
 * JSON as every command prints it. A name that is not UTF-8 has lone surrogates (bytes/names.ts), which many JSON
 * readers take for one and the same U+FFFD: beside such a string stands its bytes in base64, as "<key>Bytes". What
 * would change a terminal, or the look of a line, is escaped: the value is the same.
 */
import { encodeName } from '../bytes/names.ts';

/** Control characters that JSON may hold as they are, line separators, marks of direction, and what is not seen. */
const UNSAFE = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

/** One line of JSON. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, replaceOne).replace(
    UNSAFE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function replaceOne(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  let result: Record<string, unknown> | undefined;
  for (const [key, inner] of Object.entries(value)) {
    const bytes = bytesOf(inner);
    if (bytes === undefined) continue;
    result ??= { ...value };
    result[`${key}Bytes`] = bytes;
  }
  return result ?? value;
}

/** Of a list of names: one item for each, null where the name itself is enough. */
function bytesOf(value: unknown): string | (string | null)[] | undefined {
  if (typeof value === 'string') return value.isWellFormed() ? undefined : encodeName(value).toString('base64');
  if (!Array.isArray(value) || !value.some((item) => typeof item === 'string' && !item.isWellFormed()))
    return undefined;
  return value.map((item) => (typeof item === 'string' ? (bytesOf(item) as string | undefined) : undefined) ?? null);
}
