/**
 * Real folders for tests: temporary ones, one with every odd thing a folder can hold, and a fingerprint that tells two
 * folders apart by names (as bytes), kinds, contents, modes, times and links.
 */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new temporary folder, and the path of one beside it that is not there; `remove` deletes both. */
export function temporaryFolder(): { path: string; beside: string; remove(): void } {
  const path = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'snap-test-')));
  const beside = `${path}.out`;
  const remove = (): void => {
    for (const made of [path, beside]) fs.rmSync(made, { recursive: true, force: true });
  };
  return { path, beside, remove };
}

/** Deterministic bytes (xorshift32). */
export function noise(length: number, seed: number): Buffer {
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

/** Fills `root` with ordinary and odd entries. */
export function makeOddFolder(root: string): void {
  const at = (name: string): string => join(root, name);
  fs.mkdirSync(at('src/deep/deeper'), { recursive: true });
  fs.mkdirSync(at('empty folder'));
  fs.writeFileSync(at('src/a.txt'), 'alpha\n');
  fs.writeFileSync(at('src/deep/b.bin'), noise(300_000, 7));
  fs.writeFileSync(at('src/deep/deeper/large.bin'), noise(5_000_000, 11));
  fs.writeFileSync(at('.snapignore'), '# nothing is left out\n');
  fs.writeFileSync(at('zero'), '');
  fs.writeFileSync(at('exactly-min'), noise(65_536, 3));
  fs.writeFileSync(at('min-plus-one'), noise(65_537, 4));
  fs.writeFileSync(at('all zeros'), Buffer.alloc(3_000_000));
  fs.writeFileSync(at('ünïcode ☃ 𝒳'), 'named');
  fs.writeFileSync(at('e\u0301'), 'decomposed');
  fs.writeFileSync(at('\u00e9'), 'composed');
  fs.writeFileSync(at('line\nbreak \u001b[31mred'), 'escape me');
  fs.writeFileSync(at('-rf'), 'dash');
  fs.writeFileSync(at('__proto__'), 'proto');
  fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.of(0x66, 0xff, 0x31)]), 'bytes one');
  fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.of(0x66, 0xfe, 0x31)]), 'bytes two');
  fs.symlinkSync('src/a.txt', at('link'));
  fs.symlinkSync('nowhere/at all', at('dangling'));
  fs.symlinkSync(Buffer.of(0xff, 0x2f, 0xfe), at('odd target'));
  fs.symlinkSync('.', at('loop'));
  fs.linkSync(at('src/a.txt'), at('hard one'));
  fs.linkSync(at('src/a.txt'), at('src/deep/hard two'));
  fs.writeFileSync(at('run.sh'), '#!/bin/sh\n', { mode: 0o755 });
  fs.writeFileSync(at('secret'), 'mode 600', { mode: 0o600 });
  fs.chmodSync(at('run.sh'), 0o4755);
  fs.chmodSync(at('empty folder'), 0o1777);
  const sparse = fs.openSync(at('sparse'), 'w');
  fs.ftruncateSync(sparse, 20_000_000);
  fs.writeSync(sparse, 'island', 9_000_000);
  fs.closeSync(sparse);
  execFileSync('mkfifo', [at('pipe')]);
  roundTimes(root);
  fs.utimesSync(at('zero'), 1_000_000_000.5, 1_000_000_000.5);
  fs.utimesSync(at('secret'), new Date(-1500), new Date(-1500));
  fs.utimesSync(at('src/deep'), 1_234_567_890, 1_234_567_890);
}

/** Gives everything below `root`, `.snap` left out, a time that a double holds exactly, since Node sets times as doubles. */
export function roundTimes(root: string): void {
  for (const name of fs.readdirSync(root, { encoding: 'buffer' })) {
    if (name.toString() === '.snap') continue;
    const path = Buffer.concat([Buffer.from(`${root}/`), name]);
    const stat = fs.lstatSync(path);
    if (stat.isSymbolicLink()) continue;
    if (stat.isDirectory()) roundTimes(path.toString());
    const time = Math.floor(stat.mtimeMs / 1000) + 0.375;
    fs.utimesSync(path, time, time);
  }
}

export interface FingerprintOptions {
  /** Also FIFOs and the like, which a checkout cannot make. Default: true. */
  readonly specials?: boolean;
}

/** One line per entry below `root`, `.snap` left out; equal lines mean equal folders. Times in microseconds. */
export function fingerprint(root: string, options: FingerprintOptions = {}): string[] {
  const lines: string[] = [];
  const inodes = new Map<bigint, number>();
  const walk = (folder: Buffer, prefix: string): void => {
    const names = fs.readdirSync(folder, { encoding: 'buffer' }).sort(Buffer.compare);
    for (const name of names) {
      if (name.toString() === '.snap') continue;
      const path = Buffer.concat([folder, Buffer.from('/'), name]);
      const shown = `${prefix}${name.toString('latin1')}`;
      const stat = fs.lstatSync(path, { bigint: true });
      const mode = (stat.mode & 0o7777n).toString(8);
      const time = stat.mtimeNs / 1000n;
      if (stat.isDirectory()) {
        lines.push(`d ${mode} ${time} ${shown}`);
        walk(path, `${shown}/`);
      } else if (stat.isSymbolicLink())
        lines.push(`l ${shown} -> ${fs.readlinkSync(path, 'buffer').toString('latin1')}`);
      else if (stat.isFile()) {
        if (!inodes.has(stat.ino)) inodes.set(stat.ino, inodes.size);
        const link = stat.nlink > 1n ? ` same as #${inodes.get(stat.ino)}` : '';
        lines.push(
          `f ${mode} ${time} ${stat.size} ${createHash('sha256').update(fs.readFileSync(path)).digest('hex').slice(0, 16)} ${shown}${link ? ' (linked)' : ''}`,
        );
      } else if (options.specials ?? true) lines.push(`s ${mode} ${shown}`);
    }
  };
  walk(Buffer.from(root), '');
  return lines;
}
