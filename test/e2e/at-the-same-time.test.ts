/** Commands at the same time, and commands that were interrupted or killed: the next one works. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fingerprint, makeOddFolder, noise, temporaryFolder } from '../kit/folder.ts';
import { run } from '../kit/processes/run.ts';
import { ok, snap } from '../kit/snap.ts';
import { requestsIn } from './requests.ts';

const BIN = fileURLToPath(new URL('../../bin/snap.js', import.meta.url));
let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

const { commitOne } = requestsIn(() => folder.path);

describe('at the same time', () => {
  test('a second commit waits, then says who holds the workspace (exit 11)', () => {
    commitOne();
    const holder = { id: 'x', pid: process.pid, host: '', bootId: '', startTime: '', command: 'snap commit' };
    const stat = fs.readFileSync('/proc/self/stat', 'utf8');
    const lock = {
      ...holder,
      host: fs.readFileSync('/proc/sys/kernel/hostname', 'utf8').trim(),
      bootId: fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
      startTime: stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19],
    };
    fs.writeFileSync(`${folder.path}/.snap/lock`, JSON.stringify(lock));
    const ran = snap(['-C', folder.path, 'commit', '--lock-timeout', '0.2']);
    expect(ran.code).toBe(11);
    expect(ran.stderr).toContain(String(process.pid));
    fs.writeFileSync(`${folder.path}/.snap/lock`, JSON.stringify({ ...lock, startTime: '1' }));
    ok(['-C', folder.path, 'commit']);
  });

  test('many commands at once after a crash: each works, and none takes the index from under another', async () => {
    commitOne();
    const dead = { id: 'd', pid: 4_194_303, host: hostname(), bootId: '', startTime: '1', command: 'snap commit' };
    for (let round = 0; round < 3; round++) {
      fs.writeFileSync(`${folder.path}/.snap/index/same`, '');
      fs.writeFileSync(`${folder.path}/.snap/index-in-use`, JSON.stringify(dead));
      fs.writeFileSync(`${folder.path}/a`, `round ${round}`);
      const commands = [...Array<string[]>(6).fill(['log']), ['commit', '-q', '-m', `round ${round}`]];
      for (const ran of await Promise.all(commands.map((args) => run(args, folder.path))))
        expect(ran).toMatchObject({ code: 0, stderr: '' });
      expect(fs.existsSync(`${folder.path}/.snap/index/same`)).toBe(true);
    }
  });

  test('many commits at once from two workspaces on one store all arrive', async () => {
    const store = `${folder.path}/store`;
    const roots = ['w1', 'w2'].map((name) => `${folder.path}/${name}`);
    for (const root of roots) {
      fs.mkdirSync(root);
      ok(['-C', root, 'init', '--store', store]);
    }
    const runs = roots.flatMap((root, i) =>
      Array.from({ length: 4 }, (_, n) => {
        fs.writeFileSync(`${root}/f${n}`, noise(10_000, 10 * i + n));
        return new Promise<number | null>((resolve) => {
          const child = spawn(
            process.execPath,
            [BIN, '-C', root, 'commit', '-q', '--allow-empty', '-m', `c${n}`, '--lock-timeout', '60'],
            { stdio: 'ignore' },
          );
          child.on('exit', resolve);
        });
      }),
    );
    expect(await Promise.all(runs)).toEqual(Array(8).fill(0));
    const entries = fs.readdirSync(`${store}/journal`).length;
    expect(entries).toBe(1 + 8);
    for (const root of roots) {
      ok(['-C', root, 'checkout', 'HEAD', '--to', `${root}-out`]);
      expect(fs.readdirSync(`${root}-out`)).toContain('f3');
    }
  });

  test('Ctrl-C in the middle of a commit ends with 130 and the next commit works', async () => {
    makeOddFolder(folder.path);
    fs.writeFileSync(`${folder.path}/huge`, noise(60_000_000, 9));
    fs.utimesSync(`${folder.path}/huge`, 1_700_000_000.25, 1_700_000_000.25);
    ok(['-C', folder.path, 'init']);
    const child = spawn(process.execPath, [BIN, '-C', folder.path, 'commit', '-m', 'x'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
    while (!fs.existsSync(`${folder.path}/.snap/lock`) && child.exitCode === null) await sleep(5);
    child.kill('SIGINT');
    const code = await ended;
    expect([0, 130]).toContain(code);
    expect(fs.existsSync(`${folder.path}/.snap/lock`)).toBe(false);
    const before = fingerprint(folder.path);
    ok(['-C', folder.path, 'commit', '-m', 'y']);
    ok(['-C', folder.path, 'checkout', 'HEAD', '--to', folder.beside]);
    expect(fingerprint(folder.beside)).toEqual(before);
  });

  test('a killed commit leaves nothing that stops the next one', async () => {
    fs.writeFileSync(`${folder.path}/huge`, noise(40_000_000, 9));
    ok(['-C', folder.path, 'init']);
    for (const delay of [120, 200, 280, 360]) {
      const child = spawn(process.execPath, [BIN, '-C', folder.path, 'commit', '-m', 'x'], { stdio: 'ignore' });
      setTimeout(() => child.kill('SIGKILL'), delay);
      await new Promise((resolve) => child.on('exit', resolve));
    }
    ok(['-C', folder.path, 'commit', '-m', 'y', '--allow-empty']);
    ok(['-C', folder.path, 'checkout', 'HEAD', '--to', folder.beside]);
    expect(fs.readFileSync(`${folder.beside}/huge`).equals(noise(40_000_000, 9))).toBe(true);
  });
});

test('what a killed checkout staged goes with the next one into the same folder, and with gc', () => {
  commitOne();
  const token = '0123456789abcdef'.repeat(2);
  fs.mkdirSync(`${folder.beside}/.snap-checkout-${token}`, { recursive: true });
  fs.writeFileSync(`${folder.beside}/.snap-checkout-${token}/${token}-1-0`, 'half');
  fs.writeFileSync(`${folder.path}/.snap/tmp/${token}-m0`, 'half');
  ok(['-C', folder.path, 'checkout', 'HEAD', '--to', folder.beside]);
  expect(fs.readdirSync(folder.beside).sort()).toEqual(['.snapignore', 'a']);
  ok(['-C', folder.path, 'gc']);
  expect(fs.readdirSync(`${folder.path}/.snap/tmp`)).toEqual([]);
});
