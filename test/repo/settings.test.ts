import fc from 'fast-check';
import { parse } from 'smol-toml';
import { describe, expect, test } from 'vitest';
import {
  countSetting,
  parseSettings,
  parseSettingTexts,
  settingKeys,
  textSetting,
  textsSetting,
} from '../../src/repo/settings.ts';
import { editSetting, settingLine } from '../../src/repo/settings-text.ts';

const TEMPLATE = `# Settings of this workspace.

[workspace]
id = "abc"
name = "x"

[commit]
# compression = "balanced"   # off, fast

[gc]
# For example:
# keep-last = 10
`;

const parsed = (text: string): Record<string, unknown> => Object.fromEntries(parseSettings(text, 'f'));

describe('parsing', () => {
  test('knows every form in which TOML writes a key', () => {
    const wanted = { 'gc.keep-last': 3, 'commit.exclude': ['a #b', "it's", 'c'] };
    const exclude = `[\n  'a #b', # first\n  "it's",\n  "c",\n]`;
    for (const text of [
      `[gc]\nkeep-last = 3\n[commit]\nexclude = ${exclude}\n`,
      `[ "gc" ] # here\n"keep-last" = 3\n['commit']\n'exclude'=${exclude}`,
      `gc.keep-last = 3\ncommit . "exclude" = ${exclude}`,
      `gc = { keep-last = 3 }\n[commit]\nexclude = ['a #b', "it's", "c"]`,
      `\uFEFF[gc]\r\nkeep-last = 3\r\n\r\n[commit]\r\nexclude = ${exclude.replaceAll('\n', '\r\n')}\r\n`,
    ]) {
      expect(parsed(text), text).toEqual(wanted);
    }
  });

  test.each([
    ['[gc]\n\nkeep-last = "3"', 'f:3: gc.keep-last must be a whole number, not "3"'],
    ['[gc]\nkeep-last = -1', 'f:2: gc.keep-last must be a whole number, not -1'],
    ['[gc]\nkeep-last = 1.5', 'f:2'],
    ['[gc]\nkeep-within = "soon"', 'f:2: gc.keep-within must be a duration, not "soon"'],
    ['[gc]\nkeep-under = "20 apples"', 'f:2: gc.keep-under must be a size, not "20 apples"'],
    ['[commit]\ncompression = "best"', 'f:2: commit.compression must be one of off, fast, balanced, max, not "best"'],
    ['[commit]\nexclude = ["a", 1]', 'f:2: commit.exclude must be a list of texts'],
    ['[workspace]\nname = "a"\n[store]\nname = "b"', 'f:4: there is no setting "store.name"'],
    ['[gc]\nkeep-lost = 1', 'f:2: there is no setting "gc.keep-lost"'],
    ['\n\n[nope]\na = 1', 'f:4: there is no setting "nope.a"'],
    ['"gc.keep-last" = 1', 'f:1: there is no setting "gc.keep-last"'],
    ['gc = 2026-01-01', 'f:1: there is no setting "gc"'],
    ['[[gc]]\nkeep-last = 1', 'f:1: there is no setting "gc"'],
    ['[gc.keep-last]\nx = 1', 'f:1: gc.keep-last must be a whole number'],
    ['[gc]\nkeep-last = ', 'f:2: Invalid TOML'],
    ['[gc\n', 'f:1: Invalid TOML'],
  ])('names file and line: %j', (text, message) => {
    expect(() => parseSettings(text, 'f')).toThrow(
      expect.objectContaining({ code: 'usage', message: expect.stringContaining(message) }),
    );
  });

  test('what a person types is turned into the type of the setting', () => {
    expect(parseSettingTexts('gc.keep-last', ['10'])).toBe(10);
    expect(parseSettingTexts('commit.exclude', ['*.log', 'a,b'])).toEqual(['*.log', 'a,b']);
    expect(parseSettingTexts('commit.exclude', ['*.log, tmp/'])).toEqual(['*.log', 'tmp/']);
    expect(parseSettingTexts('commit.exclude', ['["a,b"]'])).toEqual(['a,b']);
    expect(parseSettingTexts('commit.exclude', [''])).toEqual([]);
    for (const [key, texts] of [
      ['gc.keep-last', ['-1']],
      ['gc.keep-last', ['1', '2']],
      ['gc.keep-last', ['1e3']],
      ['gc.grace', ['x']],
      ['gc.keep-under', ['x']],
      ['commit.exclude', ['[1]']],
      ['commit.exclude', ['[']],
    ] as const) {
      expect(() => parseSettingTexts(key, texts), `${key} ${texts.join(' ')}`).toThrow(
        expect.objectContaining({ code: 'usage' }),
      );
    }
  });

  test.each([
    ['workspace.name = 3', 'workspace.name must be a text in quotes, not 3'],
    ['workspace = 3', 'there is no setting "workspace"'],
    ['workspace = 2026-01-01', 'there is no setting "workspace"'],
    ['[[gc]]\nkeep-last = 1', 'there is no setting "gc"'],
    ['gc.keep-last = "3"', 'gc.keep-last must be a whole number, not "3"'],
    ['gc.keep-last = 1.5', 'gc.keep-last must be a whole number, not 1.5'],
    ['gc.keep-last = -1', 'gc.keep-last must be a whole number, not -1'],
    ['gc.keep-tag = "v1"', 'gc.keep-tag must be a list of texts, not "v1"'],
    ['gc.keep-tag = [1]', 'gc.keep-tag must be a list of texts, not [1]'],
    ['gc.keep-within = "soon"', 'gc.keep-within must be a duration, not "soon"'],
    ['gc.keep-under = "much"', 'gc.keep-under must be a size, not "much"'],
    ['commit.compression = "most"', 'commit.compression must be one of off, fast, balanced, max, not "most"'],
    ['"gc.keep-last" = 1', 'there is no setting "gc.keep-last"'],
    ['gc.keep_last = 1', 'there is no setting "gc.keep_last"'],
    ['gc.keep-last = ', expect.stringContaining('file:2: ')],
  ])('%s is an error that names file and line', (line, message) => {
    expect(() => parseSettings(`# one\n${line}\n`, 'file')).toThrow(
      expect.objectContaining({
        code: 'usage',
        message:
          typeof message === 'string' ? expect.stringMatching(new RegExp(`^file:\\d: ${escaped(message)}`)) : message,
      }),
    );
  });

  test('values are asked for by their type; what is not set, or is of another type, is not there', () => {
    const settings = parseSettings('[gc]\nkeep-last = 3\nkeep-tag = ["a"]\n[workspace]\nname = "n"\n', 'file');
    expect(countSetting(settings, 'gc.keep-last')).toBe(3);
    expect(textsSetting(settings, 'gc.keep-tag')).toEqual(['a']);
    expect(textSetting(settings, 'workspace.name')).toBe('n');
    expect(countSetting(settings, 'gc.keep-daily')).toBeUndefined();
    expect(textsSetting(settings, 'commit.exclude')).toBeUndefined();
    expect(textSetting(settings, 'gc.keep-last')).toBeUndefined();
  });
});

