/**
 * Settings of a workspace: `config.toml`, typed and checked. Unknown keys and bad values are errors that name file and
 * line. Edits are in settings-text.ts.
 */
import { parse, TomlDate, TomlError } from 'smol-toml';
import { parseDuration, parseSize } from '../bytes/quantity.ts';
import { parseTiers } from '../bytes/tiers.ts';
import { hasCode, SnapError } from '../errors.ts';
import type { SettingValue } from './settings-text.ts';
import { settingLine } from './settings-text.ts';

export interface SettingKind {
  /** `duration`, `size` and `tiers` are texts of that form. */
  readonly type: 'text' | 'count' | 'texts' | 'duration' | 'size' | 'tiers';
  readonly choices?: readonly string[];
  readonly help: string;
  /** What holds where the file says nothing; undefined: nothing. */
  readonly initial?: SettingValue;
}

/** Every key there is. */
export const SETTINGS = {
  'workspace.id': { type: 'text', help: 'identity of this workspace; do not change' },
  'workspace.name': { type: 'text', help: 'the name that snapshots carry' },
  'store.path': {
    type: 'text',
    help: 'where the store is: relative to the workspace, or absolute',
    initial: '.snap/store',
  },
  'commit.compression': {
    type: 'text',
    choices: ['off', 'fast', 'balanced', 'max'],
    help: 'how hard new data is compressed',
    initial: 'balanced',
  },
  'commit.exclude': { type: 'texts', help: 'ignore patterns besides those of .snapignore files' },
  'gc.keep-last': { type: 'count', help: 'keep the newest n snapshots' },
  'gc.keep-hourly': { type: 'count', help: 'keep the newest of each of the last n hours' },
  'gc.keep-daily': { type: 'count', help: 'keep the newest of each of the last n days' },
  'gc.keep-weekly': { type: 'count', help: 'keep the newest of each of the last n weeks' },
  'gc.keep-monthly': { type: 'count', help: 'keep the newest of each of the last n months' },
  'gc.keep-yearly': { type: 'count', help: 'keep the newest of each of the last n years' },
  'gc.keep-within': { type: 'duration', help: 'keep all within this time before the newest, such as "30d"' },
  'gc.keep-within-hourly': { type: 'duration', help: 'keep one an hour within this time before the newest' },
  'gc.keep-within-daily': { type: 'duration', help: 'keep one a day within this time before the newest' },
  'gc.keep-within-weekly': { type: 'duration', help: 'keep one a week within this time before the newest' },
  'gc.keep-within-monthly': { type: 'duration', help: 'keep one a month within this time before the newest' },
  'gc.keep-within-yearly': { type: 'duration', help: 'keep one a year within this time before the newest' },
  'gc.keep-tag': { type: 'texts', help: 'keep snapshots with these tags' },
  'gc.max-snapshots': { type: 'count', help: 'keep at most n snapshots' },
  'gc.keep-under': { type: 'size', help: 'prune oldest first until the store fits, such as "20GB"' },
  'gc.tiers': { type: 'tiers', help: 'tiers such as "7d:all,30d:day,90d:week"' },
  'gc.grace': { type: 'duration', help: 'how long pruned data stays, for snap undo', initial: '0' },
} as const satisfies Record<string, SettingKind>;

export type SettingKey = keyof typeof SETTINGS;
export type Settings = ReadonlyMap<SettingKey, SettingValue>;

/** Parses a settings file. `file` names it in errors. Throws `usage`. */
export function parseSettings(text: string, file: string): Settings {
  let document: Record<string, unknown>;
  try {
    document = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new SnapError('usage', `${file}:${error.line}: ${error.message.split('\n')[0]}`, {
      hint: 'Mend that line; `snap config edit` opens the file.',
      cause: error,
    });
  }
  const settings = new Map<SettingKey, SettingValue>();
  for (const [section, values] of Object.entries(document)) {
    if (!isTable(values)) throw unknownKey(text, file, section);
    for (const [name, value] of Object.entries(values)) {
      const key = `${section}.${name}`;
      if (!isSettingKey(key)) throw unknownKey(text, file, key);
      settings.set(key, checkValue(key, value, `${file}:${settingLine(text, key)}`));
    }
  }
  return settings;
}

/** The properties of a setting. */
export function settingKind(key: SettingKey): SettingKind {
  return SETTINGS[key];
}

