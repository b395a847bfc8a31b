// `npm run bench:where -- <folder>`: where snap's time goes. Runs commands on a copy of a folder under the runtime's own
// sampling profiler (one profile for each thread) and adds up the samples by what the program was doing. CPU seconds of
// all threads, so that with two cores a column may be twice its wall time; profiling itself adds about a tenth.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { levelMemory } from './memory.ts';

interface Profile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: { functionName: string }; children?: number[] }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** The step of a sample is that of the first function, from the innermost, that is named here. */
const steps: Readonly<Record<string, readonly string[]>> = {
  walk: ['listFolder', 'lstat', 'walk'],
  'read files': ['readOne', 'fill', 'bufferFor'],
  cut: ['findCandidate', 'searchCut', 'cutAll'],
  hash: ['hashChunks'],
  compress: ['compress', 'encodeBlock', 'sealBlock'],
  'decode and check': ['decompress', 'scanBlock', 'openBlock', 'blobIn', 'checkSealed', 'checkPack'],
  'write packs': ['append', 'seal', 'publish', '#append'],
  'write files': ['writeOne', 'writeFiles', 'makeFolder', 'setMetadata', 'rename'],
  index: [
    'getSync',
    '_getSync',
    'batch',
    'find',
    'putBlobs',
    'prepare',
    'sealValue',
    'openValue',
    '#get',
    'folderRecord',
  ],
  'tree objects': ['encodeFolder', 'decodeTree', '#remember', 'finish'],
  'garbage collection': ['(garbage collector)'],
  'start-up': [
    'requireBuiltin',
    'compileForInternalLoader',
    'wrapModuleLoad',
    'ModuleJob',
    'link',
    'evaluate',
    'resolveSync',
    '#resolve',
    'importSyncForRequire',
    'runMain',
    'initialize',
    'parseAsync',
  ],
};
const stepOf = new Map(Object.entries(steps).flatMap(([step, names]) => names.map((name) => [name, step] as const)));

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write('usage: npm run bench:where -- <folder>\n');
  process.exit(2);
}
const snap = resolve(import.meta.dirname, '..', 'bin', 'snap.js');
const work = mkdtempSync(join(process.env.TMPDIR ?? '/dev/shm', 'snap-where-'));
try {
  const tree = join(work, 'tree');
  execFileSync('cp', ['-a', `${resolve(folder)}/.`, tree]);
  run(tree, ['init']);
  const jobs: [string, string[]][] = [
    ['first commit', ['commit', '-m', 'first']],
    ['nothing changed', ['commit', '-m', 'again']],
    ['checkout to an empty folder', ['checkout', 'HEAD', '--to', join(work, 'out')]],
    ['verify --data', ['verify', '--data']],
  ];
  const columns: { name: string; seconds: Map<string, number> }[] = [];
  for (const [name, args] of jobs) {
    await levelMemory(work);
    columns.push({ name, seconds: profiled(tree, args) });
  }
  const rows = [...Object.keys(steps), 'everything else'];
  process.stdout.write(`${''.padEnd(20)}${columns.map(({ name }) => name.padStart(name.length + 3)).join('')}\n`);
  for (const row of rows) {
    const cells = columns.map(({ name, seconds }) => (seconds.get(row) ?? 0).toFixed(2).padStart(name.length + 3));
    process.stdout.write(`${row.padEnd(20)}${cells.join('')}\n`);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}

function run(tree: string, args: readonly string[], node: readonly string[] = []): void {
  execFileSync(process.execPath, [...node, snap, '-C', tree, '--quiet', ...args], { stdio: 'inherit' });
}

function profiled(tree: string, args: readonly string[]): Map<string, number> {
  const profiles = join(work, 'profiles');
  mkdirSync(profiles);
  run(tree, args, ['--cpu-prof', `--cpu-prof-dir=${profiles}`]);
  const seconds = new Map<string, number>();
  for (const name of readdirSync(profiles))
    addUp(JSON.parse(readFileSync(join(profiles, name), 'utf8')) as Profile, seconds);
  rmSync(profiles, { recursive: true });
  return seconds;
}

function addUp({ nodes, samples, timeDeltas }: Profile, seconds: Map<string, number>): void {
  const parents = new Map(nodes.flatMap(({ id, children }) => (children ?? []).map((child) => [child, id] as const)));
  const names = new Map(nodes.map(({ id, callFrame }) => [id, callFrame.functionName]));
  const known = new Map<number, string>();
  const step = (id: number): string => {
    let found = known.get(id);
    if (found === undefined) {
      const parent = parents.get(id);
      found = stepOf.get(names.get(id) ?? '') ?? (parent === undefined ? 'everything else' : step(parent));
      known.set(id, found);
    }
    return found;
  };
  for (const [i, id] of samples.entries()) {
    if (names.get(id) === '(idle)') continue;
    seconds.set(step(id), (seconds.get(step(id)) ?? 0) + (timeDeltas[i] ?? 0) / 1e6);
  }
}
