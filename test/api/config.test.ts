import { appendFileSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Config } from '../../src/api/config.ts';
import { openConfig } from '../../src/api/config.ts';
import { ok, snap } from '../kit/snap.ts';
import { makeWorkspace, type TestWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;
let config: Config;

beforeEach(async () => {
  made = await makeWorkspace();
  config = openConfig(made.root);
});
afterEach(() => made.cleanup());

const text = (): string => readFileSync(config.path, 'utf8');
const leftovers = (): string[] => readdirSync(join(made.root, '.snap/tmp')).filter((name) => name.startsWith('config'));

test('set, get, unset; comments stay and another opening sees it', async () => {
  const before = text();
  await config.set('gc.keep-daily', ['7']);
  await config.set('commit.exclude', ['*.log', 'tmp/']);
  expect(openConfig(join(made.root, '.snap')).get('gc.keep-daily')).toMatchObject({ value: 7, isSet: true });
  expect((await made.reopen()).repository.settings.get('commit.exclude')).toEqual(['*.log', 'tmp/']);
  expect(await config.unset('gc.keep-daily')).toBe(true);
  expect(await config.unset('gc.keep-daily')).toBe(false);
  await config.unset('commit.exclude');
  expect(text()).toBe(before);
});

test('every key is listed with help, and its default where it has one', () => {
  const listed = config.list();
  expect(listed.length).toBeGreaterThan(15);
  expect(listed.every(({ help }) => help !== '')).toBe(true);
  expect(config.get('commit.compression')).toMatchObject({ value: 'balanced', isSet: false, origin: undefined });
  expect(config.get('store.path')).toMatchObject({ value: '.snap/store', isSet: true, origin: `${config.path}:8` });
  expect(() => config.get('keep-daily')).toThrow(
    expect.objectContaining({ code: 'usage', hint: expect.stringContaining('gc.keep-daily') }),
  );
});

test('bad values are refused and change nothing', async () => {
  const before = text();
  for (const [key, value] of [
    ['gc.keep-daily', 'x'],
    ['gc.keep-within', '3 moons'],
    ['gc.keep-within', '6m'],
    ['gc.keep-under', 'much'],
    ['gc.tiers', '30d:all,7d:day'],
    ['gc.tiers', '7d'],
    ['gc.tiers', '7d:all,6m:week'],
    ['gc.grace', '-1d'],
    ['commit.compression', 'best'],
    ['nope', '1'],
  ] as const) {
    await expect(config.set(key, [value]), key).rejects.toMatchObject({ code: 'usage' });
  }
  for (const path of ['', '/nope', '.', 'a/file', '.snap'])
    await expect(config.set('store.path', [path]), path).rejects.toMatchObject({ code: 'refused' });
  await expect(config.set('workspace.id', ['x'])).rejects.toMatchObject({ code: 'refused' });
  await expect(config.unset('workspace.id')).rejects.toMatchObject({ code: 'refused' });
  expect(text()).toBe(before);
});

test('a wrong value in the file names its line, and can be set right', async () => {
  appendFileSync(config.path, 'tiers = "30d:all,7d:day"\n');
  const line = text().trimEnd().split('\n').length;
  expect(() => config.list()).toThrow(
    expect.objectContaining({ code: 'usage', message: expect.stringContaining(`${config.path}:${line}`) }),
  );
  await config.set('gc.tiers', ['7d:all,30d:day']);
  expect(config.get('gc.tiers').value).toBe('7d:all,30d:day');
});

test('store.path is set to where a store is, and unset where the default one is', async () => {
  const elsewhere = join(dirname(made.root), 'store');
  await made.workspace.close();
  renameSync(join(made.root, '.snap/store'), elsewhere);
  await expect(config.unset('store.path')).rejects.toMatchObject({ code: 'refused' });
  await config.set('store.path', ['../store']);
  expect(ok(['log', '--json'], { cwd: made.root })).toBe('');
  renameSync(elsewhere, join(made.root, '.snap/store'));
  expect(await config.unset('store.path')).toBe(true);
});

test('tiers that cannot be read stop every command at once, as other settings do', () => {
  appendFileSync(config.path, 'tiers = "7d:all,,x"\n');
  expect(snap(['status'], { cwd: made.root })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('gc.tiers must be tiers of growing ages, not "7d:all,,x"'),
  });
});

test('set at the same time from several callers loses nothing', async () => {
  await Promise.all(
    ['keep-last', 'keep-daily', 'keep-weekly', 'keep-monthly'].map((name, i) =>
      openConfig(made.root).set(`gc.${name}`, [String(i + 1)]),
    ),
  );
  expect(
    ['keep-last', 'keep-daily', 'keep-weekly', 'keep-monthly'].map((name) => config.get(`gc.${name}`).value),
  ).toEqual([1, 2, 3, 4]);
  expect(existsSync(`${config.path}.lock`)).toBe(false);
});

test('edit mends a broken file; a broken copy is kept and the file stays', async () => {
  const good = text();
  writeFileSync(config.path, `${good}[gc\n`);
  expect(await config.edit(async (copy) => writeFileSync(copy, good))).toBe(true);
  expect(text()).toBe(good);
  expect(await config.edit(async () => undefined)).toBe(false);
  expect(leftovers()).toEqual([]);
  await expect(config.edit(async (copy) => appendFileSync(copy, 'keep-last = "many"\n'))).rejects.toMatchObject({
    code: 'usage',
    hint: expect.stringContaining('your text is in'),
  });
  expect(text()).toBe(good);
  expect(leftovers().length).toBe(1);
  await expect(config.edit(() => Promise.reject(new Error('no editor')))).rejects.toThrow('no editor');
  expect(leftovers().length).toBe(1);
});

test('edit does not overwrite what somebody else changed meanwhile', async () => {
  const edit = config.edit(async (copy) => {
    appendFileSync(copy, 'keep-last = 3\n');
    await config.set('gc.keep-daily', ['7']);
  });
  await expect(edit).rejects.toMatchObject({ code: 'conflict' });
  expect(config.get('gc.keep-daily').value).toBe(7);
  expect(config.get('gc.keep-last').isSet).toBe(false);
});
