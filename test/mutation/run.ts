/**
 * Runs Stryker on one folder of src/ after the other, each with the tests of its own, and shows the scores:
 * `npm run test:mutation`, or `npm run test:mutation -- object pack`. What begins with "-" goes to Stryker.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MUTATED } from './tests.ts';

const SCORE_MIN = 80;
const project = fileURLToPath(new URL('../../', import.meta.url));
const stryker = fileURLToPath(new URL('bin/stryker.js', import.meta.resolve('@stryker-mutator/core/package.json')));

interface Report {
  readonly files: Readonly<Record<string, { readonly mutants: readonly { readonly status: string }[] }>>;
}

const given = process.argv.slice(2);
const folders = given.filter((name) => Object.hasOwn(MUTATED, name));
const options = given.filter((name) => !folders.includes(name));
const lines: string[] = [];
let failed = false;
for (const folder of folders.length > 0 ? folders : Object.keys(MUTATED)) {
  const start = performance.now();
  const mutate = options.includes('--mutate') ? [] : ['--mutate', `src/${folder}/**/*.ts`];
  const results = `coverage/mutation/${folder}.json`;
  const { status } = spawnSync(
    process.execPath,
    [stryker, 'run', 'test/mutation/stryker.config.json', ...mutate, '--incrementalFile', results, ...options],
    { cwd: project, stdio: 'inherit', env: { ...process.env, SNAP_MUTATED: folder } },
  );
  const minutes = (performance.now() - start) / 60_000;
  const counts = status === 0 ? countOf(`${project}${results}`) : undefined;
  failed ||= counts === undefined || counts.score < SCORE_MIN;
  lines.push(
    counts === undefined
      ? `${folder}: did not run`
      : `${folder}: ${counts.score.toFixed(1)} % of ${counts.all} mutants in ${minutes.toFixed(0)} min`,
  );
}
process.stdout.write(`\n${lines.join('\n')}\n`);
process.exitCode = failed ? 1 : 0;

function countOf(path: string): { score: number; all: number } {
  const { files } = JSON.parse(readFileSync(path, 'utf8')) as Report;
  const statuses = Object.values(files).flatMap(({ mutants }) => mutants.map((mutant) => mutant.status));
  const count = (...wanted: string[]): number => statuses.filter((status) => wanted.includes(status)).length;
  const found = count('Killed', 'Timeout');
  const all = found + count('Survived', 'NoCoverage');
  return { score: all === 0 ? 100 : (100 * found) / all, all };
}
