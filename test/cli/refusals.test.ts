/** What is refused, and what could not be done, in words that say what to do: seen on the built command. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { packPaths } from '../kit/damage.ts';
import { BIN } from '../kit/processes/run.ts';
import type { Ran } from '../kit/snap.ts';
import { snap, systemNode } from '../kit/snap.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;
beforeEach(async () => {
  made = await makeWorkspace({ files: { a: 'one', 'd/x': 'x' } });
  await made.commit('first');
});
afterEach(() => made.cleanup());

const run = (...args: string[]): Ran => snap(['-C', made.root, ...args]);

test.each([
  [['checkout', 'HEAD', '--to', ''], 'the folder of --to is empty'],
  [['checkout', 'HEAD', ''], 'a path is empty'],
  [['commit', '-m', 'x', ''], 'a path is empty'],
  [['init', ''], 'the name of the folder is empty'],
  [['init', 'new', '--store', ''], 'the folder of --store is empty'],
  [['-C', '', 'status'], 'the folder of -C is empty'],
])('an empty path is not the folder that one is in: %j', (args, words) => {
  made.write('a', 'two');
  const before = readdirSync(made.root);
  const ran = run(...args);
  expect(ran).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(`${words}\nPerhaps a variable`) });
  expect(readdirSync(made.root)).toEqual(before);
  expect(run('log', '--oneline').stdout.trim().split('\n')).toHaveLength(1);
});

test.each([
  ['--keep-within', '6m'],
  ['--keep-within-daily', '6 m'],
  ['--tiers', '7d:all,6m:week'],
])('gc %s "%s" could be minutes or months, and prunes nothing', (option, text) => {
  const { code, stderr } = run('gc', option, text);
  expect([code, stderr]).toEqual([2, expect.stringContaining('"m" could be minutes or months\n')]);
  expect(stderr).toContain('5min');
  expect(stderr).toContain('6mo (months)');
  expect(run('gc', '--help').stdout).toContain('6mo (months)');
});

test('too few for the files of the program itself is that same error, in whatever runtime', () => {
  const node = systemNode() ?? process.execPath;
  for (const limit of [24, 30]) {
    const script = `ulimit -n ${limit}; exec "$@"`;
    const { status, stderr } = spawnSync('sh', ['-c', script, 'sh', node, BIN, '-C', made.root, 'status'], {
      encoding: 'utf8',
    });
    if (status === 0) continue;
    expect([limit, status, stderr]).toEqual([
      limit,
      1,
      expect.stringMatching(/^error: .* failed: too many files are open\nRaise the limit/),
    ]);
  }
});

test.each(['', ' ', '-1', 'x'])('--lock-timeout "%s" is no number of seconds', (text) => {
  expect(run('status', '--lock-timeout', text)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('takes seconds'),
  });
});

test('config edit without a terminal opens no editor but one that was chosen', () => {
  for (const options of [[], ['--json']])
    for (const EDITOR of ['', ' '])
      expect(snap(['-C', made.root, 'config', 'edit', ...options], { env: { EDITOR, PATH: '' } })).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('`snap config set <key> <value>`'),
      });
  expect(snap(['-C', made.root, 'config', 'edit'], { env: { EDITOR: 'true' } })).toMatchObject({
    code: 0,
    stdout: 'nothing was changed\n',
  });
});

describe('--to', () => {
  const out = (name: string): string => join(dirname(made.root), name);

  test('where no folder can be made says so', () => {
    symlinkSync('nowhere', out('link'));
    for (const options of [[], ['--dry-run']])
      expect(run('checkout', 'HEAD', '--to', out('link'), ...options)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('link is a link that leads to no folder\nName a'),
      });
    for (const to of [out('link/x'), ...(existsSync('/proc/self') ? ['/proc/x'] : [])])
      expect(run('checkout', 'HEAD', '--to', to)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(`${to} cannot be made: a link on the way leads nowhere, or`),
      });
  });

  test('with a link where the snapshot has a folder names it once, and leaves what it leads to alone', () => {
    for (const name of ['to', 'other']) mkdirSync(out(name));
    symlinkSync('../other', out('to/d'));
    const { code, stderr } = run('checkout', 'HEAD', '--to', out('to'), '--force');
    expect(code).toBe(3);
    expect(stderr.match(/^warning: d: .*$/gm)).toEqual([
      'warning: d: changing d failed: something else, perhaps a link, stands there already (EEXIST)',
    ]);
    expect(readdirSync(out('other'))).toEqual([]);
  });

  test('what cannot be restored was not written, and how to go on is said', async () => {
    await made.workspace.close();
    for (const pack of packPaths(join(made.root, '.snap/store'))) writeFileSync(pack, 'damaged');
    const { code, stderr } = run('checkout', 'HEAD', '--to', out('to'));
    expect([code, stderr]).toEqual([20, expect.stringMatching(/^warning: d\/x was not written: /m)]);
    expect(stderr).toMatch(/`snap verify` says where, and `snap repair` mends what can be mended\.\n$/);
    expect(existsSync(out('to/d/x'))).toBe(false);
  });
});

test('too few open files are one error with a hint, wherever they run out, and cost nothing', async () => {
  await made.workspace.close();
  const words = new Set<string>();
  for (let limit = 22; limit <= 40; limit += 3) {
    const command = [process.execPath, BIN, '-C', made.root, 'commit', '--rescan', '--allow-empty', '-m', 'x'];
    const script = `ulimit -n ${limit}; exec "$@"`;
    const { status, stderr } = spawnSync('sh', ['-c', script, 'sh', ...command], { encoding: 'utf8' });
    // The runtime's own, before anything of ours runs.
    if (status === 0 || !stderr.startsWith('error: ')) continue;
    expect([limit, stderr]).toEqual([
      limit,
      expect.stringContaining('failed: too many files are open\nRaise the limit'),
    ]);
    words.add(stderr);
  }
  expect(words.size).toBeGreaterThan(0);
  expect(run('status', '--verbose').stderr).toBe('');
});

test('help finds a command below a command', () => {
  expect(run('--help').code).toBe(0);
  for (const command of ['config set', 'op log', 'commit'])
    expect(snap(['help', ...command.split(' ')]).stdout).toMatch(new RegExp(`^Usage: snap ${command} `));
});

test('a shell without completions is named', () => {
  const { code, stderr } = snap(['completion', 'tcsh']);
  expect([code, stderr]).toEqual([2, 'error: there are no completions for "tcsh"\nThere are for bash, zsh, fish.\n']);
});
