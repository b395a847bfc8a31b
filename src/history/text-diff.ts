/**
 * The line-by-line difference of two files, as hunks of a unified diff. Lines are Latin-1 strings, one character a byte,
 * so that every encoding comes out as it went in. Large and binary files are told apart first, at little cost.
 */
import type { StructuredPatchHunk } from 'diff';

/** How far apart two files may be before the comparison gives up and shows all of both. */
const EDITS_MAX = 5_000;
const BINARY_SEARCH_BYTES = 8 * 1024;

export interface Hunk {
  /** Counted from 1; with no lines, the line before (0: the start), as unified diffs have it. */
  readonly oldStart: number;
  readonly oldLines: number;
  readonly newStart: number;
  readonly newLines: number;
  /** Each begins with " ", "+", "-" or "\". */
  readonly lines: readonly string[];
}

export type TextDiff =
  | { readonly kind: 'text'; readonly hunks: readonly Hunk[]; readonly added: number; readonly removed: number }
  | { readonly kind: 'binary' }
  /** Larger than the limit: not read. */
  | { readonly kind: 'large' };

/** One of the two files; undefined: there is none on that side. */
export type TextSide = { readonly size: number; readonly read: () => AsyncGenerator<Uint8Array> } | undefined;

export interface TextDiffOptions {
  readonly contextLines: number;
  /** Larger files are only said to differ. */
  readonly bytesMax: number;
}

export async function diffText(before: TextSide, after: TextSide, options: TextDiffOptions): Promise<TextDiff> {
  if (Math.max(before?.size ?? 0, after?.size ?? 0) > options.bytesMax) return { kind: 'large' };
  const old = await readText(before, options.bytesMax);
  const now = typeof old === 'string' ? await readText(after, options.bytesMax) : old;
  if (typeof old !== 'string') return old;
  if (typeof now !== 'string') return now;
  const { structuredPatch } = await import('diff');
  const patch = structuredPatch('a', 'b', old, now, undefined, undefined, {
    context: options.contextLines,
    maxEditLength: EDITS_MAX,
  });
  const hunks = patch === undefined ? [wholeHunk(old, now)] : patch.hunks.map(asHunk);
  let added = 0;
  let removed = 0;
  for (const { lines } of hunks) {
    for (const line of lines) {
      if (line.startsWith('+')) added++;
      else if (line.startsWith('-')) removed++;
    }
  }
  return { kind: 'text', hunks, added, removed };
}

/** All of a file as Latin-1 text, or why not; stops reading as soon as that is known. */
async function readText(side: TextSide, bytesMax: number): Promise<string | { kind: 'binary' } | { kind: 'large' }> {
  if (side === undefined) return '';
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of side.read()) {
    if (size < BINARY_SEARCH_BYTES && piece.subarray(0, BINARY_SEARCH_BYTES - size).includes(0))
      return { kind: 'binary' };
    pieces.push(piece);
    size += piece.length;
    if (size > bytesMax) return { kind: 'large' };
  }
  return Buffer.concat(pieces).toString('latin1');
}

function asHunk(hunk: StructuredPatchHunk): Hunk {
  return {
    oldStart: hunk.oldLines === 0 ? hunk.oldStart - 1 : hunk.oldStart,
    oldLines: hunk.oldLines,
    newStart: hunk.newLines === 0 ? hunk.newStart - 1 : hunk.newStart,
    newLines: hunk.newLines,
    lines: hunk.lines,
  };
}

/** Everything out and everything in: right for any two texts. */
function wholeHunk(old: string, now: string): Hunk {
  const removed = linesOf(old);
  const added = linesOf(now);
  return {
    oldStart: removed.length === 0 ? 0 : 1,
    oldLines: removed.length,
    newStart: added.length === 0 ? 0 : 1,
    newLines: added.length,
    lines: [...marked(removed, '-', old), ...marked(added, '+', now)],
  };
}

function linesOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

function marked(lines: readonly string[], mark: string, text: string): string[] {
  const shown = lines.map((line) => mark + line);
  if (lines.length > 0 && !text.endsWith('\n')) shown.push('\\ No newline at end of file');
  return shown;
}