describe('editing', () => {
  test('keeps comments, order, blank lines and everything else', () => {
    let text = editSetting(TEMPLATE, 'gc.keep-last', 5);
    expect(text).toBe(`${TEMPLATE}keep-last = 5\n`);
    text = editSetting(text, 'commit.compression', 'max');
    expect(text).toContain('# compression = "balanced"   # off, fast\ncompression = "max"\n\n[gc]');
    expect(editSetting(editSetting(text, 'commit.compression', null), 'gc.keep-last', null)).toBe(TEMPLATE);
  });

  test.each([
    [
      'a comment with quotes',
      `[workspace]\nname = "a #1" # it's "mine"\n`,
      `[workspace]\nname = "new" # it's "mine"\n`,
    ],
    ['no blank before the comment', `[workspace]\nname="a"# c\n`, `[workspace]\nname="new"# c\n`],
    ['quoted keys', `["workspace"]\n"name" = 'a'\n`, `["workspace"]\n"name" = "new"\n`],
    ['dotted keys', `workspace.name = 'a'\n`, `workspace.name = "new"\n`],
    ['CRLF', `[workspace]\r\nname = "a" # c\r\nid = "b"\r\n`, `[workspace]\r\nname = "new" # c\r\nid = "b"\r\n`],
    [
      'a text over several lines',
      `[workspace]\nname = """\n[gc]\nname = 'x'\n"""\nid = "b"\n`,
      `[workspace]\nname = "new"\nid = "b"\n`,
    ],
    [
      'a decoy in a text',
      `[store]\npath = '''\n[workspace]\nname = "decoy"'''\n[workspace]\nname = "a"\n`,
      `[store]\npath = '''\n[workspace]\nname = "decoy"'''\n[workspace]\nname = "new"\n`,
    ],
    [
      'a decoy in an array',
      `commit.exclude = [\n "]", # ]\n 'name = "x"',\n]\n[workspace]\nname = "a"`,
      `commit.exclude = [\n "]", # ]\n 'name = "x"',\n]\n[workspace]\nname = "new"`,
    ],
    [
      'the same name in another table',
      `[store]\nname = "s"\n[workspace]\nname = "a"\n`,
      `[store]\nname = "s"\n[workspace]\nname = "new"\n`,
    ],
    ['no table yet', `[gc]\nkeep-last = 1`, `[gc]\nkeep-last = 1\n\n[workspace]\nname = "new"\n`],
    ['no table yet, CRLF', `[gc]\r\nkeep-last = 1\r\n`, `[gc]\r\nkeep-last = 1\r\n\r\n[workspace]\r\nname = "new"\r\n`],
    ['an empty file', '', `[workspace]\nname = "new"\n`],
    ['a header at the end without newline', '[workspace]', `[workspace]\nname = "new"\n`],
    ['dotted siblings', `workspace.id = "b"\n[gc]\n`, `workspace.id = "b"\nworkspace.name = "new"\n[gc]\n`],
    [
      'comments of the next table',
      `[workspace]\nid = "b"\n# about gc\n[gc]\n`,
      `[workspace]\nid = "b"\nname = "new"\n# about gc\n[gc]\n`,
    ],
    [
      'comments of the next table after a blank line',
      `[workspace]\nid = "b"\n\n# about gc\n[gc]\n`,
      `[workspace]\nid = "b"\nname = "new"\n\n# about gc\n[gc]\n`,
    ],
    [
      'quotes before the closing ones',
      `[workspace]\nname = """a"""""\nid = "b"\n`,
      `[workspace]\nname = "new"\nid = "b"\n`,
    ],
    ['an escaped quote', `[workspace]\nname = "a\\" # b"\n`, `[workspace]\nname = "new"\n`],
  ])('%s', (_what, before, after) => {
    const edited = editSetting(before, 'workspace.name', 'new');
    expect(edited).toBe(after);
    expect(parse(edited)).toHaveProperty(['workspace', 'name'], 'new');
  });

  test('removes values over several lines whole, and leaves a file without the key alone', () => {
    expect(editSetting('[commit]\nexclude = [\n "a",\n "b", # c\n]\n[gc]\n', 'commit.exclude', null)).toBe(
      '[commit]\n[gc]\n',
    );
    expect(editSetting(TEMPLATE, 'gc.keep-daily', null)).toBe(TEMPLATE);
  });

  test('refuses an inline table and text that TOML cannot hold', () => {
    expect(() => editSetting('gc = { keep-last = 1 }\n', 'gc.keep-last', 2)).toThrow(
      expect.objectContaining({ code: 'refused' }),
    );
    expect(() => editSetting('', 'workspace.name', '\uD800')).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  test('any value in any key of any of these files is read back, and nothing else changes', () => {
    const files = fc.constantFrom(
      TEMPLATE,
      '',
      TEMPLATE.replaceAll('\n', '\r\n'),
      'gc.keep-last = 1 # c\n',
      `[gc]\nkeep-tag = [\n'x',\n] # [gc]\n`,
      '[commit]\n[gc]\n[workspace]\n[store]',
    );
    const value = fc.oneof(fc.string({ unit: 'binary' }), fc.nat(), fc.array(fc.string({ unit: 'grapheme' })));
    fc.assert(
      fc.property(files, fc.constantFrom(...settingKeys()), value, (text, key, wanted) => {
        const [section = '', name = ''] = key.split('.');
        const after = editSetting(text, key, wanted);
        const expected: Record<string, Record<string, unknown>> = structuredClone(
          JSON.parse(JSON.stringify(parse(text))),
        );
        expected[section] = { ...expected[section], [name]: wanted };
        expect(parse(after)).toEqual(expected);
        expect(settingLine(after, key)).toBeGreaterThan(0);
        const removed = JSON.parse(JSON.stringify(parse(editSetting(after, key, null))));
        delete expected[section][name];
        expect({ [section]: {}, ...removed }).toEqual(expected);
      }),
    );
  });

  test('never hangs on text that is not TOML', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('[', ']', '{', '}', '"', "'", '=', '#', '\n', '\r', '.', 'a', ' ', '\\') }),
        (text) => {
          expect(settingLine(text, 'a.a')).toBeGreaterThan(0);
        },
      ),
      { numRuns: 500, examples: [['['], ['a'], ['='], ['"'], ["'''"], ['a='], ['a=[']] },
    );
  });
});

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
