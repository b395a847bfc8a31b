/**
 * Settings of a workspace: `config.toml`, typed and checked. Unknown keys and bad values are errors that name file and
 * line. Edits change single lines, so that comments stay.
 */
import { parse, TomlError } from 'smol-toml';
import { SnapError } from '../errors.ts';

interface SettingKind {
  readonly type: 'text' | 'flag' | 'count' | 'texts';
  readonly choices?: readonly string[];
  readonly help: string;
}

/** Every key there is. */
export const SETTINGS = {
  'workspace.id': { type: 'text', help: 'identity of this workspace; do not change' },
  'workspace.name': { type: 'text', help: 'the name that snapshots carry' },
  'store.path': { type: 'text', help: 'where the store is: relative to the workspace, or absolute' },
  'commit.compression': { type: 'text', choices: ['off', 'fast', 'balanced', 'max'], help: 'how hard new data is compressed' },
  'commit.exclude': { type: 'texts', help: 'ignore patterns besides those of .snapignore files' },
  'gc.keep-last': { type: 'count', help: 'keep the newest n snapshots' },
  'gc.keep-hourly': { type: 'count', help: 'keep the newest of each of the last n hours' },
  'gc.keep-daily': { type: 'count', help: 'keep the newest of each of the last n days' },
  'gc.keep-weekly': { type: 'count', help: 'keep the newest of each of the last n weeks' },
  'gc.keep-monthly': { type: 'count', help: 'keep the newest of each of the last n months' },
  'gc.keep-yearly': { type: 'count', help: 'keep the newest of each of the last n years' },
  'gc.keep-within': { type: 'text', help: 'keep all within this time, such as "30d"' },
  'gc.keep-within-hourly': { type: 'text', help: 'keep one an hour within this time' },
  'gc.keep-within-daily': { type: 'text', help: 'keep one a day within this time' },
  'gc.keep-within-weekly': { type: 'text', help: 'keep one a week within this time' },
  'gc.keep-within-monthly': { type: 'text', help: 'keep one a month within this time' },
  'gc.keep-within-yearly': { type: 'text', help: 'keep one a year within this time' },
  'gc.keep-tag': { type: 'texts', help: 'keep snapshots with these tags' },
  'gc.max-snapshots': { type: 'count', help: 'keep at most n snapshots' },
  'gc.keep-under': { type: 'text', help: 'prune oldest first until the store fits, such as "20GB"' },
  'gc.tiers': { type: 'text', help: 'tiers such as "7d:all,30d:day,90d:week"' },
  'gc.grace': { type: 'text', help: 'how long pruned data stays, for snap undo; "0" by default' },
} as const satisfies Record<string, SettingKind>;

export type SettingKey = keyof typeof SETTINGS;
export type SettingValue = string | number | boolean | readonly string[];
export type Settings = ReadonlyMap<SettingKey, SettingValue>;

/** Parses a settings file. `file` names it in errors. Throws `usage`. */
export function parseSettings(text: string, file: string): Settings {
  let document: Record<string, unknown>;
  try {
    document = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new SnapError('usage', `${file}:${error.line}: ${error.message.split('\n')[0]}`, { hint: 'Mend that line; `snap config edit` opens the file.', cause: error });
  }
  const settings = new Map<SettingKey, SettingValue>();
  for (const [section, values] of Object.entries(document)) {
    if (typeof values !== 'object' || values === null || Array.isArray(values)) throw unknownKey(text, file, section);
    for (const [name, value] of Object.entries(values)) {
      const key = `${section}.${name}`;
      if (!isSettingKey(key)) throw unknownKey(text, file, key);
      settings.set(key, checkValue(key, value, `${file}:${lineOf(text, key)}`));
    }
  }
  return settings;
}

export function isSettingKey(key: string): key is SettingKey {
  return Object.hasOwn(SETTINGS, key);
}

/** Checks the name of a setting that a person typed. Throws `usage` and suggests. */
export function parseSettingKey(key: string): SettingKey {
  if (isSettingKey(key)) return key;
  const near = Object.keys(SETTINGS).filter((known) => known.includes(key) || known.split('.')[1] === key.split('.')[1]);
  throw new SnapError('usage', `there is no setting "${key}"`, { hint: near.length > 0 ? `Perhaps ${near.slice(0, 3).join(', ')}; \`snap config list --all\` shows every one.` : '`snap config list --all` shows every one.' });
}

