/**
 * How wide text is on a terminal, and cutting it to fit. Wide East Asian characters and emoji take two columns,
 * combining marks none; terminals differ on the rest, so this is as near as one gets.
 */
import { stripVTControlCharacters } from 'node:util';

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u;
const MARK = /\p{M}/u;
const PLAIN = /^[\u0020-\u007e]*$/;
const ELLIPSIS = '…';

export function textWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** The start of `text`, at most `width` columns, "…" for what is left out. */
export function cutEnd(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  return width <= 0 ? '' : `${take([...text], width - 1).join('')}${ELLIPSIS}`;
}

/** The end of `text`, which of a path says more than its start. */
export function cutStart(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  return width <= 0
    ? ''
    : `${ELLIPSIS}${take([...text].reverse(), width - 1)
        .reverse()
        .join('')}`;
}

/** Breaks a line at its blanks where it is wider than `width` columns; what follows is indented. Styles take no columns. */
export function wrapLine(line: string, width: number): string {
  if (textWidth(stripVTControlCharacters(line)) <= width) return line;
  const lines: string[] = [];
  let now = '';
  let used = 0;
  for (const word of line.split(/(?<=\S)(?= )/)) {
    const size = textWidth(stripVTControlCharacters(word));
    if (used > 0 && used + size > width) {
      lines.push(now);
      now = `   ${word.trimStart()}`;
      used = textWidth(stripVTControlCharacters(now));
    } else {
      now += word;
      used += size;
    }
  }
  return [...lines, now].join('\n');
}

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - textWidth(text)));
}

function take(characters: readonly string[], width: number): string[] {
  const taken: string[] = [];
  let left = width;
  for (const character of characters) {
    left -= characterWidth(character);
    if (left < 0) break;
    taken.push(character);
  }
  return taken;
}

function characterWidth(character: string): number {
  return MARK.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
}
