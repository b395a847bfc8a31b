/** Entries that are something else, or elsewhere, by the time they are read. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import type { CommitResult } from '../../src/commit/commit.ts';
import { realDisk } from '../../src/disk/disk.ts';
import type { TreeEntry } from '../../src/object/tree-entry.ts';
import { ENTRY_KIND } from '../../src/object/tree-entry.ts';
import { amount } from '../kit/amount.ts';
import { noise } from '../kit/folder.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';
import { commitOver, plainPath } from './crafted.ts';

const LONG = { timeout: amount({ sample: 60_000, ordinary: 240_000, long: 7_200_000 }) };
const GONE = 'it was removed or moved meanwhile';
const SECRET = 'secret of somebody else';

let made: TestWorkspace;
const at = (name: string): string => join(made.root, name);
const outside = (name = ''): string => join(made.root, '..', 'outside', name);
beforeEach(async () => {
  made = await makeWorkspace({ files: { a: 'alpha' } });
  fs.mkdirSync(outside());
  fs.writeFileSync(outside('file'), SECRET);
});
afterEach(() => made.cleanup());

/** Commits; once the walk has looked at `name`, `change` happens, before it is read or entered. */
async function commitWhile(name: string, change: () => void): Promise<CommitResult> {
  let done = false;
  await made.workspace.close();
  const disk = {
    ...realDisk,
    lstat: (path: string) => {
      const stat = realDisk.lstat(path);
      if (!done && stat !== undefined && plainPath(path) === at(name)) {
        done = true;
        change();
      }
      return stat;
    },
  };
  const result = await commitOver(made.root, disk);
  expect(done).toBe(true);
  await made.reopen();
  return result;
}

function entryOf({ snapshot }: CommitResult, path: string): Promise<TreeEntry | undefined> {
  return made.workspace.repository.trees.entryAt(snapshot?.tree ?? ('' as never), path.split('/'));
}

const { file, folder, symlink, fifo, socket } = ENTRY_KIND;
const AS: Record<string, (path: string) => void> = {
  'a file': (path) => fs.writeFileSync(path, 'another'),
  'a folder': (path) => fs.mkdirSync(path),
  'a link to a file elsewhere': (path) => fs.symlinkSync(outside('file'), path),
  'a link to a folder elsewhere': (path) => fs.symlinkSync(outside(), path),
  'a link to itself': (path) => fs.symlinkSync('victim', path),
  'a FIFO': (path) => execFileSync('mkfifo', [path]),
  'a socket': (path) =>
    execFileSync(process.execPath, [
      '-e',
      'require("net").createServer().listen(process.argv[1], () => process.exit())',
      path,
    ]),
};
const KINDS: [now: string, kind: number | undefined][] = [
  ['a file', file],
  ['a folder', undefined],
  ['a link to a file elsewhere', symlink],
  ['a link to a folder elsewhere', symlink],
  ['a link to itself', symlink],
  ['a FIFO', fifo],
  ['a socket', socket],
];
const WAS: [was: string, make: (path: string) => void][] = [
  ['a small file', (path) => fs.writeFileSync(path, 'small')],
  ['an empty file', (path) => fs.writeFileSync(path, '')],
  ['a large file', (path) => fs.writeFileSync(path, noise(5_000_000, 3))],
  ['a link', (path) => fs.symlinkSync('a', path)],
  [
    'a folder',
    (path) => {
      fs.mkdirSync(path);
      fs.writeFileSync(join(path, 'file'), 'inside');
    },
  ],
];

