/**
 * The text of a settings file: finds where each key stands and changes single values, so that comments, blank lines,
 * line ends and order stay. Knows as much TOML as that needs (quoted and dotted keys, strings and arrays over several
 * lines, CRLF); whether a text is TOML at all is for the parser to say, before and after.
 */
import { SnapError } from '../errors.ts';

export type SettingValue = string | number | readonly string[];

/** A table header or an assignment. Offsets are into the text; `end` is after the line's end. */
interface Item {
  readonly kind: 'header' | 'assignment';
  /** The names from the root, such as ["gc", "keep-last"]. */
  readonly path: readonly string[];
  readonly start: number;
  /** What is right of the equals sign, without the comment; empty for headers. */
  readonly valueStart: number;
  readonly valueEnd: number;
  readonly end: number;
  /** An assignment whose key names its table too: `gc.keep-last = 3`. */
  readonly dotted: boolean;
}

/** The line (from 1) on which `key`, or its table, is written; 1 if it is not. */
export function settingLine(text: string, key: string): number {
  const items = scanItems(text);
  const exact = items.find((item) => item.path.join('.') === key);
  const item = exact ?? items.find((candidate) => key.startsWith(`${candidate.path.join('.')}.`));
  return item === undefined ? 1 : text.slice(0, item.start).split('\n').length;
}

/**
 * The text with `key` ("section.name") changed, added or (null) removed; everything else stays byte for byte. Throws
 * `usage` for a value that TOML cannot hold, and `refused` for a section that is written as an inline table.
 */
export function editSetting(text: string, key: string, value: SettingValue | null): string {
  const items = scanItems(text);
  const [section = '', name = ''] = key.split('.');
  const inline = items.find((item) => item.kind === 'assignment' && item.path.length === 1 && item.path[0] === section);
  if (inline !== undefined) {
    throw new SnapError(
      'refused',
      `line ${settingLine(text, section)} holds all of "${section}" in one inline table, which snap does not rewrite`,
      { hint: `Write it as [${section}] with one key a line; \`snap config edit\` opens the file.` },
    );
  }
  const there = items.find((item) => item.kind === 'assignment' && item.path.join('.') === key);
  if (there !== undefined) {
    if (value === null) return text.slice(0, there.start) + text.slice(there.end);
    return `${text.slice(0, there.valueStart)}${tomlValue(value)}${text.slice(there.valueEnd)}`;
  }
  return value === null ? text : addSetting(text, items, section, name, tomlValue(value));
}

/**
 * A value as TOML has it. JSON's strings are TOML's, but for DEL, which TOML wants escaped, and halves of surrogate pairs,
 * which it cannot hold: throws `usage`.
 */
export function tomlValue(value: SettingValue): string {
  if (typeof value === 'object') return `[${value.map(tomlValue).join(', ')}]`;
  if (typeof value !== 'string') return String(value);
  if (!value.isWellFormed())
    throw new SnapError('usage', `${JSON.stringify(value)} is not a text in Unicode`, {
      hint: 'A settings file holds Unicode text only.',
    });
  return JSON.stringify(value).replaceAll('\x7f', '\\u007f');
}

function addSetting(text: string, items: readonly Item[], section: string, name: string, value: string): string {
  const eol = /\r?\n/.exec(text)?.[0] ?? '\n';
  const header = items.findIndex((item) => item.kind === 'header' && item.path.join('.') === section);
  if (header >= 0) {
    const nextHeader = items.findIndex((item, i) => i > header && item.kind === 'header');
    const last = items[nextHeader < 0 ? items.length - 1 : nextHeader - 1];
    return insertLine(text, afterBlock(text, last?.end ?? 0), `${name} = ${value}`, eol);
  }
  const sibling = items.findLast((item) => item.dotted && item.path.length === 2 && item.path[0] === section);
  if (sibling !== undefined) return insertLine(text, sibling.end, `${section}.${name} = ${value}`, eol);
  const blank = text === '' ? '' : eol;
  return insertLine(text, text.length, `${blank}[${section}]${eol}${name} = ${value}`, eol);
}

/** Where a section's block of lines ends: after the comments that follow without a blank line, unless they lead on to another table. */
function afterBlock(text: string, end: number): number {
  let at = end;
  for (;;) {
    const line = text.slice(at, lineEnd(text, at)).trim();
    if (at >= text.length || line === '') return at;
    if (!line.startsWith('#')) return end;
    at = lineEnd(text, at);
  }
}

