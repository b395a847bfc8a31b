/**
 * Made the stores in damage/: `node test/museum/make-damage.ts <empty folder>` makes others like them. Each is the same small
 * store with one thing done to it (damage.ts), and a label with what a fresh workspace makes of it. Read the labels before
 * they go into the museum: they are the verdicts that every later version must give.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readFolder } from '../kit/checker/snapshot.ts';
import { noise } from '../kit/folder.ts';
import type { Base, Label } from './damage.ts';
import { DAMAGES, SEEN, verdictOn, wrongFiles } from './damage.ts';

const BIN = fileURLToPath(new URL('../../bin/snap.js', import.meta.url));
/** The stores are kept in public: they carry no names of the machine that made them. */
const NAMES = `import os from 'node:os'; import { syncBuiltinESMExports } from 'node:module'; os.hostname = () => 'museum'; os.userInfo = () => ({ username: 'curator' }); syncBuiltinESMExports();`;

const target = process.argv[2];
if (target === undefined || (fs.existsSync(target) && fs.readdirSync(target).length > 0))
  throw new Error('name an empty folder');
fs.mkdirSync(target, { recursive: true });
const scratch = fs.mkdtempSync(join(tmpdir(), 'snap-museum-'));
const work = join(scratch, 'work');
const store = join(scratch, 'store');
fs.mkdirSync(work);
snap(['init', '--store', store, '--name', 'museum']);
shrink(join(store, 'config.json'));
const base: Base = { snapshots: fill() };
for (const name of ['tmp', 'locks']) fs.rmSync(join(store, name), { recursive: true, force: true });
fs.writeFileSync(join(target, 'base.json'), `${JSON.stringify(base, null, 1)}\n`);
for (const [name, [damage, apply]] of Object.entries(DAMAGES)) {
  const exhibit = join(target, name);
  fs.cpSync(store, join(exhibit, 'store'), { recursive: true });
  apply(join(exhibit, 'store'));
  const folder = join(scratch, name);
  fs.cpSync(join(exhibit, 'store'), join(folder, 'store'), { recursive: true });
  const verdict = await verdictOn(folder, base, SEEN.includes(name) ? store : undefined);
  const wrong = wrongFiles(folder, base);
  if (wrong.length > 0) throw new Error(`${name}: wrong bytes in ${wrong.join()}`);
  const label: Label = { damage, ...verdict };
  fs.writeFileSync(join(exhibit, 'label.json'), `${JSON.stringify(label, null, 1)}\n`);
}
fs.rmSync(scratch, { recursive: true });

/** Three snapshots: of text and noise, with a new folder, and with a change in the middle of a file. */
function fill(): Base['snapshots'] {
  const write = (path: string, content: string | Buffer): void => {
    fs.mkdirSync(join(work, path, '..'), { recursive: true });
    fs.writeFileSync(join(work, path), content);
  };
  write('.snapignore', '');
  write('src/a.txt', 'alpha\n');
  write('noise', noise(600, 7));
  write('chunks', noise(3000, 15));
  const first = commitAll('first');
  write('src/a.txt', 'beta\n');
  write('src/text', 'the same line again and again\n'.repeat(40));
  write('other/more', noise(300, 21));
  const second = commitAll('second');
  const chunks = noise(3000, 15);
  write('chunks', Buffer.concat([chunks.subarray(0, 1500), Buffer.from('an edit'), chunks.subarray(1500)]));
  return [first, second, commitAll('third')];
}

function commitAll(message: string): Base['snapshots'][number] {
  const { id } = JSON.parse(snap(['commit', '-m', message, '--json'])) as { id: string };
  const files = [...readFolder(work)].flatMap(([path, { sha256 }]) => (sha256 === undefined ? [] : [[path, sha256]]));
  return { id, message, files: Object.fromEntries(files) as Record<string, string> };
}

/** Small chunks and packs before the first commit, so that a few kilobytes have several of each. */
function shrink(path: string): void {
  const sizes: Record<string, number> = { averageBytes: 256, maxBytes: 1024, minBytes: 64, packBytes: 1024 };
  const text = fs.readFileSync(path, 'utf8');
  fs.rmSync(path);
  fs.writeFileSync(
    path,
    text.replace(/"(\w+Bytes)":\d+/g, (_all, name: string) => `"${name}":${sizes[name]}`),
  );
}

function snap(args: readonly string[]): string {
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: '/nonexistent',
    XDG_CACHE_HOME: 'off',
    TZ: 'UTC',
    NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(NAMES)}`,
  };
  return execFileSync(process.execPath, [BIN, ...args], { cwd: work, encoding: 'utf8', env });
}