/** Turns what a person typed into a value of the setting's type. Throws `usage`. */
export function parseSettingText(key: SettingKey, text: string): SettingValue {
  const kind: SettingKind = SETTINGS[key];
  if (kind.type === 'count') return checkValue(key, /^\d+$/.test(text) ? Number(text) : text, key);
  if (kind.type === 'flag') return checkValue(key, text === 'true' ? true : text === 'false' ? false : text, key);
  if (kind.type === 'texts') return text === '' ? [] : text.split(',').map((item) => item.trim());
  return checkValue(key, text, key);
}

/** The file's text with one setting changed, added or (null) removed; everything else stays as it is. */
export function editSetting(text: string, key: SettingKey, value: SettingValue | null): string {
  const [section = '', name = ''] = key.split('.');
  const lines = text.split('\n');
  const header = lines.findIndex((line) => sectionOf(line) === section);
  const assignment = value === null ? undefined : `${name} = ${typeof value === 'object' ? `[${value.map((item) => JSON.stringify(item)).join(', ')}]` : JSON.stringify(value)}`;
  if (header < 0) {
    if (assignment === undefined) return text;
    return `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}\n[${section}]\n${assignment}\n`;
  }
  let end = header + 1;
  while (end < lines.length && sectionOf(lines[end] ?? '') === undefined) end++;
  const at = lines.findIndex((line, i) => i > header && i < end && nameOf(line) === name);
  if (at >= 0) {
    const comment = /\s#[^"']*$/.exec(lines[at] ?? '')?.[0] ?? '';
    if (assignment === undefined) lines.splice(at, 1);
    else lines[at] = `${assignment}${comment}`;
  } else if (assignment !== undefined) {
    let last = end;
    while (last > header + 1 && (lines[last - 1] ?? '').trim() === '') last--;
    lines.splice(last, 0, assignment);
  }
  return lines.join('\n');
}

export function textSetting(settings: Settings, key: SettingKey): string | undefined {
  const value = settings.get(key);
  return typeof value === 'string' ? value : undefined;
}

export function countSetting(settings: Settings, key: SettingKey): number | undefined {
  const value = settings.get(key);
  return typeof value === 'number' ? value : undefined;
}

export function textsSetting(settings: Settings, key: SettingKey): readonly string[] | undefined {
  const value = settings.get(key);
  return typeof value === 'object' ? value : undefined;
}

function checkValue(key: SettingKey, value: unknown, where: string): SettingValue {
  const kind: SettingKind = SETTINGS[key];
  const wrong = (expected: string): SnapError => new SnapError('usage', `${where}: ${key} must be ${expected}, not ${JSON.stringify(value)}`, { hint: `It means: ${kind.help}.` });
  switch (kind.type) {
    case 'count':
      if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw wrong('a whole number');
      return value;
    case 'flag':
      if (typeof value !== 'boolean') throw wrong('true or false');
      return value;
    case 'texts':
      if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) throw wrong('a list of texts');
      return value as string[];
    default:
      if (typeof value !== 'string') throw wrong('a text in quotes');
      if (kind.choices !== undefined && !kind.choices.includes(value)) throw wrong(`one of ${kind.choices.join(', ')}`);
      return value;
  }
}

function unknownKey(text: string, file: string, key: string): SnapError {
  return new SnapError('usage', `${file}:${lineOf(text, key)}: there is no setting "${key}"`, { hint: '`snap config list --all` shows every one.' });
}

function lineOf(text: string, key: string): number {
  const name = key.split('.').at(-1) ?? key;
  const line = text.split('\n').findIndex((candidate) => nameOf(candidate) === name || sectionOf(candidate) === name);
  return line < 0 ? 1 : line + 1;
}

function sectionOf(line: string): string | undefined {
  return /^\s*\[\s*([\w-]+)\s*\]/.exec(line)?.[1];
}

function nameOf(line: string): string | undefined {
  return /^\s*([\w-]+)\s*=/.exec(line)?.[1];
}
