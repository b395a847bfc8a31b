/**
 * Text from file systems and stores as it may reach a terminal: control characters, escape sequences, bidirectional
 * overrides and bytes that are not UTF-8 are shown as \xNN or \u{NNNN}; everything else stays readable.
 */
import { encodeName } from './names.ts';

const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff\\]/u;
const UNSAFE_ALL = new RegExp(UNSAFE.source, 'gu');

/** `text` safe to print on one line of a terminal. */
export function printable(text: string): string {
  return UNSAFE.test(text) ? text.replace(UNSAFE_ALL, escapeOne) : text;
}

function escapeOne(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (character === '\\') return '\\\\';
  if (character === '\n') return '\\n';
  if (character === '\t') return '\\t';
  if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`;
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`;
  return `\\u{${code.toString(16)}}`;
}

/** A name as a person types it into a shell: as it is, in quotes, or as $'…' with its odd bytes escaped. */
export function shellWord(text: string): string {
  if (/^[\p{L}\p{N}_./@%+=:,-]+$/u.test(text) && !text.startsWith('-')) return text;
  if (!UNSAFE.test(text) && !text.includes("'")) return `'${text}'`;
  const escaped = text.replace(UNSAFE_ALL, (character) =>
    character === '\\' ? '\\\\' : [...encodeName(character)].map((byte) => `\\x${hex(byte)}`).join(''),
  );
  return `$'${escaped.replaceAll("'", "\\'")}'`;
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
