/** Warnings: as many of a kind as somebody reads, all of them where they are asked for, and JSON under --json. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { packPaths } from '../kit/damage.ts';
import type { Ran } from '../kit/snap.ts';
import { snap } from '../kit/snap.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

const LEFT_OUT = 33;
let made: TestWorkspace;
beforeEach(async () => {
  made = await makeWorkspace({ files: { f: 'one' } });
});
afterEach(() => made.cleanup());

const run = (...args: string[]): Ran => snap(['-C', made.root, ...args]);
const warnings = ({ stderr }: Ran): string[] => stderr.split('\n').filter((line) => line.startsWith('warning: '));

function leaveOut(): void {
  for (let n = 0; n < LEFT_OUT; n++) made.write(`d${n}/.SNAP`, 'taken for .snap by some file systems');
}

test('of many paths that are left out 20 are named, by every command that scans; --verbose has all', async () => {
  await made.commit('first');
  leaveOut();
  made.write('f', 'two');
  for (const args of [['status'], ['status', '--short'], ['diff'], ['commit'], ['checkout', 'HEAD~1'], ['undo']]) {
    const ran = run(...args);
    const named = warnings(ran);
    expect([args, named.length, ran.code]).toEqual([args, 21, args[0] === 'diff' ? 0 : 3]);
    expect(named.at(-1)).toBe('warning: … and 13 more (--verbose shows all)');
  }
  expect(warnings(run('status', '--verbose'))).toHaveLength(LEFT_OUT);
});

test('so of files that damage keeps from being written', async () => {
  for (let n = 0; n < LEFT_OUT; n++) made.write(`file${n}`, `content ${n}`);
  await made.commit('first');
  await made.workspace.close();
  for (const pack of packPaths(join(made.root, '.snap/store'))) writeFileSync(pack, 'damaged');
  const ran = run('checkout', 'HEAD', '--to', join(made.root, '../to'));
  expect(ran.code).toBe(20);
  expect(warnings(ran)).toHaveLength(21);
});

test('under --json they are lines of JSON, as the error is, and the document has all of them', async () => {
  await made.commit('first');
  leaveOut();
  const ran = run('status', '--json');
  const lines = ran.stderr
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { schema: number; type: string; message: string });
  expect(lines.map(({ schema, type }) => [schema, type])).toEqual([...Array(21).fill([1, 'warning']), [1, 'note']]);
  expect(lines[0]?.message).toMatch(/^d0\/\.SNAP was left out/);
  const document = JSON.parse(ran.stdout.trim().split('\n').at(-1) ?? '') as { skipped: unknown[] };
  expect(document.skipped).toHaveLength(LEFT_OUT);
});
