/** A link in the place of a folder of a store: what it leads to is read, and never changed. */
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
import { amount } from '../kit/amount.ts';
import { temporaryFolder } from '../kit/folder.ts';
import { madeOnce } from '../kit/made-once.ts';
import { ok, snap } from '../kit/snap.ts';

const [makeVictim, makeEvil] = ['vic', 'evil'].map((text) =>
  madeOnce((root) => {
    writeFileSync(join(root, 'a'), text);
    ok(['init'], { cwd: root });
    ok(['commit', '-m', 'one'], { cwd: root });
  }),
) as [ReturnType<typeof madeOnce>, ReturnType<typeof madeOnce>];
let folder: ReturnType<typeof temporaryFolder>;
let vic: string;
let evil: string;
beforeEach(() => {
  folder = temporaryFolder();
  vic = join(folder.path, 'vic');
  evil = join(folder.path, 'evil');
  makeVictim(vic);
  makeEvil(evil);
});
afterEach(() => folder.remove());

/** All files below a folder, with their bytes. */
function filesIn(root: string): ReadonlyMap<string, string> {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
  return new Map(paths.map((path) => [path, readFileSync(path, 'latin1')]));
}

function link(name: string, to: string): string {
  const path = join(evil, '.snap/store', name);
  rmSync(path, { recursive: true, force: true });
  symlinkSync(to, path);
  return path;
}

const CHANGES: readonly (readonly string[])[] = [
  ['gc', '--now'],
  ['commit', '-m', 'two'],
  ['tag', 'v1'],
  ['repair'],
  ['repair', '--drop-damaged'],
  ['verify'],
  ['checkout', 'HEAD'],
  ['gc', '--dry-run'],
];

const NAMES = ['packs', 'locks/sessions', 'checkpoints', 'journal', 'locks', 'tmp', 'bases', 'quarantine'] as const;

describe.each(NAMES.slice(0, amount({ sample: 2, ordinary: 8, long: 8 })))('%s', (name) => {
  test('that leads into another store: nothing there is changed', { timeout: 60_000 }, () => {
    const target = join(vic, '.snap/store', name);
    mkdirSync(target, { recursive: true });
    // Of nobody who lives, and old: what gc would remove.
    for (const file of ['x.json', `${'0'.repeat(32)}.pack`, '000000000256.state', 'gc.x'])
      writeFileSync(join(target, file), 'precious');
    const before = filesIn(join(vic, '.snap/store'));
    const path = link(name, target);
    writeFileSync(join(evil, 'a'), 'two');
    const said = CHANGES.map((args) => snap(args, { cwd: evil }).stderr).join('');
    expect(filesIn(join(vic, '.snap/store'))).toEqual(before);
    expect(said).toContain(`${path} is a link: nothing is changed through it`);
    expect(said).not.toMatch(/ at .*\.[jt]s:/);
  });

  test('that leads to where it was moved: it is read, and a change is refused before it begins', {
    timeout: 60_000,
  }, () => {
    const own = join(evil, '.snap/store', name);
    const moved = join(folder.path, 'moved');
    mkdirSync(own, { recursive: true });
    renameSync(own, moved);
    symlinkSync(moved, own);
    expect(ok(['cat', 'HEAD:a'], { cwd: evil })).toBe('evil');
    expect(snap(['verify', '--data'], { cwd: evil })).toMatchObject({ code: 0 });
    writeFileSync(join(evil, 'a'), 'two');
    const before = filesIn(join(evil, '.snap/store'));
    // A commit without a session is safe; gc does not know who reads.
    const changes = name === 'locks/sessions' ? [['gc']] : [['commit', '-m', 'two'], ['gc']];
    for (const args of changes) {
      const ran = snap(args, { cwd: evil });
      expect(ran, args[0]).toMatchObject({ code: 1 });
      expect(ran.stderr).toContain(`${own} is a link`);
      expect(ran.stderr).toContain('store.path');
    }
    expect(filesIn(join(evil, '.snap/store'))).toEqual(before);
    rmSync(own);
    cpSync(moved, own, { recursive: true });
    ok(['commit', '-m', 'two'], { cwd: evil });
  });
});

test('a folder of packs in the place of which is a link: its packs are read, and no pack in it goes', () => {
  const packs = join(evil, '.snap/store/packs');
  const before = readdirSync(packs);
  writeFileSync(join(evil, 'a'), 'two');
  ok(['commit', '-m', 'two'], { cwd: evil });
  const moved = join(folder.path, 'moved');
  for (const digits of before) {
    cpSync(join(packs, digits), join(moved, digits), { recursive: true });
    rmSync(join(packs, digits), { recursive: true });
    symlinkSync(join(moved, digits), join(packs, digits));
  }
  const files = filesIn(moved);
  const ran = snap(['gc', '--now', '--keep-last', '1'], { cwd: evil });
  expect(ran.stderr).toContain(`${join(packs, before[0] ?? '')} is a link`);
  expect(ran.code).toBe(1);
  expect(filesIn(moved)).toEqual(files);
  expect(ok(['cat', 'HEAD:a'], { cwd: evil })).toBe('two');
});

test('a store that a link leads to is one as any other', () => {
  renameSync(join(evil, '.snap/store'), join(folder.path, 'elsewhere'));
  symlinkSync(join(folder.path, 'elsewhere'), join(evil, '.snap/store'));
  writeFileSync(join(evil, 'a'), 'two');
  ok(['commit', '-m', 'two'], { cwd: evil });
  ok(['gc'], { cwd: evil });
  ok(['verify', '--data'], { cwd: evil });
  expect(existsSync(join(folder.path, 'elsewhere/journal/000000000003.json'))).toBe(true);
});
