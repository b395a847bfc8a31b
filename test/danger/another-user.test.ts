/** Other people's workspaces and stores, and folders and files of one's own without permission. */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { realDisk } from '../../src/disk/disk.ts';
import type { LockFile } from '../../src/disk/lock-file.ts';
import { tryLock } from '../../src/disk/lock-file.ts';
import { processEnvironment } from '../../src/environment.ts';
import { fingerprint, temporaryFolder } from '../kit/folder.ts';
import type { Ran } from '../kit/snap.ts';
import { testFrom } from '../kit/test-from.ts';
import { CHANGING, expectReads, expectRefused, prepare } from './not-writable.ts';

const BIN = fileURLToPath(new URL('../../bin/snap.js', import.meta.url));
const IS_ROOT = process.getuid?.() === 0;
const NOBODY = ['--reuid', '65534', '--regid', '65534', '--clear-groups'];
/** Runs what follows where nobody but root sees the processes of others. */
const HIDDEN = ['unshare', '-m', 'sh', '-c', 'mount -t proc -o hidepid=2 none /proc && exec "$0" "$@"'];

let folder: { path: string; remove(): void };
beforeEach(() => {
  folder = temporaryFolder();
  fs.chmodSync(folder.path, 0o755);
});
afterEach(() => folder.remove());

const mayBeNobody = IS_ROOT && spawnSync('setpriv', [...NOBODY, process.execPath, BIN, '--version']).status === 0;
if (!mayBeNobody)
  process.stderr.write('another-user.test.ts: no other user can run here; permissions are not tested\n');
const mayHide = IS_ROOT && spawnSync('env', [...HIDDEN, 'true']).status === 0;
if (!mayHide)
  process.stderr.write('another-user.test.ts: no /proc can be mounted here; hidden processes are not tested\n');

