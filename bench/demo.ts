// `npm run demo`: the main job on a real folder. Copies this checkout into a temporary workspace, commits it,
// changes it, commits again, goes back and forward, and compares every byte with what was. Shows each command
// as a person would type it, what it printed and what it took. Exits with 1 when a command or a comparison fails.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFile,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const projectDir = resolve(import.meta.dirname, '..');
const snapBin = process.env.SNAP_DEMO_BIN ?? join(projectDir, 'bin', 'snap.js');
const leftOut = new Set(['node_modules', 'dist', '.git', '.snap', 'coverage']);

/** Path → kind, mode (times are left out: not every platform can set all their digits), and the SHA-256 of the content or the link's target. */
type Manifest = ReadonlyMap<string, string>;

type Demo = { folder: string; proven: string[]; interrupted: AbortSignal };

const write = (text: string): void => void process.stdout.write(text);

process.exitCode = await main();

async function main(): Promise<number> {
  const root = await mkdtemp(join(tmpdir(), 'snap-demo-'));
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stop.abort());
  const demo: Demo = { folder: join(root, 'project'), proven: [], interrupted: stop.signal };
  try {
    await tellStory(demo);
    write(`\nProven here: ${demo.proven.join('; ')}.\nThe temporary folder is removed.\n`);
    return 0;
  } catch (error) {
    if (stop.signal.aborted) return 130;
    write(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  } finally {
    await rm(root, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function tellStory(demo: Demo): Promise<void> {
  if (process.env.SNAP_DEMO_BIN !== undefined) say(`Not this checkout's snap, but ${snapBin}`);
  await copyCheckout(demo.folder);
  say(`A copy of this checkout, ${(await listTree(demo.folder)).size} files and folders, in ${demo.folder}`);
  await snap(demo, 'init');
  await snap(demo, 'commit', '-m', 'as it was cloned');
  const first = await listTree(demo.folder);

  await changeFiles(demo.folder);
  await snap(demo, 'status');
  await snap(demo, 'commit', '-m', 'four kinds of change');
  const second = await listTree(demo.folder);
  await snap(demo, 'log');
  await snap(demo, 'diff', 'HEAD~1', 'HEAD', '--stat');
  await snap(demo, 'diff', 'HEAD~1', 'HEAD', '--', 'LICENSE');
  await snap(demo, 'tag', 'cloned', 'HEAD~1');

  say('Back to the first snapshot, with an edit that nobody committed');
  await appendFile(join(demo.folder, 'LICENSE'), 'not committed by anybody\n');
  const edited = await listTree(demo.folder);
  await snap(demo, 'checkout', 'cloned');
  prove(demo, first, await listTree(demo.folder), 'checkout gave the first snapshot back');

  say('And undone: the folder as it was a moment ago, with that edit');
  await snap(demo, 'undo');
  prove(demo, edited, await listTree(demo.folder), 'undo gave the folder back with its uncommitted edit');

  const other = join(dirname(demo.folder), 'elsewhere');
  await snap(demo, 'checkout', 'latest', '--to', other);
  prove(demo, second, await listTree(other), 'a checkout of the last commit into another folder equals it');

  await snap(demo, 'gc', '--keep-last', '1');
  await snap(demo, 'verify', '--data');
  demo.proven.push('verify --data found no damage after gc');
  const tagged = join(dirname(demo.folder), 'tagged');
  await snap(demo, 'checkout', 'cloned', '--to', tagged);
  prove(demo, first, await listTree(tagged), 'the tagged snapshot survived gc --keep-last 1');
  if (same(first, second)) throw new Error('the two snapshots do not differ, so nothing was shown');
  await snap(demo, 'stats');
}

/** An edit, a new file, a removed file, and a file moved into another folder. */
async function changeFiles(folder: string): Promise<void> {
  say('Now one file is edited, one added, one removed, one moved');
  await appendFile(join(folder, 'LICENSE'), '\nA line that was added.\n');
  await writeFile(join(folder, 'weights.bin'), pseudoRandomBytes(4 << 20));
  await rm(join(folder, 'biome.json'));
  await mkdir(join(folder, 'attic'));
  await rename(join(folder, 'package-lock.json'), join(folder, 'attic', 'old-lock.json'));
}

/** Runs snap in the workspace, and shows the command, its output and its time; throws when it fails. */
async function snap(demo: Demo, ...args: string[]): Promise<void> {
  write(`\n$ snap ${args.map((arg) => shown(demo, arg)).join(' ')}\n`);
  const begun = process.hrtime.bigint();
  const child = spawn(process.execPath, [snapBin, ...args], {
    cwd: demo.folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: demo.interrupted,
  });
  child.stdout.on('data', (part: Buffer) => process.stdout.write(part));
  child.stderr.on('data', (part: Buffer) => process.stdout.write(part));
  const code = await new Promise<number | null>((resolveCode, reject) => {
    child.once('error', reject);
    child.once('close', resolveCode);
  });
  write(`  (${(Number(process.hrtime.bigint() - begun) / 1e9).toFixed(2)} s)\n`);
  if (code !== 0) throw new Error(`snap ${args[0]} exited ${code ?? 'by a signal'}`);
}

/** As it would be typed: quoted where a shell asks for it, other folders named from the workspace. */
function shown(demo: Demo, arg: string): string {
  const parent = dirname(demo.folder);
  const local = arg.startsWith(`${parent}/`) ? `../${arg.slice(parent.length + 1)}` : arg;
  return /^[\w@%+=:,./~-]+$/.test(local) ? local : `"${local}"`;
}

function prove(demo: Demo, expected: Manifest, actual: Manifest, claim: string): void {
  if (!same(expected, actual)) throw new Error(`not proven: ${claim}; ${firstDifference(expected, actual)}`);
  write(`  = ${actual.size} files and folders compared byte for byte: ${claim}\n`);
  demo.proven.push(claim);
}

function same(expected: Manifest, actual: Manifest): boolean {
  return firstDifference(expected, actual) === undefined;
}

function firstDifference(expected: Manifest, actual: Manifest): string | undefined {
  for (const [path, entry] of expected) if (actual.get(path) !== entry) return `${path} differs or is missing`;
  for (const path of actual.keys()) if (!expected.has(path)) return `${path} should not be there`;
  return undefined;
}

async function listTree(root: string, below = '', found = new Map<string, string>()): Promise<Manifest> {
  for (const name of (await readdir(join(root, below))).sort()) {
    if (below === '' && name === '.snap') continue;
    const path = join(below, name);
    const info = await lstat(join(root, path));
    const mode = (info.mode & 0o7777).toString(8);
    if (info.isDirectory()) {
      found.set(path, `folder ${mode}`);
      await listTree(root, path, found);
    } else if (info.isSymbolicLink()) {
      found.set(path, `link ${await readlink(join(root, path))}`);
    } else {
      const digest = createHash('sha256').update(await readFile(join(root, path)));
      found.set(path, `file ${mode} ${digest.digest('hex')}`);
    }
  }
  return found;
}

async function copyCheckout(dest: string): Promise<void> {
  await mkdir(dest);
  for (const name of await readdir(projectDir)) {
    if (leftOut.has(name)) continue;
    await cp(join(projectDir, name), join(dest, name), {
      recursive: true,
      verbatimSymlinks: true,
      // Stores lie there, and a store is not taken into a snapshot.
      filter: (source) => source !== join(projectDir, 'test/museum'),
    });
  }
}

/** Bytes that do not compress, the same in every run. */
function pseudoRandomBytes(count: number): Uint8Array {
  const blocks = Array.from({ length: Math.ceil(count / 64) }, (_, index) =>
    createHash('sha512').update(`demo ${index}`),
  );
  return Buffer.concat(blocks.map((block) => block.digest())).subarray(0, count);
}

function say(line: string): void {
  write(`\n# ${line}\n`);
}
