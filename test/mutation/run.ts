/**
 * Runs Stryker on one folder of src/ after the other, each with the tests of its own, and shows the scores:
 * `npm run test:mutation`, or `npm run test:mutation -- object pack`. With `--share 5` only a fifth of the lines, drawn by
 * SNAP_SEED, is mutated. Results are kept in coverage/mutation/: mutants whose code and tests are as they were are not tried
 * again, and count on.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { randomFrom, SEED } from '../kit/amount.ts';
import { MUTATED } from './tests.ts';

const SCORE_MIN = 80;
const PIECE_LINES = 15;
const project = fileURLToPath(new URL('../../', import.meta.url));
const stryker = fileURLToPath(new URL('bin/stryker.js', import.meta.resolve('@stryker-mutator/core/package.json')));

interface Report {
  readonly files: Readonly<Record<string, { readonly mutants: readonly { readonly status: string }[] }>>;
}

const { values, positionals: folders } = parseArgs({
  options: { share: { type: 'string', default: '1' } },
  allowPositionals: true,
});
const share = Number(values.share);
const unknown = folders.find((name) => !Object.hasOwn(MUTATED, name));
if (unknown !== undefined || !(share >= 1)) throw new Error(`--share is 1 or more; folders: ${Object.keys(MUTATED)}`);
const random = randomFrom(SEED);
const scores: string[] = [];
let failed = false;
for (const folder of folders.length > 0 ? folders : Object.keys(MUTATED)) {
  const start = performance.now();
  const results = `coverage/mutation/${folder}.json`;
  const { status } = spawnSync(
    process.execPath,
    [stryker, 'run', 'test/mutation/stryker.config.json', '--mutate', linesOf(folder), '--incrementalFile', results],
    { cwd: project, stdio: 'inherit', env: { ...process.env, SNAP_MUTATED: folder } },
  );
  const minutes = (performance.now() - start) / 60_000;
  const counts = status === 0 ? countOf(`${project}${results}`) : undefined;
  failed ||= counts === undefined || counts.score < SCORE_MIN;
  scores.push(
    counts === undefined
      ? `${folder}: did not run`
      : `${folder}: ${counts.score.toFixed(1)} % of ${counts.all} mutants in ${minutes.toFixed(0)} min`,
  );
}
process.stdout.write(`\n${scores.join('\n')}\n`);
process.exitCode = failed ? 1 : 0;

/** All files of a folder, or pieces of them. */
function linesOf(folder: string): string {
  if (share === 1) return `src/${folder}/**/*.ts`;
  const pieces: string[] = [];
  for (const file of readdirSync(`${project}src/${folder}`)) {
    const count = readFileSync(`${project}src/${folder}/${file}`, 'utf8').split('\n').length - 1;
    for (let line = 1; line <= count; line += PIECE_LINES)
      if (random() < 1 / share) pieces.push(`src/${folder}/${file}:${line}-${Math.min(count, line + PIECE_LINES - 1)}`);
  }
  return pieces.join(',');
}

function countOf(path: string): { score: number; all: number } {
  const { files } = JSON.parse(readFileSync(path, 'utf8')) as Report;
  const statuses = Object.values(files).flatMap(({ mutants }) => mutants.map((mutant) => mutant.status));
  const count = (...wanted: string[]): number => statuses.filter((status) => wanted.includes(status)).length;
  const found = count('Killed', 'Timeout');
  const all = found + count('Survived', 'NoCoverage');
  return { score: all === 0 ? 100 : (100 * found) / all, all };
}
