/** Danger: a file that is in no snapshot, and nobody is told. Names that a file system may take for `.snap` are none's. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { snap } from '../kit/snap.ts';

let root: string;
const run = (...args: string[]): ReturnType<typeof snap> => snap(args, { cwd: root });
const write = (path: string): void => {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), 'text');
};
const skipped = (...args: string[]): string[] =>
  (
    JSON.parse(
      run(...args, '--json')
        .stdout.trimEnd()
        .split('\n')
        .at(-1) ?? '',
    ).skipped as { path: string }[]
  ).map(({ path }) => path);

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'snap-test-'));
  run('init');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test('each is named once, by every commit and by status, with exit code 3', () => {
  write('notes/.SNAP');
  write('notes/snap~1/inner');
  write('.snap ');
  write('file/.snap');
  write('folder/.snap/inner');
  write('notes/kept');
  const expected = ['.snap ', 'file/.snap', 'folder/.snap', 'notes/.SNAP', 'notes/snap~1'];
  expect(skipped('status')).toEqual(expected);
  const first = run('commit', '-m', 'first');
  expect(first.code).toBe(3);
  expect(first.stderr).toContain('notes/.SNAP was left out (it has the reserved name ".snap"');
  expect(first.stderr.match(/was left out/g)).toHaveLength(expected.length);
  expect(first.stderr).toContain('.snapignore');
  // Nothing has changed, and folders are as their records say.
  expect(skipped('commit', '-m', 'second')).toEqual(expected);
  write('notes/kept2');
  expect(skipped('commit', '-m', 'third')).toEqual(expected);
});

test('an ignore rule says that it is meant, and a .snap of a workspace needs none', () => {
  write('notes/.SNAP');
  write('inner/.snap/config.toml');
  write('.snapignore');
  writeFileSync(join(root, '.snapignore'), '.SNAP\n');
  expect(run('commit', '-m', 'first')).toMatchObject({ code: 0, stderr: '' });
  expect(run('status', '--ignored').stdout).toContain('inner/.snap');
});
