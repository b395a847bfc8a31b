/** What people are told, seen on the built command: what they can do with it, and nothing twice. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import module from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { shellWord } from '../../src/bytes/printable.ts';
import { noise } from '../kit/folder.ts';
import type { Ran } from '../kit/snap.ts';
import { snap } from '../kit/snap.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

const bin = fileURLToPath(new URL('../../bin/snap.js', import.meta.url));
let made: TestWorkspace;
beforeEach(async () => {
  made = await makeWorkspace({ files: { a: 'one' } });
});
afterEach(() => made.cleanup());

const run = (...args: string[]): Ran => snap(['-C', made.root, ...args]);

test('status of very many changes shows the first of each kind and says how many more there are', async () => {
  await made.commit('first');
  made.write('a', 'two');
  for (let i = 0; i < 203; i++) made.write(`f${i}`, String(i));
  const lines = run('status').stdout.split('\n');
  expect(lines.filter((line) => /^ new file {4}f/.test(line))).toHaveLength(200);
  expect(lines).toContain(' modified    a');
  expect(lines).toContain(' new file    … and 3 more (--all shows them)');
  for (const option of ['--all', '--verbose', '--short', '--json'])
    expect(run('status', option).stdout.match(/\bf\d{1,3}\b/g)).toHaveLength(203);
});

test('gc says whether what it prunes can come back, and why not', async () => {
  const series = async (): Promise<void> => {
    for (let i = 0; i < 3; i++) {
      made.write('a', noise(300_000, 2 * i + 1));
      await made.commit(`${i}`);
    }
  };
  await series();
  const dryRun = run('gc', '--keep-last', '1', '--dry-run').stdout;
  expect(dryRun).toMatch(
    /^ would prune 2 of 3 snapshots, which alone hold 6\d\d kB\n would free 6\d\d kB of 9\d\d kB\n/m,
  );
  expect(dryRun).toContain('cannot be undone; with gc.grace 7d, `snap undo`');
  expect(run('gc', '--keep-last', '1').stdout).toContain('cannot come back; with gc.grace 7d, `snap undo`');
  await series();
  run('config', 'set', 'gc.grace', '2d');
  expect(run('gc', '--keep-last', '2', '--dry-run').stdout).toContain(' not at once: gc.grace is 2d');
  const graced = run('gc', '--keep-last', '2').stdout;
  expect(graced).toContain('gc.grace has not passed');
  expect(graced).not.toContain('come back');
  const final = '--now leaves out gc.grace, which is 2d\n';
  expect(run('gc', '--keep-last', '1', '--now', '--dry-run').stdout).toContain(`cannot be undone; ${final}`);
  expect(run('gc', '--keep-last', '1', '--now').stdout).toContain(`what was pruned cannot come back; ${final}`);
});

test('stats tells how much is saved as a ratio, not as what looks like a range', async () => {
  for (const name of ['b', 'c', 'd']) made.write(name, noise(100_000, 1));
  await made.commit('three times the same');
  expect(run('stats').stdout).toMatch(/different contents, 3\.0 : 1; and/);
});

test('a dry run of a checkout that would be refused ends as the checkout does', async () => {
  made.write('b', 'one');
  const first = await made.commit('first');
  made.remove('b');
  made.write('.snapignore', 'b\n');
  await made.commit('second');
  made.write('b', 'precious');
  const preview = run('checkout', first, '-n');
  expect(preview.stderr).toMatch(/^warning: b is in the way/m);
  expect(preview.stdout).toContain('would be refused');
  expect([preview.code, run('checkout', first).code]).toEqual([1, 1]);
  expect(made.read('b')).toBe('precious');
});

test('an undone commit that a tag names is said to be kept by it', async () => {
  await made.commit('first');
  made.write('a', 'two');
  const second = await made.commit('second');
  expect(run('undo', '--dry-run').stdout).toContain(`the snapshot ${second.slice(0, 10)} is not kept any more`);
  run('tag', 'keep');
  expect(run('undo', 'j3').stdout).toContain(`the snapshot ${second.slice(0, 10)} stays, by the tag keep`);
});

test('a quiet verify says that there is damage, and how much', async () => {
  await made.commit('first');
  expect(run('verify', '-q')).toEqual({ code: 0, stdout: '', stderr: '' });
  rmSync(join(made.root, '.snap/store/packs'), { recursive: true });
  expect(run('verify', '-q')).toMatchObject({ code: 20, stdout: '', stderr: expect.stringMatching(/\d faults? in/) });
});

test.skipIf(!existsSync('/dev/full'))(
  'an output that cannot be written is told apart from a command that failed',
  () => {
    made.write('a', 'two');
    const script = `exec '${process.execPath}' '${bin}' -C "$1" commit -m second >/dev/full`;
    const { status, stderr } = spawnSync('sh', ['-c', script, 'sh', made.root], { encoding: 'utf8' });
    expect(status).toBe(1);
    expect(stderr).toContain('What was done before is done');
    expect(run('log').stdout).toContain('second');
  },
);

test('a workspace whose settings were lost is made again with its history', async () => {
  await made.commit('first');
  rmSync(join(made.root, '.snap/config.toml'));
  const { code, stdout } = run('init');
  expect(code).toBe(0);
  expect(stdout).toContain('its history is here again');
  expect(stdout).toContain('Next: snap log');
  expect(run('log').stdout).toContain('first');
});

test('help says what is not to be guessed', () => {
  const help = (command: string): string => run(command, '--help').stdout.replaceAll(/\s+/g, ' ');
  expect(help('commit')).toContain('tag the new snapshot, which is made even if nothing changed');
  expect(help('gc')).toContain('keep all within this time before the newest');
  expect(help('gc')).toContain('keep one a week within this time before the newest');
  expect(help('checkout')).toContain('(but for what a checkout saved) latest, @{2 days ago}');
});

test('--to a file says what it is', async () => {
  await made.commit('first');
  writeFileSync(join(made.root, 'file'), 'mine');
  for (const [to, words] of [
    ['file', 'is a file, not a folder'],
    ['file/inside', 'a part of this path is a file, not a folder'],
  ] as const) {
    const { code, stderr } = run('checkout', 'HEAD', '--to', join(made.root, to));
    expect([code, stderr]).toEqual([1, expect.stringContaining(words)]);
  }
  expect(made.read('file')).toBe('mine');
});

test('an undone tag is removed', async () => {
  await made.commit('first');
  run('tag', 'keepme');
  expect(run('undo').stdout).toMatch(/^ the tag keepme is removed$/m);
});

test('a damaged journal entry is named once', async () => {
  await made.commit('first');
  await made.workspace.close();
  writeFileSync(join(made.root, '.snap/store/journal/000000000002.json'), 'x');
  const { stdout } = run('verify');
  expect(stdout).toMatch(/journal entry 2: it is not JSON/);
  expect(stdout).not.toMatch(/journal entry 2: damaged journal entry 2/);
});

test('a workspace that was closed says so, and nothing is said to be interrupted', async () => {
  const { workspace } = made;
  await made.commit('first');
  await workspace.close();
  for (const call of [commit(workspace), checkout(workspace, { revision: 'HEAD' })])
    await expect(call).rejects.toMatchObject({ code: 'refused', message: 'the workspace is closed' });
});

test('names that are too long are named as they were typed', async () => {
  const long = 'x'.repeat(300);
  const deep = `${'d/'.repeat(900)}${long}`;
  for (const path of [long, deep]) {
    const { code, stderr } = run('-C', join(made.root, path), 'status');
    if (code !== 0) expect(stderr).toContain(join(made.root, path));
    expect(stderr).not.toContain('/proc/');
    expect(run('check-ignore', path)).toMatchObject({ code: 1, stderr: '' });
  }
});

describe('a name that is suggested', () => {
  test('is what a shell takes', async () => {
    const name = Buffer.concat([Buffer.from('mit Leerzeichen/latin'), Buffer.of(0xe4), Buffer.from('.txt')]);
    made.write('mit Leerzeichen/x', 'x');
    writeFileSync(Buffer.concat([Buffer.from(`${made.root}/`), name]), 'found');
    await made.commit('first');
    const { stderr } = run('cat', 'HEAD:mit Leerzeichen/latinX.txt');
    const suggested = /Perhaps (.*)\.$/m.exec(stderr)?.[1] ?? '';
    expect(suggested).toBe("$'mit Leerzeichen/latin\\xe4.txt'");
    const shown = spawnSync('bash', ['-c', `printf %s ${suggested}`]).stdout;
    expect(shown.equals(name)).toBe(true);
  });

  test.skipIf(!existsSync('/bin/bash'))('whatever it holds', () => {
    for (const name of ['plain/ä.txt', 'a b', "it's", 'back\\slash and \n', '\u001b[31m', '-rf', '$(x)`', '𝒳 \u202e'])
      expect(spawnSync('bash', ['-c', `printf %s ${shellWord(name)}`]).stdout.toString()).toBe(name);
  });
});

describe.runIf('registerHooks' in module)('a signal before anything is loaded', () => {
  test.each([
    ['SIGHUP', 129],
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ])('%s ends with %d and a word', async (signal, code) => {
    await made.workspace.close();
    const atOnce = `data:text/javascript,import { registerHooks } from 'node:module';
      registerHooks({ resolve(name, context, next) {
        if (name.endsWith('/dist/cli/main.js')) process.kill(process.pid, '${signal}');
        return next(name, context);
      } });`;
    const ended = spawnSync(process.execPath, ['--import', atOnce, bin, '-C', made.root, 'status'], {
      encoding: 'utf8',
    });
    expect(ended.signal).toBeNull();
    expect([ended.status, ended.stderr]).toEqual([code, expect.stringContaining(`stopped by ${signal}`)]);
    expect(readFileSync(join(made.root, 'a'), 'utf8')).toBe('one');
  });
});
