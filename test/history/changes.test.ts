import { chmodSync, cpSync, renameSync, rmSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DiffSettings } from '../../src/api/diff.ts';
import { diff } from '../../src/api/diff.ts';
import { status } from '../../src/api/history.ts';
import type { Change } from '../../src/history/change.ts';
import { noise } from '../kit/folder.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';
import { collect } from './collect.ts';

let made: TestWorkspace;

beforeEach(async () => {
  made = await makeWorkspace();
});
afterEach(() => made.cleanup());

/** "R90 old -> new", "A dir/ (3)": as short as a test can read. */
function inShort({ kind, path, from, similarity, contained }: Change): string {
  const paths = from === undefined ? path : `${from} -> ${path}`;
  return `${kind}${similarity === undefined || similarity === 100 ? '' : ` ${similarity}%`} ${paths}${contained === undefined ? '' : ` (${contained.files})`}`;
}

async function changes(settings: DiffSettings = {}): Promise<string[]> {
  const result = await diff(made.workspace, settings);
  try {
    return (await collect(result.changes)).map(inShort);
  } finally {
    result.close();
  }
}

const at = (path: string): string => join(made.root, path);

test('every kind of change has its word, in the order of paths, against the live folder and between snapshots', async () => {
  for (const name of ['edited', 'gone', 'kept', 'mode', 'touched', 'type']) made.write(name, `${name}\n`);
  await made.commit('first');
  made.write('edited', 'other\n');
  made.remove('gone');
  chmodSync(at('mode'), 0o755);
  utimesSync(at('touched'), 1, 1);
  made.remove('type');
  symlinkSync('kept', at('type'));
  made.write('new/deep/file', '1');
  const expected = ['modified edited', 'removed gone', 'mode mode', 'added new/deep/file', 'type type'];
  expect(await changes()).toEqual(expected);
  expect(await changes({ metadata: true })).toContain('metadata touched');
  expect(await changes({ foldFolders: true })).toContain('added new (1)');
  await made.commit('second');
  expect(await changes()).toEqual([]);
  expect(await changes({ from: 'HEAD~1', to: 'HEAD' })).toEqual(expected);
  expect(await changes({ from: 'HEAD', to: 'HEAD~1' })).toEqual([
    'modified edited',
    'added gone',
    'mode mode',
    'removed new/deep/file',
    'type type',
  ]);
});

test('a file that becomes a folder is removed, and what is in the folder added; empty folders count', async () => {
  made.write('x', 'file');
  made.write('y/inside', 'folder');
  await made.commit('first');
  made.remove('x');
  made.write('x/inside', 'now below');
  made.remove('y');
  made.write('y', 'now a file');
  made.write('e/nothing', '');
  made.remove('e/nothing');
  expect(await changes()).toEqual(['added e (0)', 'removed x', 'added x/inside', 'removed y/inside', 'added y']);
});

test('renames: same content wins, the same name first; empty files never; --no-renames shows both sides', async () => {
  made.write('a/data.bin', noise(100_000, 1));
  made.write('b/other.bin', noise(100_000, 1));
  made.write('empty', '');
  await made.commit('first');
  renameSync(at('b/other.bin'), at('moved.bin'));
  made.write('c/data.bin', noise(100_000, 1));
  made.write('c/more', 'so that c is not a with another name');
  made.remove('a');
  renameSync(at('empty'), at('empty2'));
  expect(await changes()).toEqual([
    'renamed a/data.bin -> c/data.bin',
    'added c/more',
    'removed empty',
    'added empty2',
    'renamed b/other.bin -> moved.bin',
  ]);
  expect(await changes({ renames: false })).toEqual([
    'removed a/data.bin',
    'removed b/other.bin',
    'added c/data.bin',
    'added c/more',
    'removed empty',
    'added empty2',
    'added moved.bin',
  ]);
});

test('large files that moved and changed are found by the chunks they share, and only above half', async () => {
  const data = noise(3_000_000, 5);
  made.write('model.bin', data);
  made.write('half.bin', noise(3_000_000, 9));
  await made.commit('first');
  made.write('renamed.bin', Buffer.concat([Buffer.from('inserted'), data]));
  made.write('unlike.bin', Buffer.concat([noise(3_000_000, 9).subarray(0, 1_000_000), noise(3_000_000, 13)]));
  made.remove('model.bin');
  made.remove('half.bin');
  const found = await changes();
  expect(found).toHaveLength(3);
  expect(found[0]).toBe('removed half.bin');
  expect(found[1]).toMatch(/^renamed (8|9)\d% model\.bin -> renamed\.bin$/);
  expect(found[2]).toBe('added unlike.bin');
});

