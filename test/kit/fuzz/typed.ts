import fc from 'fast-check';
import { decodeName } from '../../../src/bytes/names.ts';
import { printable } from '../../../src/bytes/printable.ts';
import { formatDuration, formatSize, parseDuration, parseSize, subtractDuration } from '../../../src/bytes/quantity.ts';
import { parseTiers } from '../../../src/bytes/tiers.ts';
import { formatWhen, parseTime } from '../../../src/bytes/time-expression.ts';
import { hasCode } from '../../../src/errors.ts';
import { describeRules, rulesOfSettings } from '../../../src/gc/rules.ts';
import { entryNameFault } from '../../../src/object/entry-name.ts';
import { parseRefName, tagRef } from '../../../src/object/ref-name.ts';
import type { Repository } from '../../../src/repo/repository.ts';
import { resolveRevision, splitRevisionPath } from '../../../src/repo/revision.ts';
import { parseSettings, parseSettingTexts, settingKeys, settingKind } from '../../../src/repo/settings.ts';
import { editSetting } from '../../../src/repo/settings-text.ts';
import { nameBytes } from '../arbitrary.ts';
import type { Target } from './engine.ts';

const NOW = new Date('2026-11-20T14:00:00Z');
/** Seeds that are these texts. */
export const of = (...texts: string[]): fc.Arbitrary<Buffer> =>
  fc.constantFrom(...texts).map((text) => Buffer.from(text));
/** What a command line can carry as one argument. */
export const ARGUMENT_BYTES_MAX = 128 * 1024;

const sizes: Target = {
  name: 'size',
  seeds: of('20GB', '1.5 GiB', '500k', '123', '0', '9007199254740991'),
  words: [' ', '.', '9', 'i', 'B', 'p', '1e3', '-', '\t'],
  codes: ['usage'],
  run: (input) => {
    const bytes = parseSize(input.toString('utf8'));
    if (!Number.isSafeInteger(bytes) || bytes < 0 || formatSize(bytes) === '') throw new Error(`a size of ${bytes}`);
    return undefined;
  },
};

const durations: Target = {
  name: 'duration',
  seeds: of('30d', '2w', '1y6mo', '1d12h', '90s', '2 days', '0', '999999999y'),
  words: [' ', 'mo', 'M', '999999999', 'ms', '0', '-', 'days'],
  codes: ['usage'],
  run: (input) => {
    const duration = parseDuration(input.toString('utf8'));
    const again = parseDuration(formatDuration(duration));
    if (again.months !== duration.months) throw new Error('months change when written and read');
    if (again.milliseconds !== duration.milliseconds) throw new Error('milliseconds change when written and read');
    if (Number.isNaN(subtractDuration(NOW, duration).getTime())) throw new Error('no time before it');
    return undefined;
  },
};

const times: Target = {
  name: 'time',
  seeds: of(
    '2026-11-20',
    '2026-11-20 14:00',
    '2026-11-20T14:00:05.123Z',
    'yesterday 18:40',
    '2 days ago',
    'last week',
    'now',
    'a month ago',
    '1970-01-01T00:00+14:00',
  ),
  words: [' ', 'ago', 'last ', '0000', '9999', '-', ':', 'Z', '+99:99', '99999999', ' at '],
  codes: ['usage'],
  run: (input) => {
    const time = parseTime(input.toString('utf8'), { now: NOW });
    if (Number.isNaN(time.getTime())) throw new Error('no time');
    formatWhen(time, NOW);
    return undefined;
  },
};

const tiers: Target = {
  name: 'tiers',
  seeds: of('7d:all,30d:day,90d:week', '1mo:week,2y:year', '1h:hour'),
  words: [',', ':', ' ', '999999999y', 'all', '0', ':all,'],
  codes: ['usage'],
  run: (input) => {
    const read = parseTiers(input.toString('utf8'));
    parseTiers(read.map(({ within, every }) => `${formatDuration(within)}:${every}`).join(','));
    return undefined;
  },
};

const rules: Target = {
  name: 'rules',
  seeds: of(
    '[gc]\nkeep-last = 5\nkeep-daily = 7\nkeep-within = "30d"\nkeep-tag = ["v1"]\n',
    '[gc]\nkeep-under = "20GB"\ntiers = "7d:all,30d:day"\nmax-snapshots = 9\ngrace = "1d"\n',
  ),
  words: ['0', '-1', '9007199254740992', '1.0', '""', '"0"', 'nan', '[]', 'true', '\n', 'keep-within-daily = '],
  codes: ['usage'],
  inputBytesMax: 64 * 1024,
  run: (input) => {
    describeRules(rulesOfSettings(parseSettings(input.toString('utf8'), 'config.toml')));
    return undefined;
  },
};

