/** The tests that run against each mutant of SNAP_MUTATED, a folder of src/. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { MUTATED } from './tests.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: { alias: [{ find: /^(\.\.\/)+work\/start-workers\.ts$/, replacement: here('./start-workers.ts') }] },
  test: {
    include: (MUTATED[process.env.SNAP_MUTATED ?? ''] ?? []).map((name) => `test/${name}.test.ts`),
    setupFiles: [here('./setup.ts')],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // A process for each mutant, not for each file; and failures are counted, not shown.
    isolate: false,
    diff: { truncateThreshold: 10, maxDepth: 2 },
  },
});
