/** The reading commands as a person runs them: what they print, to which stream, with which exit code. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { noise, temporaryFolder } from '../kit/folder.ts';
import type { Ran } from '../kit/snap.ts';
import { ok, snap } from '../kit/snap.ts';

const folder = temporaryFolder();
const root = folder.path;
const run = (...args: string[]): Ran => snap(args, { cwd: root });
const out = (...args: string[]): string => ok(args, { cwd: root });
const records = (...args: string[]): Record<string, unknown>[] =>
  ok(['--json', ...args], { cwd: root })
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
const write = (path: string, content: string | Uint8Array): void => writeFileSync(join(root, path), content);

beforeAll(() => {
  mkdirSync(join(root, 'src'));
  write('src/a.txt', 'one\ntwo\n');
  write('data.bin', noise(2_000_000, 3));
  write('evil\u001b[31mname', 'x');
  out('init');
  write('.snapignore', '*.log\n');
  out('commit', '-m', 'first', '--tag', 'v1');
  write('src/a.txt', 'one\n2\n');
  chmodSync(join(root, 'data.bin'), 0o600);
  out('commit', '-m', 'second\nwith a body');
  rmSync(join(root, 'evil\u001b[31mname'));
  write('src/new.txt', 'new\n');
  write('x.log', '');
});
afterAll(() => folder.remove());

test('log: aligned lines without a terminal, one line each with --oneline, records with --json', () => {
  const lines = out('log').trimEnd().split('\n');
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/^ [0-9a-f]{10} {2}today \d\d:\d\d {2}second {2,4}\+[\d.]+ \w+ {2}HEAD$/);
  expect(lines[1]).toMatch(/^ [0-9a-f]{10} {2}today \d\d:\d\d {2}first {3,4}\+[\d.]+ \w+ {2}v1$/);
  expect(out('log', '--oneline')).toMatch(/^[0-9a-f]{10} \(HEAD\) second\n[0-9a-f]{10} \(v1\) first\n$/);
  expect(records('log').map(({ schema, type, message }) => [schema, type, message])).toEqual([
    [1, 'snapshot', 'second\nwith a body'],
    [1, 'snapshot', 'first'],
  ]);
  expect(out('log', '--stat', '-n', '1')).toContain('M src/a.txt');
});

test('log and diff tell revisions from paths as git does', () => {
  expect(out('log', '--oneline', 'src/a.txt').trimEnd().split('\n')).toHaveLength(2);
  expect(out('log', '--oneline', 'v1', 'src').trimEnd().split('\n')).toHaveLength(1);
  expect(out('log', '--oneline', '--', 'src/new.txt')).toBe('');
  expect(run('log', 'nothing')).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('neither') });
  expect(snap(['diff', '../data.bin', '--name-only', '--exit-code'], { cwd: join(root, 'src') }).code).toBe(0);
  expect(run('show', 'src/a.txt').stderr).toContain('HEAD:src/a.txt');
  expect(run('log', '--', 'src/a.tx').stderr).toContain('src/a.txt');
  expect(out('diff', 'v1..HEAD', '--name-status')).toBe('M\tdata.bin\nM\tsrc/a.txt\n');
  expect(out('diff', 'v1', 'HEAD', '--name-only', '--', 'src')).toBe('src/a.txt\n');
  expect(run('diff', 'v1', 'HEAD', 'v1').code).toBe(2);
});

test('status: words, letters, exit code 0, names escaped', () => {
  const long = out('status');
  expect(long).toMatch(/^ last snapshot [0-9a-f]{10}, \d+ seconds? ago \(today \d\d:\d\d\) {2}second$/m);
  expect(long).toContain(' deleted     evil\\x1b[31mname');
  expect(out('status', '-s')).toBe('D evil\\x1b[31mname\nA src/new.txt\n');
  expect(out('status', '--ignored')).toContain('x.log  (.snapignore:1: *.log)');
  expect(records('status').at(-1)).toMatchObject({ type: 'status', clean: false, counts: { added: 1, removed: 1 } });
});

test('diff: a patch by default, sums with --stat, exit code 1 on request', () => {
  const patch = out('diff', 'v1', 'HEAD');
  expect(patch).toContain('old mode 100644\nnew mode 100600\n');
  expect(patch).toContain('@@ -1,2 +1,2 @@\n one\n-two\n+2\n');
  expect(out('diff', 'v1', 'HEAD', '--stat')).toMatch(
    / M src\/a\.txt +\+1 -1\n 1 modified · 1 with another mode +\+1 -1 lines\n$/,
  );
  expect(run('diff', '--exit-code', '--name-only').code).toBe(1);
  expect(run('diff', '--exit-code', 'HEAD', 'HEAD').code).toBe(0);
  const [change] = records('diff', 'v1', 'HEAD', '--patch', '--', 'src');
  expect(change).toMatchObject({
    type: 'change',
    kind: 'modified',
    path: 'src/a.txt',
    patch: expect.stringContaining('+2\n'),
  });
});

test('quiet: diff says nothing but its exit code, and listings are as ever', () => {
  for (const args of [[], ['--exit-code'], ['--stat'], ['v1', 'HEAD']])
    expect(run('diff', '-q', ...args), args.join(' ')).toEqual({ code: 1, stdout: '', stderr: '' });
  expect(run('diff', '-q', 'HEAD', 'HEAD')).toEqual({ code: 0, stdout: '', stderr: '' });
  expect(run('diff', '-q', '--json', 'HEAD', 'HEAD').stdout).toContain('"type":"diff"');
  for (const args of [['log'], ['status', '-s'], ['ls']]) expect(out('-q', ...args)).toBe(out(...args));
  expect(run('log', '--help').stdout).toContain('print errors and listings only');
});

test('a folder that was renamed is a line for each file to programs, in diff and show, and one to people', () => {
  const own = temporaryFolder();
  const cwd = own.path;
  mkdirSync(join(cwd, 'old -> er'));
  for (const name of ['a', 'b']) writeFileSync(join(cwd, 'old -> er', name), name);
  ok(['init'], { cwd });
  ok(['commit', '-m', 'first'], { cwd });
  renameSync(join(cwd, 'old -> er'), join(cwd, 'new'));
  expect(ok(['diff', '--name-status'], { cwd })).toBe('R100\told -> er/a\tnew/a\nR100\told -> er/b\tnew/b\n');
  expect(ok(['status'], { cwd })).toContain(' renamed     old -> er/ -> new/  (2 files, 2 B)\n');
  const [folder] = ok(['status', '--json'], { cwd }).split('\n');
  expect(JSON.parse(folder ?? '')).toMatchObject({ path: 'new', after: { kind: 'folder' }, contained: { files: 2 } });
  ok(['commit', '-m', 'second'], { cwd });
  expect(ok(['show'], { cwd })).toContain('old -> er/ -> new/');
  for (const args of [['diff', 'HEAD~1', 'HEAD'], ['show']])
    expect(ok([...args, '--json'], { cwd })).toMatch(/"path":"new\/a".*\n.*"path":"new\/b"/);
  own.remove();
});

test('cat writes the very bytes, and a reader that leaves early is no error', () => {
  const bin = join(import.meta.dirname, '../../bin/snap.js');
  const whole = spawnSync(process.execPath, [bin, 'cat', 'v1:data.bin'], { cwd: root, maxBuffer: 1e9 });
  expect(whole.stdout.equals(readFileSync(join(root, 'data.bin')))).toBe(true);
  const early = spawnSync(
    'bash',
    ['-c', `'${process.execPath}' '${bin}' cat v1:data.bin | head -c 5 | wc -c; exit \${PIPESTATUS[0]}`],
    { cwd: root, encoding: 'utf8' },
  );
  expect([early.status, early.stdout.trim(), early.stderr]).toEqual([0, '5', '']);
  expect(run('cat', 'HEAD:src')).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('is a folder') });
  expect(snap(['cat', 'v1:./a.txt'], { cwd: join(root, 'src') }).stdout).toBe('one\ntwo\n');
});

test('ls, show, find', () => {
  expect(out('ls')).toBe('.snapignore\ndata.bin\nevil\\x1b[31mname\nsrc/\n');
  expect(out('ls', '-l', 'v1:data.bin')).toMatch(/^-rw-r--r-- {2}\d+:\d+ +2\.0 MB {2}today \d\d:\d\d +data\.bin\n$/);
  expect(records('ls', '-R', 'HEAD:src')).toMatchObject([{ type: 'entry', path: 'src/a.txt', kind: 'file', size: 6 }]);
  expect(run('ls', 'src').stderr).toContain('HEAD:src');
  expect(out('show', 'v1')).toMatch(/ snapshot {4}[0-9a-f]{64} {2}v1\n/);
  expect(out('show')).toContain('   second\n   with a body\n');
  expect(out('show', 'v1:src/a.txt')).toContain(' size        8 B (8 bytes)');
  expect(records('show', 'HEAD').map(({ type, path }) => path ?? type)).toEqual(['snapshot', 'data.bin', 'src/a.txt']);
  expect(out('find', 'a.txt').trimEnd().split('\n')).toHaveLength(3);
  expect(run('find', 'nowhere').code).toBe(1);
});

test('check-ignore: exit code 0 if any is ignored, 1 if none; -v says why', () => {
  expect(run('check-ignore', 'x.log', 'src')).toMatchObject({ code: 0, stdout: 'x.log\n' });
  expect(run('check-ignore', 'src')).toMatchObject({ code: 1, stdout: '' });
  expect(run('check-ignore', '-v', 'x.log').stdout).toBe('ignored  x.log  (.snapignore:1: *.log)\n');
  expect(run('check-ignore', '..').code).toBe(2);
});
