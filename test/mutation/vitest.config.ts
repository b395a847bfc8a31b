/** The tests that run against each mutant of SNAP_MUTATED, a folder of src/. None that starts the built command. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const TESTS: Readonly<Record<string, readonly string[]>> = {
  object: ['object/*', 'vectors/vectors'],
  pack: ['pack/*', 'vectors/pack'],
  gc: ['gc/*', 'danger/gc-model', 'danger/gc-protocol'],
  repo: ['repo/*', 'api/*', 'commit/*', 'gc/mark', 'history/*', 'verify/*', 'museum/*', 'danger/hostile-records'],
  checkout: ['checkout/*', 'api/undo', 'danger/hostile-target', 'danger/hostile-tree', 'danger/odd-files'],
};

export default defineConfig({
  resolve: { alias: [{ find: /^(\.\.\/)+work\/start-workers\.ts$/, replacement: here('./start-workers.ts') }] },
  test: {
    include: (TESTS[process.env.SNAP_MUTATED ?? ''] ?? ['*/*']).map((name) => `test/${name}.test.ts`),
    setupFiles: [here('./setup.ts')],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // A process for each mutant, not for each file; and failures are counted, not shown.
    isolate: false,
    diff: { truncateThreshold: 10, maxDepth: 2 },
  },
});