test('a folder that moved as a whole is one line where folders are folded: untouched, with new times, inside a new folder', async () => {
  for (const i of [1, 2, 3]) made.write(`lib/sub/${i}`, `content ${i}`);
  made.write('lib/top', 'top');
  made.write('keep', 'keep');
  await made.commit('first');
  renameSync(at('lib'), at('library'));
  const folded: DiffSettings = { foldFolders: true };
  expect(await changes(folded)).toEqual(['renamed lib -> library (4)']);
  made.write('new/x', 'x');
  renameSync(at('library'), at('new/lib'));
  expect(await changes(folded)).toEqual(['renamed lib -> new/lib (4)', 'added new/x']);
  cpSync(at('new/lib'), at('copied'), { recursive: true });
  rmSync(at('new'), { recursive: true });
  expect(await changes(folded)).toEqual(['renamed lib -> copied (4)']);
});

test('unless folders are folded, each file and empty folder of one that moved is named, and another mode of it', async () => {
  for (const path of ['lib/sub/1', 'lib/empty', 'lib/none/x']) made.write(path, path === 'lib/empty' ? '' : path);
  made.remove('lib/none/x');
  await made.commit('first');
  renameSync(at('lib'), at('a'));
  const moved = ['renamed lib/empty -> a/empty', 'renamed lib/none -> a/none (0)', 'renamed lib/sub/1 -> a/sub/1'];
  expect(await changes()).toEqual(moved);
  chmodSync(at('a'), 0o700);
  expect(await changes()).toEqual(['mode a', ...moved]);
  cpSync(at('a'), at('b'), { recursive: true });
  made.remove('a');
  expect(await changes({ metadata: true })).toContain('renamed lib/sub/1 -> b/sub/1');
});

test('a folder of which a part moved is not folded', async () => {
  for (const i of [1, 2, 3]) made.write(`lib/${i}`, `content ${i}`);
  await made.commit('first');
  for (const i of [1, 2]) made.write(`other/${i}`, `content ${i}`);
  made.remove('lib');
  for (const foldFolders of [false, true])
    expect(await changes({ foldFolders })).toEqual([
      'removed lib/3',
      'renamed lib/1 -> other/1',
      'renamed lib/2 -> other/2',
    ]);
  made.write('other/3', 'another third');
  expect(await changes()).toContain('renamed lib/1 -> other/1');
});

test('paths and globs: only what they name, also what is gone; an unknown one names its neighbours', async () => {
  made.write('src/a.txt', '1');
  made.write('src/b.js', '1');
  made.write('docs/a.txt', '1');
  await made.commit('first');
  made.write('src/a.txt', '2');
  made.write('src/b.js', '2');
  made.remove('docs');
  expect(await changes({ paths: ['src'] })).toEqual(['modified src/a.txt', 'modified src/b.js']);
  expect(await changes({ paths: ['**/*.txt'] })).toEqual(['removed docs/a.txt', 'modified src/a.txt']);
  expect(await changes({ paths: ['docs/a.txt', 'src/*.js'] })).toEqual(['removed docs/a.txt', 'modified src/b.js']);
  await expect(changes({ paths: ['src/a.tx'] })).rejects.toMatchObject({
    code: 'not-found',
    hint: expect.stringContaining('src/a.txt'),
  });
});

test('status says what a commit would do: clean if and only if nothing would be committed', async () => {
  const before = await status(made.workspace);
  expect(before.head).toBeUndefined();
  made.write('a', '1');
  const id = await made.commit('first');
  const clean = await status(made.workspace);
  expect([clean.head?.id, clean.differs, await collect(clean.changes)]).toEqual([id, false, []]);
  utimesSync(at('a'), 5, 5);
  const touched = await status(made.workspace);
  expect([touched.differs, (await collect(touched.changes)).map(inShort)]).toEqual([true, ['metadata a']]);
});

test('status lists what is ignored, with the rule of the file that decided', async () => {
  made.write('.snapignore', '# comment\n*.log\ncache/\n');
  made.write('sub/.snapignore', '!keep.log\n/own\n');
  for (const path of ['a.log', 'sub/keep.log', 'sub/own', 'cache/deep/x']) made.write(path, '1');
  const { ignored, changes: found } = await status(made.workspace, { ignored: true });
  expect(ignored.map(({ path, rule }) => `${path} ${rule}`)).toEqual([
    'a.log .snapignore:2: *.log',
    'cache/ .snapignore:3: cache/',
    'sub/own sub/.snapignore:2: /own',
  ]);
  expect((await collect(found)).map(inShort)).toContain('added sub/keep.log');
});
