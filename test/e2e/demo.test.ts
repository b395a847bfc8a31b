/** The first thing that a reader of the README runs. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

test('the demo proves what it claims', { timeout: 120_000 }, () => {
  const demo = fileURLToPath(new URL('../../bench/demo.ts', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [demo], { encoding: 'utf8' });
  expect(status, stdout + stderr).toBe(0);
  expect(stdout).toContain('survived gc');
});
