/** Where an error says what was perhaps meant: for what is gone, elsewhere, or written as other tools have it. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Ran } from '../kit/snap.ts';
import { snap } from '../kit/snap.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;
beforeEach(async () => {
  made = await makeWorkspace({ files: { gone: '1', 'models/a.pt': '1', 'models/config.json': 'in models' } });
  await made.commit('first');
});
afterEach(() => made.cleanup());

const run = (...args: string[]): Ran => snap(['-C', made.root, ...args]);

test('the log of a file that was deleted', async () => {
  made.remove('gone');
  await made.commit('second');
  made.write('new', '1');
  await made.commit('third');
  expect(run('log', 'gone')).toMatchObject({ code: 1, stderr: expect.stringContaining('`snap log -- gone`') });
  expect(run('log', '--oneline', '--', 'gone').stdout.match(/second|first/g)).toEqual(['second', 'first']);
  expect(run('log', '--', 'nosuch')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/no snapshot that was looked at has "nosuch"\n.*`snap find`/),
  });
});

test('a glob where a checkout takes paths', () => {
  for (const options of [[], ['--dry-run']])
    expect(run('checkout', 'HEAD', 'mod*', ...options)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("takes files and folders, no globs: `snap find 'mod*'` shows what fits"),
    });
  expect(run('checkout', 'HEAD', 'nosuch').stderr).not.toContain('glob');
});

test('no snapshot of this folder, in a store that has those of others', async () => {
  await using other = await makeWorkspace({ store: join(made.root, '.snap/store') });
  for (const revision of ['latest', 'HEAD', '@{now}'])
    expect(snap(['-C', other.root, 'checkout', revision])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('`snap log --all` shows those of other folders'),
    });
  await using alone = await makeWorkspace();
  expect(snap(['-C', alone.root, 'checkout', 'latest']).stderr).not.toContain('--all');
});

test('commands that other tools have are answered with those of snap', () => {
  for (const [word, command] of Object.entries({
    restore: 'checkout',
    reset: 'undo',
    rm: 'commit',
    prune: 'gc',
    branch: 'tag',
    snapshots: 'log',
    backup: 'commit',
    forget: 'gc',
    check: 'verify',
    add: 'commit',
    stash: 'checkout',
    revert: 'undo',
  })) {
    const { code, stderr } = run(word, '-x');
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^error: unknown command.*\nIn snap: .*\.\n$/s)]);
    expect(stderr).toContain(`\`snap ${command}`);
  }
  expect(JSON.parse(run('prune', '--json').stderr)).toMatchObject({ hint: '`snap gc` prunes snapshots by rules' });
  expect(run('nothing').stderr).not.toContain('In snap');
});

test('a text too large for a patch', async () => {
  made.write('gone', 'line\n'.repeat(2_000_000));
  await made.commit('large');
  made.write('gone', 'lines\n'.repeat(2_000_000));
  expect(run('diff').stdout).toMatch(/^# Large files a\/gone .* and b\/gone .* differ \(--text compares them\)\n$/);
  expect(run('diff', '--text', '--stat').stdout).toContain('+2,000,000 -2,000,000');
});

test('a path of a snapshot as it is from the folder that one is in', () => {
  mkdirSync(join(made.root, 'else'));
  for (const command of ['cat', 'show', 'ls']) {
    const inModels = snap(['-C', join(made.root, 'models'), command, 'HEAD:config.json']);
    expect([inModels.code, inModels.stderr]).toEqual([
      1,
      expect.stringMatching(
        /no "config.json" at the top of HEAD\nFor the one in this folder write HEAD:\.\/config\.json\./,
      ),
    ]);
    expect(snap(['-C', join(made.root, 'else'), command, 'HEAD:config.json']).stderr).not.toContain('./');
  }
  expect(snap(['-C', join(made.root, 'models'), 'cat', 'HEAD:./config.json']).stdout).toBe('in models');
  expect(snap(['-C', join(made.root, 'models'), 'cat', 'HEAD:models/config.json']).stdout).toBe('in models');
});
