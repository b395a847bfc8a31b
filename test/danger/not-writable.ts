/** What commands do in a workspace that they may read and not write. */
import fs from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { amount } from '../kit/amount.ts';
import type { Ran } from '../kit/snap.ts';
import { ok } from '../kit/snap.ts';

const EVERY_CHANGE = [
  ['commit', '-m', 'x'],
  ['checkout', 'HEAD~1'],
  ['tag', 'v1'],
  ['gc'],
  ['undo'],
  ['config', 'set', 'commit.compression', 'max'],
];

export const CHANGING = amount({ sample: EVERY_CHANGE.slice(0, 2), ordinary: EVERY_CHANGE, long: EVERY_CHANGE });

/** Two snapshots, and a change that is in none. */
export function prepare(root: string): void {
  fs.mkdirSync(root, { recursive: true });
  ok(['-C', root, 'init']);
  for (const text of ['one', 'two']) {
    fs.writeFileSync(join(root, 'a'), text);
    ok(['-C', root, 'commit', '-m', text]);
  }
  fs.writeFileSync(join(root, 'a'), 'three');
}

export function expectReads(run: (args: readonly string[]) => Ran, out: string): void {
  const reads: [args: string[], shown: string][] = [
    [['log'], 'one'],
    [['ls', 'HEAD'], 'a'],
    [['cat', 'HEAD~1:a'], 'one'],
    [['status'], 'a'],
    [['diff', 'HEAD~1', 'HEAD'], 'two'],
    [['verify', '--data'], 'no damage'],
    [['checkout', 'HEAD', '--to', out], 'written'],
  ];
  const some = [0, 2, 6].map((i) => reads[i] ?? [[], '']) as typeof reads;
  for (const [args, shown] of amount({ sample: some, ordinary: reads, long: reads })) {
    const { code, stdout, stderr } = run(args);
    expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: expect.any(String) });
    expect(stdout, args.join(' ')).toContain(shown);
  }
  expect(fs.readFileSync(join(out, 'a'), 'utf8')).toBe('two');
}

export function expectRefused({ code, stdout, stderr }: Ran, args: readonly string[], why: RegExp): void {
  expect({ args, code, stderr }).toEqual({ args, code: 1, stderr: expect.stringMatching(why) });
  expect({ args, stderr }).not.toEqual({ args, stderr: expect.stringMatching(/bug in snap|at .*\.js:/) });
  expect(stderr.trim().split('\n').length, `${args.join(' ')}: ${stderr}`).toBeGreaterThanOrEqual(2);
  expect(stdout, args.join(' ')).toBe('');
}
