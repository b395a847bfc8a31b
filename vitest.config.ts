import { existsSync, statfsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [{ find: /^(\.\.\/)+(src\/)?work\/start-workers\.ts$/, replacement: here('test/kit/start-workers.ts') }],
  },
  test: {
    globalSetup: here('test/kit/bundle.ts'),
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
    // A process for each file costs a tenth of the time; only where a file runs for minutes, it gets one of its own.
    isolate: process.env.SNAP_TEST_AMOUNT !== undefined,
    env: temporaryFolder(),
  },
});

/** Temporary folders in memory where there is room: what is tested does not depend on how fast a disk is. */
function temporaryFolder(): Record<string, string> {
  const memory = '/dev/shm';
  if (process.env.TMPDIR !== undefined || !existsSync(memory)) return {};
  const { bavail, bsize } = statfsSync(memory);
  return bavail * bsize > 4 * 1024 ** 3 ? { TMPDIR: memory } : {};
}