describe.each(amount({ sample: WAS.filter((_, i) => i === 0), ordinary: WAS, long: WAS }))('%s', (_was, make) => {
  test.each(
    amount({
      sample: KINDS.filter((_, i) => i === 1 || i === 5),
      ordinary: KINDS.filter((_, i) => i % 2 === 1 || i === 0),
      long: KINDS,
    }),
  )('that becomes %s before it is read is recorded as that, or named as left out', LONG, async (now, kind) => {
    make(at('victim'));
    for (const known of [false, true]) {
      fs.rmSync(at('victim'), { recursive: true });
      make(at('victim'));
      const result = await commitWhile('victim', () => {
        fs.rmSync(at('victim'), { recursive: true });
        AS[now]?.(at('victim'));
      });
      const found = await entryOf(result, 'victim');
      // Where a record made the walk look twice, or the kind is the same, the folder is what the walk saw.
      const leftOut = kind === undefined && found === undefined;
      if (kind === undefined) expect(found?.kind ?? folder, `known: ${known}`).toBe(folder);
      else expect(found?.kind, `known: ${known}`).toBe(kind);
      if (found?.kind === symlink) expect(found.target).toBe(fs.readlinkSync(at('victim')));
      if (found?.kind === file) expect(found.size).toBe('another'.length);
      const reason = 'a folder took its place meanwhile';
      expect(result.snapshot?.skipped).toEqual(leftOut ? [{ path: 'victim', reason }] : []);
      expect(await entryOf(result, 'victim/file')).toBeUndefined();
      // The next commit has it as it is, and the one after finds nothing new.
      await commit(made.workspace, { message: 'next' });
      const expected = fs.lstatSync(at('victim')).isDirectory() ? folder : kind;
      const head = await made.workspace.repository.trees.snapshot(made.workspace.repository.head().snapshot as never);
      expect((await made.workspace.repository.trees.entryAt(head.tree, ['victim']))?.kind).toBe(expected);
      expect((await commit(made.workspace, {})).id).toBeUndefined();
      fs.rmSync(at('victim'), { recursive: true });
      make(at('victim'));
      await made.commit('as it was');
    }
  });
});

test.each(['a', 'folder'])('%s that vanishes before it is read is named as left out', async (name) => {
  made.write('folder/inside', 'inside');
  const result = await commitWhile(name, () => made.remove(name));
  expect(await entryOf(result, name)).toBeUndefined();
  expect(result.snapshot?.skipped).toEqual([{ path: name, reason: GONE }]);
});

test('files of a folder that is moved where the walk has been are told, and the next commit has them', async () => {
  made.write('folder/one', 'one');
  made.write('folder/sub/two', 'two');
  fs.mkdirSync(at('before'));
  const result = await commitWhile('folder/sub', () => fs.renameSync(at('folder'), at('before/moved')));
  expect(result.snapshot?.skipped).toEqual(['folder/one', 'folder/sub/two'].map((path) => ({ path, reason: GONE })));
  expect(
    (await made.workspace.repository.trees.folder(result.snapshot?.tree as never)).map(({ name }) => name),
  ).toEqual(['.snapignore', 'a', 'before', 'folder']);
  const next = await commit(made.workspace, { message: 'next' });
  expect(await entryOf(next, 'before/moved/sub/two')).toBeDefined();
  expect(next.scan.skipped).toEqual([]);
});

test('a .snapignore that becomes a FIFO or a link before it is read is waited for by nobody and followed nowhere', async () => {
  fs.writeFileSync(outside('file'), 'kept\n');
  for (const now of ['a FIFO', 'a link to a file elsewhere']) {
    fs.rmSync(at('.snapignore'), { force: true });
    made.write('.snapignore', 'nothing\n');
    made.write('kept', now);
    const result = await commitWhile('.snapignore', () => {
      made.remove('.snapignore');
      AS[now]?.(at('.snapignore'));
    });
    expect((await entryOf(result, 'kept'))?.kind).toBe(file);
  }
});

test('of a file with several names one may vanish or be another file by then: the others are what they were', async () => {
  for (const [round, change] of [
    () => made.remove('links/1'),
    () => fs.renameSync(at('other'), at('links/1')),
    () => {
      made.remove('links/1');
      fs.symlinkSync('nowhere', at('links/1'));
    },
  ].entries()) {
    fs.rmSync(at('links'), { recursive: true, force: true });
    made.write('links/1', `one file ${round}`);
    made.write('other', `of another length ${round}`);
    fs.linkSync(at('links/1'), at('links/2'));
    fs.linkSync(at('links/1'), at('links/3'));
    const result = await commitWhile('links/3', change);
    await checkout(made.workspace, { revision: result.id ?? '', to: outside(`${round}`) });
    for (const name of ['links/2', 'links/3'])
      expect(fs.readFileSync(outside(`${round}/${name}`), 'utf8'), `change ${round}`).toBe(`one file ${round}`);
    expect(result.snapshot?.skipped.map(({ path }) => path)).toEqual([['links/1'], ['other'], []][round]);
    if (round === 1) expect(fs.readFileSync(outside('1/links/1'), 'utf8')).toBe('of another length 1');
  }
});
