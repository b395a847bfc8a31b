/** Changes as lines for people, and what they come to. */
import { formatCount, formatSize } from '../bytes/quantity.ts';
import type { Change, ChangeKind } from '../history/change.ts';
import { CHANGE_KINDS } from '../history/change.ts';
import { entrySize } from '../object/tree-entry.ts';
import { changeNote, changePaths, changeStyle, changeWord } from './describe-entry.ts';
import type { Face } from './face.ts';

const WORD_WIDTH = 10;
const TOTAL_WORDS: Readonly<Record<ChangeKind, string>> = {
  added: 'added',
  modified: 'modified',
  renamed: 'renamed',
  removed: 'removed',
  unreadable: 'unreadable',
  type: 'of another kind',
  mode: 'with another mode',
  metadata: 'touched (only times or owner)',
};

/** " modified    src/a.txt", in the words of git. */
export function changeLine(face: Face, change: Change): string {
  const note = changeNote(change);
  return ` ${face.style(changeStyle(change), changeWord(change).padEnd(WORD_WIDTH))}  ${changePaths(face, change)}${note === '' ? '' : face.style('dim', `  (${note})`)}`;
}

/** " src/a.txt  1.20 kB -> 1.35 kB": sizes before and after. */
export function sizeText({ before, after, contained }: Change): string {
  const old = before === undefined ? undefined : entrySize(before);
  const now = after === undefined ? undefined : entrySize(after);
  if (contained !== undefined) {
    const sign = now === undefined ? '-' : old === undefined ? '+' : '';
    return contained.files === 0 ? 'empty' : `${sign}${formatSize(contained.bytes)}`;
  }
  if (old === undefined) return `+${formatSize(now ?? 0)}`;
  if (now === undefined) return `-${formatSize(old)}`;
  return old === now ? formatSize(now) : `${formatSize(old)} -> ${formatSize(now)}`;
}

/** Two things in a line, or below each other where there is no room. */
export function sideBySide(face: Face, left: string, right: string): string {
  const gap = ' '.repeat(8);
  return left.length + gap.length + right.length <= face.width ? `${left}${gap}${right}` : `${left}\n ${right}`;
}

/** Counts changes by kind; a folder that stands for its files counts as these. */
export class ChangeTotals {
  readonly counts: Record<ChangeKind, number> = {
    added: 0,
    modified: 0,
    renamed: 0,
    removed: 0,
    unreadable: 0,
    type: 0,
    mode: 0,
    metadata: 0,
  };
  lines = 0;

  add(change: Change): void {
    this.counts[change.kind] += Math.max(1, change.contained?.files ?? 1);
    this.lines++;
  }

  /** "12 added · 3 modified"; empty for nothing. */
  text(): string {
    return CHANGE_KINDS.filter((kind) => this.counts[kind] > 0)
      .map((kind) => `${formatCount(this.counts[kind])} ${TOTAL_WORDS[kind]}`)
      .join(' · ');
  }
}
