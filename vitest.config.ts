import { existsSync, statfsSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
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
