/** A damaged `operations.jsonl`: every command works on, verify names it, repair mends it. */
import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../kit/folder.ts';
import { madeOnce } from '../kit/made-once.ts';
import { json, ok, snap } from '../kit/snap.ts';

const copyTo = madeOnce((path) => {
  root = path;
  run('init');
  for (const content of ['one', 'two', 'three']) {
    writeFileSync(join(root, 'a'), content);
    run('commit', '-m', content, '--tag', content);
  }
  for (const tag of ['one', 'two', 'one']) run('checkout', tag);
});
let folder: ReturnType<typeof temporaryFolder>;
let root: string;
let file: string;
let lines: string[];
beforeEach(() => {
  folder = temporaryFolder();
  copyTo(join(folder.path, 'work'));
  root = join(folder.path, 'work');
  file = join(root, '.snap/operations.jsonl');
  lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
});
afterEach(() => folder.remove());

const run = (...args: string[]): string => ok(args, { cwd: root });
const codeOf = (...args: string[]): number | null => snap(args, { cwd: root }).code;
const content = (): string => readFileSync(join(root, 'a'), 'utf8');
const damaged = (): string[] => readdirSync(join(root, '.snap')).filter((name) => name.includes('.damaged-'));
const write = (changed: readonly (string | undefined)[]): void =>
  writeFileSync(file, changed.map((line) => `${line}\n`).join(''));

const DAMAGE: readonly (readonly [string, () => void, number])[] = [
  ['a line that is there twice', () => write([lines[0], lines[1], lines[1], lines[2]]), 3],
  ['a line of zeros', () => write([lines[0], '\0'.repeat(100), lines[2]]), 2],
  ['the last line altered', () => write([lines[0], lines[1], lines[2]?.replace('"to":"', '"to":"x')]), 2],
  ['nothing that is right', () => write(['x', 'y']), 0],
];

describe.each(DAMAGE)('%s', (_what, damage, left) => {
  test('is named by verify, mended by repair, and keeps nobody from working', { timeout: 30_000 }, () => {
    damage();
    const bytes = readFileSync(file);
    const verify = snap(['verify'], { cwd: root });
    expect(verify.code).toBe(20);
    expect(verify.stdout).toContain(`${file}:`);
    expect(verify.stdout).toContain('snap repair');
    const log = snap(['op', 'log'], { cwd: root });
    expect(log.code).toBe(0);
    expect(log.stderr).toContain('warning: ');

    expect(codeOf('repair', '--dry-run')).toBe(20);
    expect(readFileSync(file)).toEqual(bytes);
    expect(damaged()).toEqual([]);

    expect(json(['repair'], { cwd: root })).toMatchObject({ remains: false, operations: { kept: left } });
    const [second = ''] = damaged();
    expect(readFileSync(join(root, '.snap', second))).toEqual(bytes);
    expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(left + 1);
    expect(codeOf('verify')).toBe(0);
    expect(snap(['op', 'log'], { cwd: root })).toMatchObject({ code: 0, stderr: '' });
    expect(run('repair')).toContain('no damage');
    expect(damaged()).toHaveLength(1);
  });

  test('checkout and undo go on without repair', { timeout: 30_000 }, () => {
    damage();
    run('checkout', 'three');
    expect(content()).toBe('three');
    const undo = snap(['undo'], { cwd: root });
    expect(undo).toMatchObject({ code: 0 });
    expect(undo.stderr).toContain('warning: ');
    expect(content()).toBe('one');
    run('repair');
    expect(codeOf('verify')).toBe(0);
  });
});

test('a line that is missing: the others can be undone, and all commands agree', () => {
  write([lines[0], lines[2]]);
  expect(codeOf('verify')).toBe(0);
  expect(run('repair')).toContain('no damage');
  run('undo');
  expect(content()).toBe('two');
  run('checkout', 'three');
  run('undo');
  expect(content()).toBe('two');
});

test('something else in its place is moved aside', () => {
  rmSync(file);
  symlinkSync('nowhere', file);
  expect(codeOf('checkout', 'two')).toBe(20);
  expect(codeOf('verify')).toBe(20);
  expect(codeOf('repair', '--dry-run')).toBe(20);
  expect(damaged()).toEqual([]);
  run('repair');
  expect(damaged()).toHaveLength(1);
  run('checkout', 'two');
  expect(existsSync(file)).toBe(true);
  expect(codeOf('verify')).toBe(0);
});
