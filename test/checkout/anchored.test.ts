/** Folders entered from open descriptors: the right ones, whatever way was gone, and at a cost that grows with the way. */
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Target } from '../../src/checkout/target.ts';
import { AnchoredFolder } from '../../src/disk/anchored-folder.ts';
import { OPEN, realDisk } from '../../src/disk/disk.ts';
import { processEnvironment } from '../../src/environment.ts';
import { randomFrom, SEED } from '../kit/amount.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'snap-anchored-'));
});
afterEach(() => rmSync(root, { recursive: true }));

test('any way through folders, some of which are missing, files or links, ends where the path says', () => {
  const deep = Array.from({ length: 150 }, (_, i) => `d${i % 3}`);
  const folders = [
    '',
    'a',
    'ab',
    'a/b',
    'a/b/c',
    'ab/b',
    'x',
    'x/y',
    ...[1, 63, 64, 65, 66, 100, 128, 150].map((n) => deep.slice(0, n).join('/')),
  ];
  for (const folder of folders) mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, 'a/file'), '');
  symlinkSync('../x', join(root, 'a/link'));
  const refused = ['a/file', 'a/file/b', 'a/link', 'a/link/y', 'missing', 'a/b/missing/c', `${deep.join('/')}/missing`];
  const fd = realDisk.open(root, OPEN.folder);
  const anchor = new AnchoredFolder(realDisk, fd, root);
  const random = randomFrom(SEED);
  for (let step = 0; step < 3000; step++) {
    const all = random() < 0.2 ? refused : folders;
    const path = all[Math.floor(random() * all.length)] ?? '';
    const what = `SNAP_SEED=${SEED} step ${step}: "${path}"`;
    if (all === refused) expect(() => anchor.enter(path), what).toThrow();
    else expect(statSync(`${anchor.enter(path)}/.`).ino, what).toBe(statSync(join(root, path)).ino);
  }
  anchor.close();
  realDisk.close(fd);
});

test('a deep folder is made and removed with a few calls for each level', () => {
  let opened = 0;
  const disk: typeof realDisk = {
    ...realDisk,
    open: (...args) => {
      opened++;
      return realDisk.open(...args);
    },
  };
  mkdirSync(join(root, 'tmp'));
  const target = new Target({ ...processEnvironment('test'), disk }, root, join(root, 'tmp'));
  const paths = Array.from({ length: 500 }, (_, i) => Array.from({ length: i + 1 }, () => 'd').join('/'));
  for (const path of paths) target.makeFolder(path);
  for (const path of paths.toReversed()) expect(target.removeFolder(path)).toBe(true);
  // A file in the place of a folder that was there before.
  writeFileSync(join(root, 'd'), '');
  expect(() => target.makeFolder('d/e')).toThrow();
  target.close();
  expect(opened).toBeLessThan(6 * paths.length);
});
