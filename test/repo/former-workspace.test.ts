/** A workspace whose config.toml was lost, of a store that lies elsewhere: it must not become a new one by the way. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { temporaryFolder } from '../kit/folder.ts';
import { json, ok, snap } from '../kit/snap.ts';

let folder: ReturnType<typeof temporaryFolder>;
let root: string;
let store: string;
beforeEach(() => {
  folder = temporaryFolder();
  store = join(folder.path, 'st');
  root = make('work');
});
afterEach(() => folder.remove());

/** A workspace of the store with one snapshot. */
function make(name: string): string {
  const made = join(folder.path, name);
  mkdirSync(made);
  ok(['init', '--store', store], { cwd: made });
  commit(made, name);
  return made;
}
function commit(at: string, content: string): void {
  writeFileSync(join(at, 'a'), content);
  ok(['commit', '-m', content], { cwd: at });
}
const idOf = (at: string): string => ok(['config', 'get', 'workspace.id'], { cwd: at }).trim();
const headOf = (at: string): string => readFileSync(join(at, '.snap/HEAD'), 'utf8').slice(0, 64);
const lose = (...names: string[]): void => {
  for (const name of ['config.toml', ...names]) rmSync(join(root, '.snap', name));
};
/** What versions before the store and the id were noted have written. */
const agePlace = (): void => {
  writeFileSync(join(root, '.snap/place'), JSON.stringify({ format: 1, root }));
};

test('init without its store, or with another one, is refused and changes nothing', () => {
  make('other');
  lose();
  const { id } = JSON.parse(readFileSync(join(store, 'config.json'), 'utf8'));
  const before = readdirSync(join(root, '.snap'));
  mkdirSync(join(root, 'sub'));
  const status = snap(['status'], { cwd: join(root, 'sub') });
  expect(status.code).toBe(10);
  expect(status.stderr).toContain(`snap init ${root}`);
  const bare = snap(['init'], { cwd: root });
  expect(bare.code).toBe(1);
  expect(bare.stderr).toContain(`the store ${store} (id ${id})`);
  expect(bare.stderr).toContain(`snap init --store ${store}`);
  const elsewhere = join(folder.path, 'elsewhere');
  ok(['init', '--store', join(folder.path, 'st2'), elsewhere], { cwd: folder.path });
  for (const wrong of ['st2', 'st3']) {
    const ran = snap(['init', '--store', join(folder.path, wrong)], { cwd: root });
    expect(ran.code, wrong).toBe(1);
    expect(ran.stderr).toContain(`${join(folder.path, wrong)} is not the store ${store}`);
  }
  expect(existsSync(join(folder.path, 'st3'))).toBe(false);
  expect(readdirSync(join(root, '.snap'))).toEqual(before);
  rmSync(join(root, '.snap/place'));
  expect(snap(['init'], { cwd: root }).stderr).toContain('snap init --store <path>');
});

test.each([
  ['its place is noted', () => lose()],
  ['its HEAD is lost, too', () => lose('HEAD')],
  [
    'its place has no id yet',
    () => {
      agePlace();
      lose();
    },
  ],
  ['only HEAD is left', () => lose('place', 'store-config.json')],
])('init with its store makes it the workspace again that it was: %s', (_, damage) => {
  make('other');
  const [id, head] = [idOf(root), headOf(root)];
  damage();
  const said = ok(['init', '--store', store], { cwd: root });
  expect(said).toContain('its history is here again');
  expect(said).toContain('those that it had are lost');
  expect(said).toContain('Next: snap log');
  expect(idOf(root)).toBe(id);
  expect(ok(['log', '--oneline'], { cwd: root })).toContain('work');
  commit(root, 'two');
  expect(ok(['log', '--oneline'], { cwd: root }).trim().split('\n')).toHaveLength(2);
  ok(['undo'], { cwd: root });
  expect(headOf(root)).toBe(head);
});

test('one of several that it may have been gets a new id, keeps its HEAD, and gc keeps that', () => {
  const other = make('other');
  const head = headOf(root);
  ok(['checkout', head], { cwd: other });
  const ids = [idOf(root), idOf(other)];
  // Both have seen the same entry, as after many commits of others.
  const seen = readFileSync(join(other, '.snap/HEAD'));
  writeFileSync(join(root, '.snap/HEAD'), seen);
  agePlace();
  lose();
  expect(json(['init', '--store', store], { cwd: root })).toMatchObject({ joined: true, identity: 'unknown' });
  expect(ids).not.toContain(idOf(root));
  expect(ok(['status'], { cwd: root })).toContain(head.slice(0, 10));
  commit(other, 'three');
  ok(['gc', '--all', '--keep-last', '1', '--now'], { cwd: other });
  expect(ok(['cat', 'HEAD:a'], { cwd: root })).toBe('work');
});

test('a copy stays one', () => {
  const copy = join(folder.path, 'copy');
  execFileSync('cp', ['-a', root, copy]);
  rmSync(join(copy, '.snap/config.toml'));
  ok(['init', '--store', store], { cwd: copy });
  const ran = snap(['commit', '-m', 'x'], { cwd: copy });
  expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining(`is a copy of the workspace ${root}`)]);
});

test('a place of an earlier version is noted anew, once', () => {
  agePlace();
  ok(['status'], { cwd: root });
  const place = readFileSync(join(root, '.snap/place'), 'utf8');
  expect(JSON.parse(place)).toEqual({ format: 1, root, store, workspace: idOf(root) });
  const { ino } = statSync(join(root, '.snap/place'));
  ok(['status'], { cwd: root });
  expect(statSync(join(root, '.snap/place')).ino).toBe(ino);
});
