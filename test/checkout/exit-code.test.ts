/** What a checkout, and the undo of one, say at their end when some of it failed: by a real limit of the size of files. */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { noise, temporaryFolder } from '../kit/folder.ts';
import type { Ran } from '../kit/snap.ts';
import { ok } from '../kit/snap.ts';

const BIN = fileURLToPath(new URL('../../bin/snap.js', import.meta.url));

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
  ok(['-C', folder.path, 'init']);
  for (const seed of [1, 2]) {
    writeFileSync(at('small'), `small ${seed}`);
    writeFileSync(at('large'), noise(2_000_000, seed));
    ok(['-C', folder.path, 'commit', '-m', String(seed)]);
  }
});
afterEach(() => folder.remove());

const at = (name: string): string => join(folder.path, name);
/** With files of at most half a megabyte. */
const limited = (...args: string[]): Ran => {
  const command = [process.execPath, BIN, '-C', folder.path, ...args];
  const { status, stdout, stderr } = spawnSync('sh', ['-c', 'ulimit -f 1000; exec "$@"', 'sh', ...command], {
    encoding: 'utf8',
  });
  return { code: status, stdout, stderr };
};

test('3 where something was done, and what failed is named', () => {
  const to = `${folder.path}/to`;
  const elsewhere = limited('checkout', 'HEAD', '--to', to);
  expect(elsewhere).toMatchObject({ code: 3, stderr: expect.stringContaining('large: ') });
  expect(readFileSync(`${to}/small`, 'utf8')).toBe('small 2');
  rmSync(to, { recursive: true });
  expect(limited('checkout', 'HEAD~1')).toMatchObject({ code: 3, stderr: expect.stringContaining('large: ') });
  expect(readFileSync(at('small'), 'utf8')).toBe('small 1');
});

test('1 where nothing was', () => {
  const { code, stderr } = limited('checkout', 'HEAD~1', 'large');
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('large: ') });
  expect(readFileSync(at('large')).equals(noise(2_000_000, 2))).toBe(true);
});

test('undo says what the folder is not', () => {
  ok(['-C', folder.path, 'checkout', 'HEAD~1']);
  const { code, stdout, stderr } = limited('undo');
  expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining('large: ') });
  expect(stdout).toMatch(/as it was before, ignored files aside, but for 1 path /);
  expect(readFileSync(at('small'), 'utf8')).toBe('small 2');
});
