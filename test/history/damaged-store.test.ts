/** Danger: one snapshot that cannot be read hides all others, when one needs them most. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { noise } from '../kit/folder.ts';
import { ok, snap } from '../kit/snap.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;
let ids: string[];
beforeEach(async () => {
  made = await makeWorkspace();
  ids = [];
  // So that no snapshot needs anything of another one.
  made.remove('.snapignore');
  for (const [i, message] of ['c1', 'c2', 'c3', 'c4'].entries()) {
    made.write('f', message);
    made.write('g', noise(3000, 2 * i));
    ids.push(await made.commit(message));
  }
  await made.workspace.close();
});
afterEach(() => made.cleanup());

const run = (...args: string[]): { code: number | null; titles: string[]; stderr: string } => {
  const { code, stdout, stderr } = snap(args, { cwd: made.root });
  return { code, titles: stdout.match(/\bc\d\b/g) ?? [], stderr };
};
const short = (i: number): string => ids[i]?.slice(0, 10) ?? '';
const inStore = (path: string): string => join(made.root, '.snap/store', path);
const entry = (number: number): string => inStore(`journal/${String(number).padStart(12, '0')}.json`);
const loseIndex = (): void => rmSync(join(made.root, '.snap/index'), { recursive: true });

/** Flips a byte of the pack that the commit with this number (from 0) made. */
function damagePackOf(commit: number): void {
  const { id } = JSON.parse(readFileSync(entry(commit + 2), 'utf8')).packs[0];
  const path = inStore(`packs/${id.slice(0, 2)}/${id}.pack`);
  const bytes = readFileSync(path);
  for (let i = 40; i < bytes.length - 400; i++) bytes[i] = 0x55;
  writeFileSync(path, bytes);
}

test('log lists the snapshots that can be read, then names the others and ends with 20', () => {
  damagePackOf(1);
  loseIndex();
  for (const [args, titles] of [
    [['log'], ['c4', 'c3', 'c1']],
    [
      ['log', '--oneline'],
      ['c4', 'c3', 'c1'],
    ],
    [['log', '-n', '1'], ['c4']],
    [
      ['log', 'HEAD'],
      ['c4', 'c3'],
    ],
    // Whether f changed in the one after it is not known.
    [
      ['log', '--', 'f'],
      ['c4', 'c1'],
    ],
  ] as const) {
    const ran = run(...args);
    expect([ran.code, ran.titles], args.join(' ')).toEqual([20, titles]);
    expect(ran.stderr).toContain(short(1));
  }
  expect(run('log').stderr).toContain('a snapshot cannot be read');
  expect(run('log', '--', 'f').stderr).toContain('2 snapshots cannot be read');
  expect(run('find', 'f').code).toBe(20);
});

test('where the journal lost what was pruned, what is left is listed, and only the journal is damaged', () => {
  ok(['gc', '--keep-last', '2', '--now'], { cwd: made.root });
  rmSync(entry(6));
  loseIndex();
  for (const args of [['log'], ['log', 'HEAD'], ['log', '-n', '2'], ['log', '--', 'f']]) {
    const ran = run(...args);
    expect([ran.code, ran.titles], args.join(' ')).toEqual([20, ['c4', 'c3']]);
    expect(ran.stderr).toContain('journal entry 6 is missing');
    expect(ran.stderr).not.toContain('cannot be read');
  }
  expect(run('find', 'f').stderr).toContain('journal entry 6 is missing');
});

test('where none of those that are known is left, log does not say that there are none', () => {
  ok(['gc', '--keep-last', '1', '--now'], { cwd: made.root });
  rmSync(entry(4));
  loseIndex();
  const { code, stderr } = run('log');
  expect(code).toBe(20);
  expect(stderr).toContain('no snapshot that can be read is known');
  expect(stderr).toContain('journal entry 4 is missing');
  const found = run('find', 'f');
  expect([found.code, found.stderr]).toEqual([20, expect.stringContaining('journal entry 4 is missing')]);
});