describe.runIf(mayBeNobody)('another user', () => {
  const root = (): string => join(folder.path, 'work');
  const asNobody = (args: readonly string[], ...through: string[]): Ran => {
    const env = { PATH: process.env.PATH, HOME: '/nonexistent', TZ: 'UTC', XDG_CACHE_HOME: '/nonexistent' };
    const words = [...through, 'setpriv', ...NOBODY, process.execPath, BIN, '-C', root(), ...args];
    const ran = spawnSync('env', words, { encoding: 'utf8', env });
    return { code: ran.status, stdout: ran.stdout, stderr: ran.stderr };
  };

  test('of a workspace and store that belong to somebody else and may be read: as of a read-only disk', () => {
    prepare(root());
    execFileSync('chmod', ['-R', 'a+rX', root()]);
    const before = fingerprint(join(root(), '.snap/store'));
    const out = join(folder.path, 'out');
    fs.mkdirSync(out);
    fs.chownSync(out, 65534, 65534);
    expectReads(asNobody, out);
    for (const args of CHANGING) expectRefused(asNobody(args), args, /permission|EACCES|EPERM/i);
    expect(fingerprint(join(root(), '.snap/store'))).toEqual(before);
    expect(fs.readFileSync(join(root(), 'a'), 'utf8')).toBe('three');
  });

  testFrom('ordinary')('of a store that may not even be read: an error that says so', () => {
    prepare(root());
    fs.chmodSync(join(root(), '.snap'), 0o700);
    for (const args of [['log'], ['status'], ['commit', '-m', 'x']]) {
      const { code, stderr } = asNobody(args);
      expect([1, 10], `${args.join(' ')}: ${stderr}`).toContain(code);
      expect(stderr).toMatch(/permission|EACCES/i);
    }
  });

  test.runIf(mayHide)('who cannot see the process that holds the lock (hidepid) waits for it all the same', () => {
    fs.mkdirSync(root());
    fs.chownSync(root(), 65534, 65534);
    expect(asNobody(['init']).code).toBe(0);
    const lock = join(root(), '.snap/lock');
    const held = tryLock(realDisk, lock, processEnvironment('snap commit').holder) as LockFile;
    fs.chownSync(lock, 65534, 65534);
    const { code, stderr } = asNobody(['commit', '--lock-timeout', '0'], ...HIDDEN);
    expect({ code, stderr }).toEqual({ code: 11, stderr: expect.stringContaining(`process ${process.pid} on`) });
    held.release();
    expect(asNobody(['commit'], ...HIDDEN).code).toBe(0);
  });

  test('with a folder of somebody else in the way of a checkout: its path, as status says it, and nothing is changed', () => {
    fs.mkdirSync(root());
    fs.chownSync(root(), 65534, 65534);
    expect(asNobody(['init']).code).toBe(0);
    fs.mkdirSync(join(root(), 'in/d'), { recursive: true });
    for (const name of ['in', 'in/d']) fs.chownSync(join(root(), name), 65534, 65534);
    for (const text of ['one', 'two']) {
      for (const name of ['a', 'in/d/f']) fs.writeFileSync(join(root(), name), text);
      expect(asNobody(['commit', '-m', text]).code).toBe(0);
    }
    fs.chownSync(join(root(), 'in/d'), 0, 0);
    fs.chmodSync(join(root(), 'in/d'), 0);
    for (const args of [
      ['checkout', 'HEAD~1', '-n'],
      ['checkout', 'HEAD~1'],
    ]) {
      const { code, stderr } = asNobody(args);
      expect({ args, code, stderr }).toEqual({
        args,
        code: 1,
        stderr: expect.stringContaining('in/d cannot be read (EACCES)'),
      });
      expect(stderr).not.toContain('/proc/');
    }
    expect(fs.readFileSync(join(root(), 'a'), 'utf8')).toBe('two');
  });

  test('in a folder of somebody else that anybody may write into: a checkout is done, but for the metadata of that folder', () => {
    const open = (path: string): void => {
      fs.mkdirSync(path);
      fs.chmodSync(path, 0o777);
    };
    const head = (): string =>
      (JSON.parse(asNobody(['show', 'HEAD', '--json']).stdout.split('\n')[0] ?? '') as { message: string }).message;
    open(root());
    open(join(root(), 'sub'));
    expect(asNobody(['init']).code).toBe(0);
    const write = (name: string, text: string): void => {
      fs.writeFileSync(join(root(), name), text);
      fs.chownSync(join(root(), name), 65534, 65534);
    };
    for (const text of ['one', 'two']) {
      write('f', text);
      if (text === 'two') write('sub/new', text);
      expect(asNobody(['commit', '-m', text]).code).toBe(0);
    }
    fs.utimesSync(join(root(), 'sub'), 1, 1);
    expect(asNobody(['commit', '-m', 'three', '--allow-empty']).code).toBe(0);
    for (const [revision, message, unset] of [
      ['HEAD~2', 'one', [root(), 'sub']],
      ['latest', 'three', [root(), 'sub']],
      ['HEAD~1', 'two', [root(), 'sub']],
      ['HEAD', 'two', []],
    ] as const) {
      const { code, stdout, stderr } = asNobody(['checkout', revision, '--json']);
      expect({ revision, code, stderr }).toMatchObject({ revision, code: unset.length > 0 ? 3 : 0 });
      const { failures } = JSON.parse(stdout) as { failures: { path: string; onlyMetadata: boolean }[] };
      expect(failures.map(({ path }) => path).sort()).toEqual(unset);
      expect(failures.every(({ onlyMetadata }) => onlyMetadata)).toBe(true);
      expect(head()).toBe(message);
    }
    expect(fs.readFileSync(join(root(), 'f'), 'utf8')).toBe('two');
  });

  test('whose own folder has files and folders without permission: named, exit code 3, and the rest is stored', () => {
    fs.mkdirSync(root());
    fs.chownSync(root(), 65534, 65534);
    expect(asNobody(['init']).code).toBe(0);
    for (const name of ['closed', 'listed only', 'entered only', 'fine']) {
      fs.mkdirSync(join(root(), name));
      fs.writeFileSync(join(root(), name, 'inside'), name);
      fs.chownSync(join(root(), name, 'inside'), 65534, 65534);
      fs.chownSync(join(root(), name), 65534, 65534);
    }
    fs.writeFileSync(join(root(), 'mode 000'), 'x', { mode: 0 });
    fs.chmodSync(join(root(), 'closed'), 0);
    fs.chmodSync(join(root(), 'listed only'), 0o400);
    fs.chmodSync(join(root(), 'entered only'), 0o100);
    const { code, stdout, stderr } = asNobody(['commit', '-m', 'x', '--json']);
    expect({ code, stderr }).toEqual({ code: 3, stderr: expect.any(String) });
    const { skipped } = JSON.parse(stdout) as { skipped: { path: string }[] };
    expect(skipped.map(({ path }) => path).sort()).toEqual(
      expect.arrayContaining(['closed', 'entered only', 'mode 000']),
    );
    expect(asNobody(['cat', 'HEAD:fine/inside']).stdout).toBe('fine');
    // What could not be read was not in the snapshot: a checkout leaves it alone.
    fs.writeFileSync(join(root(), 'fine/inside'), 'changed');
    expect([0, 3]).toContain(asNobody(['checkout', 'HEAD']).code);
    expect(fs.readFileSync(join(root(), 'closed/inside'), 'utf8')).toBe('closed');
    expect(fs.existsSync(join(root(), 'mode 000'))).toBe(true);
    expect(fs.readFileSync(join(root(), 'fine/inside'), 'utf8')).toBe('fine');
  });
});
