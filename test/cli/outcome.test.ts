/** The exit code tells the outcome, whoever reads what is printed, and whatever signal ended it. */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { packPaths } from '../kit/damage.ts';
import { BIN, start } from '../kit/processes/run.ts';
import { snap } from '../kit/snap.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;
beforeEach(async () => {
  made = await makeWorkspace({ files: { a: 'one' } });
  await made.commit('first');
});
afterEach(() => made.cleanup());

describe.skipIf(!existsSync('/bin/bash'))('with nobody to read what is printed', () => {
  /** The exit code of `snap <args>`, whose output goes to a program that ends at once. */
  function unread(...args: string[]): number | null {
    const script = 'exec 3> >(:); sleep 0.05; exec "$@" >&3 2>&3';
    const command = [process.execPath, BIN, '-C', made.root, ...args];
    return spawnSync('/bin/bash', ['-c', script, 'bash', ...command]).status;
  }

  test('a judgement stays what it is', () => {
    made.write('a', 'two');
    expect([unread('diff', '--exit-code'), unread('verify')]).toEqual([1, 0]);
    for (const pack of packPaths(join(made.root, '.snap/store'))) rmSync(pack);
    for (const args of [
      ['verify'],
      ['verify', '--json'],
      ['repair', '--dry-run'],
      ['gc', '--dry-run'],
      ['checkout', 'HEAD', '--to', join(made.root, '../out')],
    ])
      expect([args, unread(...args)]).toEqual([args, 20]);
  });

  test('what changes something goes on to its end', () => {
    made.write('a', 'two');
    expect(unread('commit', '-m', 'second')).toBe(0);
    expect(snap(['-C', made.root, 'log']).stdout).toContain('second');
    expect(unread('checkout', 'HEAD~1')).toBe(0);
    expect(made.read('a')).toBe('one');
    expect(unread('commit', '--no-such-option')).toBe(2);
  });

  test('a listing is done, but damage that keeps it from going on is told all the same', () => {
    for (const args of [['log'], ['log', '--json'], ['ls'], ['cat', 'HEAD:a'], ['find', 'a'], ['status'], ['--help']])
      expect([args, unread(...args)]).toEqual([args, 0]);
    for (const pack of packPaths(join(made.root, '.snap/store'))) rmSync(pack);
    rmSync(join(made.root, '.snap/index'), { recursive: true });
    for (const args of [['log'], ['log', '--stat'], ['ls']]) expect([args, unread(...args)]).toEqual([args, 20]);
  });

  test('nor is damage of the journal hidden', () => {
    rmSync(join(made.root, '.snap/store/journal/000000000002.json'));
    for (const args of [['log'], ['ls'], ['cat', 'HEAD:a']]) expect([args, unread(...args)]).toEqual([args, 20]);
  });
});

test.each([
  ['SIGHUP', 129],
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s is named, and the exit code is %d in JSON, too', async (signal, exitCode) => {
  await made.workspace.exclusively(async () => {
    const running = start(['commit', '--json', '--lock-timeout', '60', '-m', 'second'], made.root);
    while (!running.stderr().includes('waiting for')) await new Promise((resolve) => setTimeout(resolve, 20));
    running.child.kill(signal);
    const { code, stderr } = await running.done;
    expect(code).toBe(exitCode);
    expect(JSON.parse(stderr.trim().split('\n').at(-1) ?? '')).toMatchObject({
      code: 'interrupted',
      message: expect.stringContaining(`stopped by ${signal};`),
      exitCode,
    });
  });
});
