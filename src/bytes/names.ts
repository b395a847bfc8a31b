/**
 * File names are bytes; in memory they are strings. Bytes that are not valid UTF-8 become lone surrogates
 * U+DC80..U+DCFF (the scheme of Python's PEP 383), so every name round-trips and two different names never meet.
 * Names are ordered by their bytes.
 */

/** Decodes name bytes; the inverse of `encodeName` for every input. */
export function decodeName(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const text = buffer.toString('utf8');
  return text.includes('\uFFFD') ? decodeCarefully(buffer) : text;
}

/** Encodes a name or path to the bytes the file system knows it by. */
export function encodeName(name: string): Buffer {
  if (!hasEscapedBytes(name)) return Buffer.from(name, 'utf8');
  const parts: Buffer[] = [];
  let start = 0;
  for (let i = 0; i < name.length; i++) {
    if (!isEscapedByte(name, i)) continue;
    if (i > start) parts.push(Buffer.from(name.slice(start, i), 'utf8'));
    parts.push(Buffer.of(name.charCodeAt(i) - 0xdc00));
    start = i + 1;
  }
  parts.push(Buffer.from(name.slice(start), 'utf8'));
  return Buffer.concat(parts);
}

/** What a file system call takes for `path`: the string itself, or bytes where the string cannot say it. */
export function systemPath(path: string): string | Buffer {
  return hasEscapedBytes(path) ? encodeName(path) : path;
}

/** Orders names by their encoded bytes: negative, zero or positive. */
export function compareNames(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    if (x < 0xd800 && y < 0xd800) return x - y;
    return Buffer.compare(encodeName(a), encodeName(b));
  }
  return a.length - b.length;
}

function hasEscapedBytes(name: string): boolean {
  if (name.isWellFormed()) return false;
  for (let i = 0; i < name.length; i++) if (isEscapedByte(name, i)) return true;
  return false;
}

/** True if the unit at `i` is a low surrogate that no high surrogate precedes. */
function isEscapedByte(name: string, i: number): boolean {
  const unit = name.charCodeAt(i);
  if (unit < 0xdc80 || unit > 0xdcff) return false;
  const before = i > 0 ? name.charCodeAt(i - 1) : 0;
  return !(before >= 0xd800 && before <= 0xdbff);
}

function decodeCarefully(bytes: Buffer): string {
  let text = '';
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes, i);
    if (length === 0) {
      text += String.fromCharCode(0xdc00 + (bytes[i] ?? 0));
      i += 1;
    } else {
      text += bytes.toString('utf8', i, i + length);
      i += length;
    }
  }
  return text;
}

/** The length of the valid UTF-8 sequence at `i` (RFC 3629), or 0. */
function sequenceLength(bytes: Buffer, i: number): number {
  const first = bytes[i] ?? 0;
  if (first < 0x80) return 1;
  const length =
    first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
  if (length === 0 || i + length > bytes.length) return 0;
  for (let k = 1; k < length; k++) if (((bytes[i + k] ?? 0) & 0xc0) !== 0x80) return 0;
  const second = bytes[i + 1] ?? 0;
  if (first === 0xe0 && second < 0xa0) return 0;
  if (first === 0xed && second > 0x9f) return 0;
  if (first === 0xf0 && second < 0x90) return 0;
  if (first === 0xf4 && second > 0x8f) return 0;
  return length;
}
