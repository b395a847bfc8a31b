// The data the benchmark works on, all of it reproducible: the Linux source from Debian's package (or a
// generated stand-in, named as such), a folder with a tar and float32 weights, and a tree of a million files;
// and the edits made to them between commits.

import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { appendFile, lstat, mkdir, open, readdir, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Runner } from './measure.ts';

export const linuxPackage = '/usr/src/linux-source-6.1.tar.xz';
const leftBySnap = ['.snap', '.snapignore'];

/** Sum of the lengths of all files below `path`, or of the file itself; 0 when there is none. */
export async function sizeOf(path: string): Promise<number> {
  if (!existsSync(path)) return 0;
  const info = await lstat(path);
  if (!info.isDirectory()) return info.size;
  let sum = 0;
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const child = join(path, entry.name);
    sum += entry.isDirectory() ? await sizeOf(child) : (await lstat(child)).size;
  }
  return sum;
}

/** Regular files below `root`, relative, in a stable order, without what snap keeps there. */
export async function listFiles(root: string, below = ''): Promise<string[]> {
  const found: string[] = [];
  const entries = await readdir(join(root, below), { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(below, entry.name);
    if (entry.isDirectory() && entry.name !== '.snap') found.push(...(await listFiles(root, path)));
    else if (entry.isFile() && entry.name !== '.snapignore') found.push(path);
  }
  return found;
}

/**
 * Fills `dest` with the Linux source and says what it is: a copy of `origin` when given, else Debian's package,
 * else a generated tree. `quick` takes only a few of its folders.
 */
export async function makeSourceTree(
  runner: Runner,
  dest: string,
  options: { origin?: string | undefined; quick: boolean },
): Promise<string> {
  await mkdir(dest, { recursive: true });
  const parts = ['kernel', 'fs', 'lib', 'mm', 'net', 'include'];
  if (options.origin !== undefined) {
    const { origin } = options;
    const found = parts.filter((part) => existsSync(join(origin, part)));
    const sources = options.quick ? found.map((part) => join(origin, part)) : [`${origin}/.`];
    await runner.run({ argv: ['cp', '-a', ...sources, dest] });
    // Somebody may have tried snap on that folder; what it left there is no part of the data.
    for (const name of leftBySnap) await rm(join(dest, name), { recursive: true, force: true });
    return `Linux source, ${origin}${options.quick ? `: ${found.join(', ')}` : ''}`;
  }
  if (existsSync(linuxPackage)) {
    const members = options.quick ? parts.map((part) => `linux-source-6.1/${part}`) : [];
    await runner.run({ argv: ['tar', '-C', dest, '--strip-components=1', '-xJf', linuxPackage, ...members] });
    return `Linux source, ${linuxPackage}${options.quick ? `: ${parts.join(', ')}` : ''}`;
  }
  const count = options.quick ? 5_000 : 78_000;
  await makeTextTree(runner, dest, { count, filesPerFolder: 20, bytesMax: 32_000, seed: 61 });
  return `GENERATED STAND-IN of ${count} text files (Debian's linux-source-6.1 is not installed)`;
}

/** `count` distinct text files of up to `bytesMax` bytes, in folders two deep. */
export async function makeTextTree(
  runner: Runner,
  dest: string,
  options: { count: number; filesPerFolder: number; bytesMax: number; seed: number },
): Promise<void> {
  const random = seededRandom(options.seed);
  const words = Array.from({ length: 4096 }, (_, index) => `w${Math.floor(random() * 1e6).toString(36)}${index % 7}`);
  let folder = dest;
  let batch: Promise<void>[] = [];
  for (let index = 0; index < options.count; index += 1) {
    if (index % options.filesPerFolder === 0) {
      await Promise.all(batch);
      batch = [];
      await runner.checkpoint();
      const number = index / options.filesPerFolder;
      folder = join(dest, `d${Math.floor(number / 100)}`, `e${number % 100}`);
      await mkdir(folder, { recursive: true });
    }
    // Small files are the most frequent: the length is a product of two uniform numbers.
    const length = Math.floor(random() * random() * options.bytesMax);
    let text = `file ${index}\n`;
    while (text.length < length) text += `${words[Math.floor(random() * words.length)]} `;
    batch.push(writeFile(join(folder, `f${index}.txt`), text));
  }
  await Promise.all(batch);
}

/** A folder with the first `tarBytes` of a tar of `source` and `weightBytes` of gaussian float32 numbers. */
export async function makeBinaryFolder(
  runner: Runner,
  dest: string,
  options: { source: string; tarBytes: number; weightBytes: number },
): Promise<void> {
  await mkdir(dest, { recursive: true });
  const tar = join(dest, 'linux.tar');
  await runner.run({
    argv: [
      'tar',
      '--sort=name',
      ...leftBySnap.map((name) => `--exclude=./${name}`),
      '-C',
      options.source,
      '-cf',
      tar,
      '.',
    ],
  });
  if ((await lstat(tar)).size > options.tarBytes) await truncate(tar, options.tarBytes);
  await writeWeights(runner, join(dest, 'weights.f32'), options.weightBytes);
}

/** Appends a line to `count` files spread over the whole tree; `turn` picks others each time. */
export async function editFiles(
  root: string,
  files: readonly string[],
  edit: { count: number; turn: number },
): Promise<void> {
  const step = Math.max(1, Math.floor(files.length / edit.count));
  for (let index = 0; index < edit.count; index += 1) {
    const file = files[(index * step + edit.turn * 7) % files.length];
    if (file !== undefined) await appendFile(join(root, file), `/* edit ${edit.turn} of file ${index} */\n`);
  }
}

/** Rewrites `file` with `bytes` inserted at each of the ascending `offsets`. */
export async function insertBytes(file: string, offsets: readonly number[], bytes: string): Promise<void> {
  const next = `${file}.next`;
  const size = (await lstat(file)).size;
  let from = 0;
  for (const [index, to] of [...offsets, size].entries()) {
    const flags = index === 0 ? 'w' : 'a';
    if (to > from)
      await pipeline(createReadStream(file, { start: from, end: to - 1 }), createWriteStream(next, { flags }));
    if (to < size) await appendFile(next, bytes);
    from = to;
  }
  await rename(next, file);
}

async function writeWeights(runner: Runner, file: string, bytes: number): Promise<void> {
  const random = seededRandom(32);
  const part = new Float32Array(1 << 20);
  const handle = await open(file, 'w');
  try {
    for (let written = 0; written < bytes; written += part.byteLength) {
      await runner.checkpoint();
      for (let index = 0; index < part.length; index += 2) {
        // Box–Muller; 0.02 is a usual deviation of trained weights.
        const radius = 0.02 * Math.sqrt(-2 * Math.log(1 - random()));
        const angle = 2 * Math.PI * random();
        part[index] = radius * Math.cos(angle);
        part[index + 1] = radius * Math.sin(angle);
      }
      await handle.write(new Uint8Array(part.buffer, 0, Math.min(part.byteLength, bytes - written)));
    }
  } finally {
    await handle.close();
  }
}

/** Mulberry32: uniform numbers in [0, 1), the same on every machine. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