function insertLine(text: string, at: number, line: string, eol: string): string {
  const before = text.slice(0, at);
  return `${before}${before === '' || before.endsWith('\n') ? '' : eol}${line}${eol}${text.slice(at)}`;
}

function scanItems(text: string): Item[] {
  const items: Item[] = [];
  let table: readonly string[] = [];
  let at = text.startsWith('\uFEFF') ? 1 : 0;
  while (at < text.length) {
    const start = at;
    at = skipBlanks(text, at);
    const first = text[at];
    if (first === '[') {
      table = scanKey(text, text[at + 1] === '[' ? at + 2 : at + 1).path;
      at = lineEnd(text, at);
      items.push({ kind: 'header', path: table, start, valueStart: at, valueEnd: at, end: at, dotted: false });
    } else if (first === undefined || first === '#' || first === '\r' || first === '\n') {
      at = lineEnd(text, at);
    } else {
      const key = scanKey(text, at);
      const valueStart = text[key.end] === '=' ? skipBlanks(text, key.end + 1) : key.end;
      const valueEnd = scanValue(text, valueStart);
      at = lineEnd(text, valueEnd);
      if (key.path.length > 0)
        items.push({
          kind: 'assignment',
          path: [...table, ...key.path],
          start,
          valueStart,
          valueEnd,
          end: at,
          dotted: key.path.length > 1,
        });
    }
  }
  return items;
}

/** A key, perhaps quoted and dotted; `end` is at what follows it. */
function scanKey(text: string, from: number): { path: string[]; end: number } {
  const path: string[] = [];
  let at = skipBlanks(text, from);
  for (;;) {
    const quote = text[at];
    if (quote === '"' || quote === "'") {
      const end = scanString(text, at);
      path.push(unquote(text.slice(at, end)));
      at = end;
    } else {
      const bare = /[\w-]+/y;
      bare.lastIndex = at;
      const name = bare.exec(text)?.[0];
      if (name === undefined) return { path, end: at };
      path.push(name);
      at += name.length;
    }
    at = skipBlanks(text, at);
    if (text[at] !== '.') return { path, end: at };
    at = skipBlanks(text, at + 1);
  }
}

function unquote(quoted: string): string {
  if (quoted.startsWith("'")) return quoted.slice(1, -1);
  try {
    return String(JSON.parse(quoted));
  } catch (error) {
    if (error instanceof SyntaxError) return quoted;
    throw error;
  }
}

/** The offset after a value: a string, an array or inline table over any number of lines, or a bare word. */
function scanValue(text: string, from: number): number {
  let depth = 0;
  let at = from;
  while (at < text.length) {
    const char = text[at];
    if (char === '"' || char === "'") at = scanString(text, at);
    else if (char === '[' || char === '{') {
      depth++;
      at++;
    } else if (char === ']' || char === '}') {
      depth--;
      at++;
    } else if (depth === 0 && (char === '#' || char === '\n' || char === '\r')) break;
    else if (char === '#') at = lineEnd(text, at);
    else at++;
    if (depth <= 0 && (char === '"' || char === "'" || char === ']' || char === '}')) return at;
  }
  return from + text.slice(from, at).trimEnd().length;
}

/** The offset after the string that begins at `from`, in any of TOML's four forms. */
function scanString(text: string, from: number): number {
  const quote = text[from] ?? '"';
  const long = text.startsWith(quote.repeat(3), from);
  const closing = long ? quote.repeat(3) : quote;
  for (let at = from + closing.length; at < text.length; at++) {
    if (quote === '"' && text[at] === '\\') at++;
    else if (text.startsWith(closing, at)) {
      let end = at + closing.length;
      // Up to two quotes may stand right before the closing three.
      while (long && text[end] === quote && end - at < 5) end++;
      return end;
    } else if (!long && text[at] === '\n') return at;
  }
  return text.length;
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ' || text[at] === '\t') at++;
  return at;
}

/** The offset after the end of the line that `from` is in. */
function lineEnd(text: string, from: number): number {
  const newline = text.indexOf('\n', from);
  return newline < 0 ? text.length : newline + 1;
}
