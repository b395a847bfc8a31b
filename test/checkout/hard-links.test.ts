import fs from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { temporaryFolder } from '../kit/folder.ts';
import { ok } from '../kit/snap.ts';

let folder: { path: string; remove(): void };
let other: { path: string; remove(): void };
beforeEach(() => {
  folder = temporaryFolder();
  other = temporaryFolder();
});
afterEach(() => {
  folder.remove();
  other.remove();
});

function checkedOut(name: string | Buffer): string {
  const path = typeof name === 'string' ? Buffer.from(name) : name;
  return fs.readFileSync(Buffer.concat([Buffer.from(`${other.path}/o/`), path]), 'utf8');
}

test('files that got the same link key in two partial commits keep their own bytes', () => {
  const at = (name: string): string => `${folder.path}/${name}`;
  ok(['-C', folder.path, 'init']);
  fs.writeFileSync(at('x'), 'one');
  fs.linkSync(at('x'), at('y'));
  ok(['-C', folder.path, 'commit', '-m', '1']);
  fs.unlinkSync(at('x'));
  fs.writeFileSync(at('x'), 'TWO');
  fs.linkSync(at('x'), at('x2'));
  ok(['-C', folder.path, 'commit', 'x', 'x2', '-m', 'partial']);
  ok(['-C', folder.path, 'checkout', 'latest', '--to', `${other.path}/o`]);
  expect([checkedOut('x'), checkedOut('x2'), checkedOut('y')]).toEqual(['TWO', 'TWO', 'one']);
  expect(fs.statSync(`${other.path}/o/x`).ino).toBe(fs.statSync(`${other.path}/o/x2`).ino);
});

test('hard links whose first names differ only in bytes that are no UTF-8 stay apart', () => {
  const at = (...bytes: number[]): Buffer => Buffer.concat([Buffer.from(`${folder.path}/`), Buffer.of(...bytes)]);
  ok(['-C', folder.path, 'init']);
  fs.writeFileSync(at(0x66, 0xff), 'same');
  fs.linkSync(at(0x66, 0xff), at(0x67));
  fs.writeFileSync(at(0x66, 0xfe), 'same');
  fs.linkSync(at(0x66, 0xfe), at(0x68));
  ok(['-C', folder.path, 'commit', '-m', '1']);
  ok(['-C', folder.path, 'checkout', 'latest', '--to', `${other.path}/o`]);
  expect(fs.statSync(`${other.path}/o/g`).ino).not.toBe(fs.statSync(`${other.path}/o/h`).ino);
  expect(fs.statSync(`${other.path}/o/g`).nlink).toBe(2);
});

test('in place, a new name for a file joins the names that did not change', () => {
  const at = (name: string): string => `${folder.path}/${name}`;
  ok(['-C', folder.path, 'init']);
  fs.writeFileSync(at('a'), 'shared');
  fs.linkSync(at('a'), at('b'));
  fs.linkSync(at('a'), at('c'));
  ok(['-C', folder.path, 'commit', '-m', '1']);
  fs.unlinkSync(at('c'));
  fs.writeFileSync(at('c'), 'other');
  ok(['-C', folder.path, 'commit', '-m', '2']);
  ok(['-C', folder.path, 'checkout', 'HEAD~1']);
  expect(new Set(['a', 'b', 'c'].map((name) => fs.statSync(at(name)).ino)).size).toBe(1);
});
