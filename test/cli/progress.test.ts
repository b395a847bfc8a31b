/** Progress on a real terminal, through script(1), which gives one of 0 columns where it has none itself. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const module = fileURLToPath(new URL('../../src/cli/progress.ts', import.meta.url));
const program = `
  const { startProgress } = await import(${JSON.stringify(module)});
  const progress = startProgress(true);
  progress.update(() => 'reading');
  await new Promise((resolve) => setTimeout(resolve, 1500));
  progress.stop();
  console.log('terminal: ' + process.stdout.isTTY);
`;
const hasScript = spawnSync('script', ['--version']).status === 0;

test.skipIf(!hasScript)('is shown, and ends, on a terminal that does not tell its size', () => {
  const node = `'${process.execPath}' --input-type=module -e "$SNAP_TEST_PROGRAM"`;
  const { CI: _, ...env } = process.env;
  const { status, stdout } = spawnSync('script', ['-qec', node, '/dev/null'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    timeout: 20_000,
    env: { ...env, SNAP_TEST_PROGRAM: program, TERM: 'xterm' },
  });
  expect(status).toBe(0);
  expect(stdout).toContain('reading');
  expect(stdout).toContain('terminal: true');
  expect(stdout.length).toBeLessThan(10_000);
});
