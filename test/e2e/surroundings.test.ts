/** What is around a workspace: Git, a folder that is gone, a user without a home, another folder to check out into. */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openWorkspace } from '../../src/api/workspace.ts';
import { packPaths } from '../kit/damage.ts';
import { noise, temporaryFolder } from '../kit/folder.ts';
import { json, ok, snap } from '../kit/snap.ts';

const BIN = fileURLToPath(new URL('../../bin/snap.js', import.meta.url));

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

const write = (name: string, content: string | Buffer): void => fs.writeFileSync(join(folder.path, name), content);
const here = (...args: string[]): ReturnType<typeof snap> => snap(['-C', folder.path, ...args]);
const git = (...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { cwd: folder.path, encoding: 'utf8' });

test('Git leaves the history alone', () => {
  git('init', '-q');
  write('a', '1');
  ok(['-C', folder.path, 'init']);
  ok(['-C', folder.path, 'commit', '-m', 'one']);
  expect(git('status', '--short')).not.toContain('.snap/');
  git('add', '-A');
  expect(git('ls-files')).not.toContain('.snap/');
  git('commit', '-qm', 'all');
  write('b', '2');
  git('stash', '-u', '-q');
  git('clean', '-fdq');
  expect(here('verify', '--data').code).toBe(0);
  expect(here('log').stdout).toContain('one');
});

test('init says that .git will be stored, where a .snapignore is there and does not leave it out', () => {
  git('init', '-q');
  write('.snapignore', '*.log\n');
  expect(here('init').stderr).toContain('.git will be stored');
  fs.rmSync(join(folder.path, '.snap'), { recursive: true });
  write('.snapignore', '*.log\n/.git/\n');
  expect(here('init').stderr).toBe('');
});

test('several messages are the paragraphs of one; a command that has the index is waited for', async () => {
  ok(['-C', folder.path, 'init']);
  write('big', noise(3_000_000, 1));
  ok(['-C', folder.path, 'commit', '-m', 'first', '-m', 'second']);
  expect(here('show').stdout).toMatch(/first\n\s*\n\s*second/);
  const other = await openWorkspace(folder.path, { command: 'snap status' });
  write('small', '1');
  setTimeout(() => void other.close(), 300);
  const { stdout } = await promisify(execFile)(process.execPath, [BIN, '-C', folder.path, 'commit', '-m', 'x']);
  expect(stdout).toMatch(/read 1 B/);
});

test('from a folder that was removed, help and absolute paths still work', () => {
  ok(['-C', folder.path, 'init']);
  const gone = join(folder.path, 'gone');
  fs.mkdirSync(gone);
  const run = (...args: string[]): ReturnType<typeof spawnSync> =>
    spawnSync('sh', ['-c', 'rmdir "$PWD"; exec "$@"', 'sh', process.execPath, BIN, ...args], {
      cwd: gone,
      encoding: 'utf8',
    });
  expect(run('-C', folder.path, 'status')).toMatchObject({ status: 0 });
  fs.mkdirSync(gone);
  expect(run('--help')).toMatchObject({ status: 0 });
  fs.mkdirSync(gone);
  const { status, stderr } = run('status');
  expect(status).toBe(1);
  expect(String(stderr)).toMatch(/^error: the folder that this runs in is not there any more\n/);
});

test.skipIf(process.getuid?.() !== 0)('a user without a home can run it', () => {
  const { status, stdout } = spawnSync(process.execPath, [BIN, '--version'], {
    env: { PATH: process.env.PATH },
    uid: 54_321,
    gid: 54_321,
    encoding: 'utf8',
  });
  // Unless that user may not read the checkout at all.
  if (fs.statSync(BIN).mode & 0o004 && status !== null)
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^\d/)]);
});

test('checkout --to can be previewed, and then changes nothing', () => {
  write('a', '1');
  ok(['-C', folder.path, 'init']);
  ok(['-C', folder.path, 'commit', '-m', 'one']);
  const to = join(folder.path, 'd');
  expect(here('checkout', 'HEAD', '--to', to, '-n').code).toBe(0);
  expect(fs.existsSync(to)).toBe(false);
  fs.mkdirSync(to);
  fs.writeFileSync(join(to, 'a'), 'mine');
  expect(here('checkout', 'HEAD', '--to', to, '-n')).toMatchObject({ code: 1 });
  const forced = here('checkout', 'HEAD', '--to', to, '--force', '-n');
  expect(forced).toMatchObject({ code: 0, stderr: 'warning: a is there with other contents, and would be replaced\n' });
  expect(fs.readdirSync(to)).toEqual(['a']);
  expect(fs.readFileSync(join(to, 'a'), 'utf8')).toBe('mine');
});

test('latest is what somebody committed, not what a checkout saved', () => {
  write('a', '1');
  ok(['-C', folder.path, 'init']);
  ok(['-C', folder.path, 'commit', '-m', 'one']);
  write('a', '2');
  const { id } = json<{ id: string }>(['-C', folder.path, 'commit', '-m', 'two']);
  write('a', 'edited');
  ok(['-C', folder.path, 'checkout', 'HEAD~1']);
  expect(here('show', 'latest').stdout).toContain(id);
});

test('a commit says that packs of the store are missing', () => {
  write('a', noise(100_000, 1));
  ok(['-C', folder.path, 'init']);
  ok(['-C', folder.path, 'commit', '-m', 'one']);
  const [pack] = packPaths(join(folder.path, '.snap/store'));
  fs.rmSync(pack ?? '');
  write('b', '2');
  const { code, stderr } = here('commit', '-m', 'two');
  expect(code).toBe(0);
  expect(stderr).toContain('1 pack of the store is missing; what this folder has of it is stored again');
  ok(['-C', folder.path, 'cat', 'HEAD:a']);
});
