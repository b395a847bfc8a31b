/** Real folders with everything that a snapshot keeps, made of random numbers: names as bytes, modes, times, links, holes. */
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { noise } from './folder.ts';

const ODD_NAMES = [
  'e\u0301',
  '\u00e9',
  '-rf',
  '__proto__',
  'a b',
  'x\\y',
  '\n',
  'CON',
  'A',
  '.snapignored',
  '#',
  '*',
  '☃',
];

/** Empties `root`, `.snap` left alone, and fills it with up to some 25 entries. */
export function fillRandomly(root: string, random: () => number): void {
  const below = (count: number): number => Math.floor(random() * count);
  const files: Buffer[] = [];
  const newName = (): Buffer => {
    const kind = below(4);
    if (kind === 0) return Buffer.from(ODD_NAMES[below(ODD_NAMES.length)] ?? 'x');
    if (kind > 1) return Buffer.from(`n${below(40)}`);
    // Any bytes but "/" and NUL.
    return Buffer.from(Array.from({ length: 1 + below(6) }, () => [1 + below(46), 48 + below(208)][below(2)] ?? 1));
  };
  const fill = (folder: Buffer, depth: number): void => {
    for (let count = below(7); count > 0; count--) {
      const name = newName();
      if (['.', '..', '.snapignore'].includes(name.toString())) continue;
      const path = Buffer.concat([folder, Buffer.from('/'), name]);
      if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) continue;
      make(path, depth);
    }
  };
  const make = (path: Buffer, depth: number): void => {
    const kind = below(8);
    const source = files[below(files.length)];
    if (kind < 2 && depth > 0) {
      mkdirSync(path);
      fill(path, depth - 1);
      chmodSync(path, [0o755, 0o700, 0o1777][below(3)] ?? 0o755);
    } else if (kind === 2) symlinkSync(Buffer.concat([Buffer.from('t/'), newName()]), path);
    else if (kind === 3 && source !== undefined) linkSync(source, path);
    else {
      if (kind === 4) makeSparse(path, 200_000 + below(2_000_000));
      else writeFileSync(path, noise([0, 1, 300, 65_536, 65_537, 400_000][below(6)] ?? 9, 1 + below(50)));
      chmodSync(path, [0o644, 0o600, 0o755, 0o4755, 0o444][below(5)] ?? 0o644);
      files.push(path);
    }
    // Times that a double holds exactly: before 1970, long ago, far ahead.
    const stat = lstatSync(path);
    const time = ([-1000, 0, 1e9, 1.79e9, 4e9][below(5)] ?? 0) + below(8) / 8;
    if (!stat.isSymbolicLink()) utimesSync(path, time, time);
  };
  for (const name of readdirSync(root, { encoding: 'buffer' }))
    if (name.toString() !== '.snap') rmSync(Buffer.concat([Buffer.from(`${root}/`), name]), { recursive: true });
  fill(Buffer.from(root), 3);
}

function makeSparse(path: Buffer, length: number): void {
  const fd = openSync(path, 'w');
  ftruncateSync(fd, length);
  writeSync(fd, 'island', Math.floor(length / 2));
  closeSync(fd);
}
