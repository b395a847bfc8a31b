/** A copy of a workspace's folder, of which the store lies elsewhere: one HEAD must not become that of two folders. */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../kit/folder.ts';
import { json, ok, snap } from '../kit/snap.ts';

let folder: ReturnType<typeof temporaryFolder>;
let first: string;
let copy: string;
beforeEach(() => {
  folder = temporaryFolder();
  first = join(folder.path, 'first');
  copy = join(folder.path, 'copy');
  mkdirSync(first);
  ok(['init', '--store', '../st'], { cwd: first });
  commit(first, 'one');
  execFileSync('cp', ['-a', first, copy]);
});
afterEach(() => folder.remove());

function commit(root: string, content: string): string {
  writeFileSync(join(root, 'a'), content);
  ok(['commit', '-m', content], { cwd: root });
  return headOf(root);
}
const headOf = (root: string): string => readFileSync(join(root, '.snap/HEAD'), 'utf8').slice(0, 64);
const placeOf = (root: string): unknown => JSON.parse(readFileSync(join(root, '.snap/place'), 'utf8')).root;
const entries = (): number => readdirSync(join(folder.path, 'st/journal')).length;

test('it is read, and changes nothing', { timeout: 60_000 }, () => {
  const head = headOf(copy);
  const two = commit(first, 'two');
  const before = entries();
  const packs = readdirSync(join(folder.path, 'st/packs'), { recursive: true }).length;
  writeFileSync(join(copy, 'a'), 'mine');
  for (const args of [
    ['commit', '-m', 'x'],
    ['tag', 'v1'],
    ['checkout', two],
    ['undo'],
    ['gc'],
    ['gc', '--keep-last', '1'],
    ['repair'],
  ]) {
    const ran = snap(args, { cwd: copy });
    expect(ran.code, args.join(' ')).toBe(1);
    expect(ran.stderr).toContain(`${copy} is a copy of the workspace ${first}`);
    expect(ran.stderr).toContain('snap init --separate');
  }
  expect(entries()).toBe(before);
  expect(readdirSync(join(folder.path, 'st/packs'), { recursive: true })).toHaveLength(packs);
  expect(ok(['cat', `${two}:a`], { cwd: copy })).toBe('two');
  expect(ok(['cat', 'HEAD:a'], { cwd: copy })).toBe('one');
  ok(['status'], { cwd: copy });
  ok(['verify'], { cwd: copy });
  expect(headOf(copy), 'the commits of the other one do not move its HEAD').toBe(head);
  expect(headOf(first)).toBe(two);
});

describe('made a workspace of its own', () => {
  beforeEach(() => {
    commit(first, 'two');
    expect(json(['init', '--separate', '--name', 'other'], { cwd: copy })).toMatchObject({
      root: copy,
      separate: true,
    });
  });

  test('it has its own HEAD, and gc of the other one keeps it', { timeout: 60_000 }, () => {
    expect(ok(['cat', 'HEAD:a'], { cwd: copy })).toBe('one');
    ok(['gc', '--all', '--keep-last', '1', '--now'], { cwd: first });
    expect(ok(['cat', 'HEAD:a'], { cwd: copy })).toBe('one');
    const mine = commit(copy, 'mine');
    const three = commit(first, 'three');
    expect([headOf(first), headOf(copy)]).toEqual([three, mine]);
    ok(['verify', '--data'], { cwd: copy });
    expect(ok(['config', 'get', 'workspace.name'], { cwd: copy })).toContain('other');
    expect(ok(['config', 'get', 'workspace.name'], { cwd: first })).not.toContain('other');
  });

  test('its index and HEAD may be lost', () => {
    rmSync(join(copy, '.snap/HEAD'));
    rmSync(join(copy, '.snap/index'), { recursive: true });
    expect(ok(['cat', 'HEAD:a'], { cwd: copy })).toBe('one');
  });
});

test('made one without a name it has that of its folder, and log says whose snapshot HEAD is', () => {
  const separated = json(['init', '--separate'], { cwd: copy });
  expect(separated).toMatchObject({ name: 'copy' });
  const { stdout, stderr } = snap(['log'], { cwd: copy });
  expect(stdout).toBe('');
  expect(stderr).toContain(`made no snapshot yet; HEAD is at ${headOf(first).slice(0, 10)} of workspace first`);
  expect(ok(['log', 'HEAD', '--oneline'], { cwd: copy })).toContain('one');
  commit(copy, 'mine');
  const all = ok(['log', '--all'], { cwd: first });
  expect(all).toContain('[copy]');
  expect(all).toContain('[first]');
});

test('made one in a folder of the same name it gets another name', () => {
  const beside = join(folder.path, 'beside/first');
  mkdirSync(join(folder.path, 'beside'));
  renameSync(copy, beside);
  ok(['config', 'set', 'store.path', join(folder.path, 'st')], { cwd: beside });
  expect(json(['init', '--separate'], { cwd: beside })).toMatchObject({ name: 'first-2' });
  expect(ok(['config', 'get', 'workspace.name'], { cwd: beside }).trim()).toBe('first-2');
});

test('a folder that was moved, or of which the first is gone, goes on and notes its new place', () => {
  rmSync(copy, { recursive: true });
  renameSync(first, copy);
  commit(copy, 'two');
  expect(placeOf(copy)).toBe(copy);
  // Another folder where it was.
  mkdirSync(first);
  ok(['init', '--store', '../st'], { cwd: first });
  const back = join(folder.path, 'back');
  renameSync(copy, back);
  commit(back, 'three');
  commit(first, 'other');
  expect(placeOf(back)).toBe(back);
});

test('of two, the one that was moved away is the copy', () => {
  const moved = join(folder.path, 'moved');
  renameSync(first, moved);
  renameSync(copy, first);
  expect(snap(['commit', '-m', 'x'], { cwd: moved }).code).toBe(1);
  commit(first, 'two');
});

test('a link that leads to the folder is the folder', () => {
  const link = join(folder.path, 'link');
  symlinkSync(first, link);
  commit(link, 'two');
  commit(first, 'three');
  expect(placeOf(first)).toBe(first);
});

test('a copy with a store of its own is a workspace as any other', () => {
  cpSync(join(folder.path, 'st'), join(folder.path, 'st2'), { recursive: true });
  ok(['config', 'set', 'store.path', '../st2'], { cwd: copy });
  commit(copy, 'mine');
  const own = join(folder.path, 'own');
  mkdirSync(own);
  ok(['init'], { cwd: own });
  expect(existsSync(join(own, '.snap/place'))).toBe(false);
  execFileSync('cp', ['-a', own, `${own}2`]);
  commit(own, 'x');
  commit(`${own}2`, 'y');
  expect(snap(['init', '--separate'], { cwd: own }).code).toBe(1);
});

test.each(['', 'x', '{"format":1}'])('a place that cannot be read (%j) is noted anew', (text) => {
  writeFileSync(join(first, '.snap/place'), text);
  commit(first, 'two');
  expect(placeOf(first)).toBe(first);
});
