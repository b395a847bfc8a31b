/**
 * Changes as a patch that `git apply` and `patch` take, as far as their contents are text. Lines of files are bytes:
 * to anything but a terminal they go unchanged; a terminal gets them decoded, with control characters shown.
 */

import { decodeName, encodeName } from '../bytes/names.ts';
import { formatSize } from '../bytes/quantity.ts';
import type { Change } from '../history/change.ts';
import type { Hunk, TextDiff } from '../history/text-diff.ts';
import type { TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND, entrySize } from '../object/tree-entry.ts';
import type { Style } from './face.ts';

/** A line of a patch: bytes as Latin-1 characters, and how to show it. */
export interface PatchLine {
  readonly text: string;
  readonly style: Style | undefined;
}

/** Folders, devices, times and owners have no place in a patch. */
export function fitsPatch({ kind, before, after }: Change): boolean {
  const entries = [before, after].filter((entry) => entry !== undefined);
  return (
    kind !== 'metadata' && entries.every((entry) => entry.kind === ENTRY_KIND.file || entry.kind === ENTRY_KIND.symlink)
  );
}

/** A patch cannot turn a file into a link: it takes one away and makes the other. */
export function patchParts(change: Change): Change[] {
  if (change.kind !== 'type') return [change];
  return [
    { ...change, kind: 'removed', after: undefined },
    { ...change, kind: 'added', before: undefined },
  ];
}

/**
 * The lines of one change. `text` is undefined for a change without contents. What is no text is a comment, which `git
 * apply` passes over where it would refuse the whole patch for a binary file; of it there is a new mode or name only.
 */
export function* patchLines(change: Change, text: TextDiff | undefined): Generator<PatchLine> {
  const { before, after, from, path, kind } = change;
  if (text !== undefined && text.kind !== 'text') {
    const [why, how] = text.kind === 'large' ? ['Large files', ' (--text compares them)'] : ['Binary files', ''];
    yield plain(`# ${why} ${side('a', from ?? path, before)} and ${side('b', path, after)} differ${how}`);
    const isThereStill = before !== undefined && after !== undefined;
    if (isThereStill && (kind === 'renamed' || before.mode !== after.mode)) yield* header(change);
    return;
  }
  yield* header(change);
  const hunks = text?.hunks ?? [];
  if (hunks.length === 0) return;
  yield bold(`--- ${before === undefined ? '/dev/null' : name('a', from ?? path)}`);
  yield bold(`+++ ${after === undefined ? '/dev/null' : name('b', path)}`);
  for (const hunk of hunks) yield* hunkLines(hunk);
}

/** Bytes of a line for a terminal: decoded, control characters shown; tabs stay. */
export function terminalText(bytes: Uint8Array): string {
  return decodeName(bytes).replace(UNSAFE_IN_LINE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code === 13) return '^M';
    return code >= 0xdc80 && code <= 0xdcff
      ? `<${(code - 0xdc00).toString(16).toUpperCase()}>`
      : `<U+${code.toString(16).toUpperCase().padStart(4, '0')}>`;
  });
}

const UNSAFE_IN_LINE =
  /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]/gu;

function* header(change: Change): Generator<PatchLine> {
  const { path, before, after, similarity } = change;
  const from = change.from ?? path;
  yield bold(`diff --git ${name('a', from)} ${name('b', path)}`);
  if (before === undefined && after !== undefined) yield bold(`new file mode ${gitMode(after)}`);
  else if (after === undefined && before !== undefined) yield bold(`deleted file mode ${gitMode(before)}`);
  else if (before !== undefined && after !== undefined) {
    if (before.mode !== after.mode) {
      yield bold(`old mode ${gitMode(before)}`);
      yield bold(`new mode ${gitMode(after)}`);
    }
    if (change.kind === 'renamed') {
      yield bold(`similarity index ${similarity ?? 100}%`);
      yield bold(`rename from ${quoted(from)}`);
      yield bold(`rename to ${quoted(path)}`);
    }
  }
}

function* hunkLines(hunk: Hunk): Generator<PatchLine> {
  yield { text: `@@ -${range(hunk.oldStart, hunk.oldLines)} +${range(hunk.newStart, hunk.newLines)} @@`, style: 'ref' };
  for (const line of hunk.lines)
    yield { text: line, style: line.startsWith('+') ? 'good' : line.startsWith('-') ? 'bad' : undefined };
}

function range(start: number, lines: number): string {
  return lines === 1 ? String(start) : `${start},${lines}`;
}

/** Git knows the kind and the permission bits. */
function gitMode(entry: TreeEntry): string {
  if (entry.kind === ENTRY_KIND.symlink) return '120000';
  return `10${entry.mode.toString(8).padStart(4, '0')}`;
}

function side(prefix: string, path: string, entry: TreeEntry | undefined): string {
  return entry === undefined ? '/dev/null' : `${name(prefix, path)} (${formatSize(entrySize(entry))})`;
}

function name(prefix: string, path: string): string {
  return quoted(`${prefix}/${path}`);
}

/** Git's quoting: names with control characters, quotes or bytes that are not UTF-8, as octal in double quotes. */
function quoted(path: string): string {
  const bytes = encodeName(path);
  if (!/["\\]|[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]/u.test(path))
    return bytes.toString('latin1');
  let text = '';
  for (const byte of bytes) {
    if (byte === 0x22 || byte === 0x5c) text += `\\${String.fromCharCode(byte)}`;
    else text += byte < 0x20 || byte > 0x7e ? `\\${byte.toString(8).padStart(3, '0')}` : String.fromCharCode(byte);
  }
  return `"${text}"`;
}

function bold(text: string): PatchLine {
  return { text, style: 'bold' };
}

function plain(text: string): PatchLine {
  return { text, style: undefined };
}