/** Every key, in the order of help. */
export function settingKeys(): SettingKey[] {
  return Object.keys(SETTINGS).filter(isSettingKey);
}

export function isSettingKey(key: string): key is SettingKey {
  return Object.hasOwn(SETTINGS, key);
}

/** Checks the name of a setting that a person typed. Throws `usage` and suggests. */
export function parseSettingKey(key: string): SettingKey {
  if (isSettingKey(key)) return key;
  const near = Object.keys(SETTINGS).filter(
    (known) => known.includes(key) || known.split('.')[1] === key.split('.')[1],
  );
  throw new SnapError('usage', `there is no setting "${key}"`, {
    hint:
      near.length > 0
        ? `Perhaps ${near.slice(0, 3).join(', ')}; \`snap config list --all\` shows every one.`
        : '`snap config list --all` shows every one.',
  });
}

/**
 * Turns what a person typed into a value of the setting's type. Lists: each text is an item; a single one may hold
 * several with commas between, or a TOML array. Throws `usage`.
 */
export function parseSettingTexts(key: SettingKey, texts: readonly string[]): SettingValue {
  const kind = settingKind(key);
  const [text = ''] = texts;
  if (kind.type === 'texts') return texts.length === 1 ? splitItems(key, text) : [...texts];
  if (texts.length !== 1)
    throw new SnapError('usage', `${key} takes one value, not ${texts.length}`, {
      hint: 'Put quotes around a value with spaces.',
    });
  if (kind.type === 'count') return checkValue(key, /^\d+$/.test(text) ? Number(text) : text);
  return checkValue(key, text);
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

function checkValue(key: SettingKey, value: unknown, where?: string): SettingValue {
  const kind = settingKind(key);
  const wrong = (expected: string, hint = `It means: ${kind.help}.`): SnapError =>
    new SnapError(
      'usage',
      `${where === undefined ? '' : `${where}: `}${key} must be ${expected}, not ${JSON.stringify(value)}`,
      { hint },
    );
  switch (kind.type) {
    case 'count':
      if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw wrong('a whole number');
      return value;
    case 'texts':
      if (!isTexts(value)) throw wrong('a list of texts');
      return value;
    default:
      if (typeof value !== 'string') throw wrong('a text in quotes');
      if (kind.choices !== undefined && !kind.choices.includes(value)) throw wrong(`one of ${kind.choices.join(', ')}`);
      checkForm(kind, value, wrong);
      return value;
  }
}

function checkForm(kind: SettingKind, value: string, wrong: (expected: string, hint?: string) => SnapError): void {
  try {
    if (kind.type === 'duration') parseDuration(value);
    if (kind.type === 'size') parseSize(value);
    if (kind.type === 'tiers') parseTiers(value);
  } catch (error) {
    if (!hasCode(error, 'usage')) throw error;
    throw wrong(kind.type === 'tiers' ? 'tiers of growing ages' : `a ${kind.type}`, error.hint);
  }
}

function splitItems(key: SettingKey, text: string): readonly string[] {
  if (!text.trimStart().startsWith('['))
    return text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  try {
    const { items } = parse(`items = ${text}`);
    if (isTexts(items)) return items;
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
  }
  throw new SnapError('usage', `${key} must be a list of texts, not ${text}`, {
    hint: `For example: snap config set ${key} one two`,
  });
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof TomlDate);
}

function unknownKey(text: string, file: string, key: string): SnapError {
  const hint = isSettingKey(key) ? `Write it without quotes: ${key}` : '`snap config list --all` shows every one.';
  return new SnapError('usage', `${file}:${settingLine(text, key)}: there is no setting ${JSON.stringify(key)}`, {
    hint,
  });
}

/** The id of the workspace whose settings these are. Throws `corrupt-data` if the file at `path` lost it, or has none. */
export function workspaceIdOf(settings: Settings, path: string): string {
  const id = textSetting(settings, 'workspace.id');
  if (id !== undefined && /^[0-9a-f]{32}$/.test(id)) return id;
  throw new SnapError('corrupt-data', `${path} does not say which workspace this is`, {
    hint: 'Its line `id = …` under [workspace] is missing, or not 32 digits of 0-9 and a-f. Move the file away and run `snap init`, which finds the history in the store again.',
  });
}
