/** The store's `config.json` is lost, cut or altered: a workspace that knew it puts it back. */
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { decodeCopy } from '../../src/repo/open-store-config.ts';
import { madeOnce } from '../kit/made-once.ts';
import { snap } from '../kit/snap.ts';

const copyTo = madeOnce((path) => {
  snap(['init'], { cwd: path });
  writeFileSync(join(path, 'file'), 'text');
  snap(['commit', '-m', 'first'], { cwd: path });
});
let folder: string;
let root: string;
let config: string;
let was: Buffer;
const run = (...args: string[]): ReturnType<typeof snap> => snap(args, { cwd: root });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'snap-test-'));
  root = join(folder, 'work');
  copyTo(root);
  config = join(root, '.snap/store/config.json');
  was = readFileSync(config);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  ['is gone', () => rmSync(config)],
  ['is cut', () => truncateSync(config, 30)],
  ['is empty', () => truncateSync(config, 0)],
  // Valid by itself: chunks would be cut elsewhere.
  ['has another number', () => writeFileSync(config, was.toString().replace('262144', '131072'))],
])('it %s: told, previewed, put back, and the damaged one is kept', (_what, harm) => {
  harm();
  const harmed = existsSync(config) ? readFileSync(config) : undefined;
  const store = readdirSync(join(root, '.snap/store')).sort();
  const log = run('log');
  expect(log.code).toBe(20);
  expect(log.stderr).toContain('`snap repair` puts it back');
  expect(run('commit', '-m', 'on').code).toBe(20);

  const preview = run('repair', '--dry-run', '--json');
  expect(preview.code).toBe(20);
  expect(JSON.parse(preview.stdout)).toMatchObject({ dryRun: true, remains: true, config: { quarantined: null } });
  expect(existsSync(config) ? readFileSync(config) : undefined).toEqual(harmed);
  expect(readdirSync(join(root, '.snap/store')).sort()).toEqual(store);

  const repair = run('repair');
  expect(repair).toMatchObject({ code: 0, stdout: expect.stringContaining('from the copy that this workspace keeps') });
  expect(readFileSync(config)).toEqual(was);
  if (harmed !== undefined) expect(readFileSync(join(root, '.snap/store/quarantine/config.json'))).toEqual(harmed);
  expect(run('log')).toMatchObject({ code: 0, stdout: expect.stringContaining('first') });
  expect(run('verify', '--data').code).toBe(0);
  expect(run('repair').stdout).toContain('no damage');
});

test('a workspace that never saw it says where else to look', () => {
  rmSync(join(root, '.snap/store-config.json'));
  truncateSync(config, 30);
  for (const args of [['log'], ['repair'], ['repair', '-n']])
    expect(run(...args)).toMatchObject({ code: 20, stderr: expect.stringContaining('from a copy of the store') });
});

test('another store that takes the place is no damage, and is remembered instead', () => {
  const other = join(folder, 'other');
  snap(['init', other], { cwd: folder });
  rmSync(join(root, '.snap/store'), { recursive: true });
  cpSync(join(other, '.snap/store'), join(root, '.snap/store'), { recursive: true });
  run('reindex', '--accept-store');
  expect(run('log').code).toBe(0);
  expect(decodeCopy(readFileSync(join(root, '.snap/store-config.json')))).toEqual(readFileSync(config));
});

test('a copy that is damaged is written anew', () => {
  const copy = join(root, '.snap/store-config.json');
  truncateSync(copy, 10);
  expect(run('log').code).toBe(0);
  expect(decodeCopy(readFileSync(copy))).toEqual(was);
});

test('without a store there is no store, whatever the workspace remembers', () => {
  rmSync(join(root, '.snap/store'), { recursive: true });
  expect(run('log').stderr).toContain('there is no store at');
});