/** Every key is set in turn; what is set is read again, and whatever TOML the file was it stays TOML. */
const edits: Target = {
  name: 'setting-edit',
  seeds: of(
    '# mine\n[gc]\nkeep-last = 5 # five\n\n[commit]\nexclude = [\n  "a", # one\n  "b",\n]\n',
    "workspace.name = 'x'\r\ngc.keep-last = 3\r\n",
    '[workspace]\nname = """a\nb"""\n[store]\npath = "x\\"y"\n',
  ),
  words: ['"', "'", '"""', "'''", '#', '[', ']', '\\', '\r', '\n', '=', '.', '{', '}', '\u007f', '"gc".'],
  codes: ['usage', 'refused'],
  inputBytesMax: 4096,
  run: (input) => {
    const text = input.toString('utf8');
    parseSettings(text, 'config.toml');
    for (const key of settingKeys()) {
      const value = parseSettingTexts(key, [typed[settingKind(key).type] ?? settingKind(key).choices?.[0] ?? '"x" y']);
      let edited: string;
      try {
        edited = editSetting(text, key, value);
      } catch (error) {
        if (!hasCode(error, 'usage', 'refused')) throw error;
        continue;
      }
      const found = valid(edited, key).get(key);
      if (JSON.stringify(found) !== JSON.stringify(value))
        throw new Error(`${key} was set to ${String(value)}, reads ${String(found)}`);
      valid(editSetting(edited, key, null), key);
    }
    return undefined;
  },
};

const typed: Readonly<Record<string, string | undefined>> = {
  count: '7',
  texts: 'a,"b',
  duration: '1y',
  size: '7GB',
  tiers: '7d:all',
};

function valid(text: string, key: string): ReturnType<typeof parseSettings> {
  try {
    return parseSettings(text, 'config.toml');
  } catch (error) {
    throw new Error(`setting ${key} makes a file that does not parse: ${JSON.stringify(text)}`, { cause: error });
  }
}

const tags: Target = {
  name: 'tag',
  seeds: of('v1.0', 'release/2026', 'é', 'a@b', 'x=1'),
  words: ['/', '..', '.', '-', 'HEAD', 'deadbeef', '\u0301', '\ud83d\ude00', '\n'],
  codes: ['usage'],
  run: (input) => {
    parseRefName(tagRef(input.toString('utf8')), 'ref');
    return undefined;
  },
};

const names: Target = {
  name: 'entry-name',
  seeds: fc.oneof(nameBytes, of('.snap', '.SNAP ', '.ſnap', 'snap~1', '.s\u200cnap', '.snap::$INDEX')),
  words: ['.', ' ', '. . . . . . . .', '\u200c', ':', 'sp', '.snap', '~', '\ufeff'],
  codes: [],
  run: (input) => {
    const name = decodeName(input);
    entryNameFault(name);
    printable(name);
    return undefined;
  },
};

/** Names of snapshots in a workspace that has some, with a tag. */
export function revisionTarget(repository: () => Repository, ids: () => readonly string[]): Target {
  return {
    name: 'revision',
    seeds: fc
      .constantFrom(
        'HEAD',
        'HEAD~1',
        'HEAD^^',
        'latest',
        '@',
        'v1',
        'v1~0',
        '@{2100-11-20 14:00}',
        '@{now}~1:src/a',
        'HEAD:a',
        '0',
        '1',
      )
      .map((text) => Buffer.from(/^\d$/.test(text) ? (ids()[Number(text)] ?? '').slice(0, 8) : text)),
    words: ['~', '^', '~1', '~99999999999999999999', '@{', '}', ':', '..', 'HEAD', 'snapshots/', '~0', '\0', '/', '%'],
    codes: ['usage', 'not-found', 'ambiguous'],
    inputBytesMax: ARGUMENT_BYTES_MAX,
    run: async (input) => {
      const { revision } = splitRevisionPath(input.toString('utf8'));
      const id = await resolveRevision(repository(), revision);
      if (!ids().includes(id)) throw new Error(`${revision} names ${id}, which is no snapshot`);
      return undefined;
    },
  };
}

export const TYPED_TARGETS: readonly Target[] = [sizes, durations, times, tiers, rules, edits, tags, names];
