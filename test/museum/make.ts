/**
 * Made the store in format-1/: `node test/museum/make.ts <empty folder>` makes another one like it. Run it for a new
 * format only, into a folder of its own; what is in the museum already stays as it is for ever.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Exhibit } from './exhibit.ts';
import { describeFolder } from './exhibit.ts';

const BIN = fileURLToPath(new URL('../../bin/snap.js', import.meta.url));
const TIME = new Date('2026-11-20T13:02:11.000Z');
/** The store is kept in public: it carries no names of the machine that made it. */
const NAMES = `import os from 'node:os'; import { syncBuiltinESMExports } from 'node:module'; os.hostname = () => 'museum'; os.userInfo = () => ({ username: 'curator' }); syncBuiltinESMExports();`;

const target = process.argv[2];
if (target === undefined || (fs.existsSync(target) && fs.readdirSync(target).length > 0))
  throw new Error('name an empty folder');
fs.mkdirSync(target, { recursive: true });
const work = fs.mkdtempSync(join(target, 'work-'));
const store = join(target, 'store');
snap(['init', '--store', store, '--name', 'museum']);
fill();
const first = commitAll('before deploy', []);
change();
const second = commitAll('after deploy', ['--tag', 'v1.0', '--meta', 'loss=0.031']);
const exhibit: Exhibit = {
  program: snap(['--version']).trim(),
  snapshots: [first, second],
  tags: { 'v1.0': second.id },
};
fs.writeFileSync(join(target, 'fingerprint.json'), `${JSON.stringify(exhibit, null, 1)}\n`);
fs.rmSync(work, { recursive: true });
for (const name of ['tmp', 'locks']) fs.rmSync(join(store, name), { recursive: true, force: true });

function commitAll(message: string, args: readonly string[]): Exhibit['snapshots'][number] {
  freeze(work);
  const { id } = JSON.parse(snap(['commit', '-m', message, ...args, '--json'])) as { id: string };
  return { id, message, entries: describeFolder(work) };
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

function fill(): void {
  const at = (name: string): string => join(work, name);
  fs.mkdirSync(at('src/deep'), { recursive: true });
  fs.mkdirSync(at('empty'));
  fs.writeFileSync(at('.snapignore'), '*.log\n');
  fs.writeFileSync(at('left-out.log'), 'ignored');
  fs.writeFileSync(at('README.md'), '# museum\n');
  fs.writeFileSync(at('src/a.txt'), 'alpha\n');
  fs.writeFileSync(at('zero'), '');
  fs.writeFileSync(at('run.sh'), '#!/bin/sh\n', { mode: 0o755 });
  fs.writeFileSync(at('secret'), 'mode 600', { mode: 0o600 });
  fs.writeFileSync(at('é composed'), 'composed');
  fs.writeFileSync(at('e\u0301 decomposed'), 'decomposed');
  fs.writeFileSync(at('line\nbreak'), 'escape me');
  fs.writeFileSync(at('src/deep/noise.bin'), noise(3000, 7));
  fs.writeFileSync(at('src/deep/many-chunks.bin'), manyChunks());
  fs.writeFileSync(Buffer.concat([Buffer.from(`${work}/bytes `), Buffer.of(0xff, 0xfe)]), 'not UTF-8');
  fs.symlinkSync('src/a.txt', at('link'));
  fs.symlinkSync('nowhere/at all', at('dangling'));
  fs.linkSync(at('src/a.txt'), at('hard one'));
  fs.linkSync(at('src/a.txt'), at('src/deep/hard two'));
  const sparse = fs.openSync(at('sparse'), 'w');
  fs.ftruncateSync(sparse, 3_000_000);
  fs.writeSync(sparse, 'island', 1_500_000);
  fs.closeSync(sparse);
  fs.mkdirSync(at('large folder'));
  for (let i = 0; i < 4200; i++) fs.writeFileSync(at(`large folder/${String(i).padStart(4, '0')}`), '');
}

function change(): void {
  const at = (name: string): string => join(work, name);
  fs.writeFileSync(at('src/a.txt'), 'beta\n');
  fs.rmSync(at('zero'));
  fs.renameSync(at('run.sh'), at('start.sh'));
  fs.writeFileSync(at('large folder/new'), 'one more');
  const bytes = fs.readFileSync(at('src/deep/many-chunks.bin'));
  fs.writeFileSync(
    at('src/deep/many-chunks.bin'),
    Buffer.concat([bytes.subarray(0, 2_000_000), Buffer.from('inserted'), bytes.subarray(2_000_000)]),
  );
}

/** One time for everything, so that a double holds it and nothing depends on when this ran. */
function freeze(folder: string): void {
  for (const name of fs.readdirSync(folder, { encoding: 'buffer' })) {
    const path = Buffer.concat([Buffer.from(`${folder}/`), name]);
    const stat = fs.lstatSync(path);
    if (stat.isDirectory() && name.toString() !== '.snap') freeze(path.toString());
    if (!stat.isSymbolicLink()) fs.utimesSync(path, TIME, TIME);
    else fs.lutimesSync(path, TIME, TIME);
  }
}

function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed | 1;
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}

/** 3.5 MB in 13 chunks, and yet a few kilobytes when compressed: the same noise again and again, with marks between. */
function manyChunks(): Buffer {
  const segment = noise(16_000, 15);
  return Buffer.concat(Array.from({ length: 220 }, (_, i) => Buffer.concat([segment, Buffer.from(`part ${i}\n`)])));
}
