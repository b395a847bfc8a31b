/** What a checkout would do: parts of a folder, what stays, and what stands in the way. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout, planCheckout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { status } from '../../src/api/history.ts';
import { undo } from '../../src/api/undo.ts';
import { verify } from '../../src/api/verify.ts';
import { BLOB_KIND, blobIdOf } from '../../src/object/blob-id.ts';
import { encodeTree } from '../../src/object/tree.ts';
import { readOperations } from '../../src/repo/operation-log.ts';
import type { CraftedBlob } from '../danger/crafted.ts';
import { fileEntry, publishTree } from '../danger/crafted.ts';
import { pictureOf } from '../kit/crash/stage.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { makeSmallWorkspace, scratchFolder } from '../kit/small-workspace.ts';

const scratch = scratchFolder();
let made: SmallWorkspace;
let serial = 0;
const at = (path: string): string => join(made.root, path);
const read = (path: string): string => readFileSync(at(path), 'utf8');
beforeEach(async () => {
  made = await makeSmallWorkspace(join(scratch, `work-${++serial}`));
});
afterEach(() => made.close());
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test('the snapshot that is there already changes nothing and is no operation', async () => {
  made.write('f', 'f');
  await made.commit('first');
  expect(await checkout(made.workspace, { revision: 'HEAD' })).toMatchObject({ written: 0, removed: 0, folders: [] });
  expect(await readOperations(made.workspace.repository)).toEqual([]);
});

describe('parts of a snapshot', () => {
  test('come back alone: what is beside and above them stays as it is', async () => {
    for (const name of ['a/b/c', 'a/b/beside', 'a/beside']) made.write(name, 'one');
    const first = await made.commit('first');
    for (const name of ['a/b/c', 'a/b/beside', 'a/beside']) made.write(name, 'two');
    for (const name of ['a', 'a/b']) utimesSync(at(name), 1_500_000_000, 1_500_000_000);
    await made.commit('second');
    await checkout(made.workspace, { revision: first, paths: ['a/b/c'] });
    expect(['a/b/c', 'a/b/beside', 'a/beside'].map(read)).toEqual(['one', 'two', 'two']);
    expect(lstatSync(at('a')).mtimeMs).toBe(1_500_000_000_000);
    expect((await status(made.workspace)).differs).toBe(true);
    await undo(made.workspace);
    expect(read('a/b/c')).toBe('two');
    expect((await status(made.workspace)).differs).toBe(false);
  });

  test('are taken away again by undo, and nothing beside them', async () => {
    for (const name of ['d/x', 'd/sub/y']) made.write(name, 'one');
    const first = await made.commit('first');
    rmSync(at('d'), { recursive: true });
    made.write('other', '');
    await made.commit('second');
    await checkout(made.workspace, { revision: first, paths: ['d/x', 'd/sub/y'] });
    made.write('d/mine', 'mine');
    made.write('d/sub/mine', 'mine');
    await undo(made.workspace);
    expect([existsSync(at('d/x')), existsSync(at('d/sub/y'))]).toEqual([false, false]);
    expect([read('d/mine'), read('d/sub/mine')]).toEqual(['mine', 'mine']);
  });

  test('of a folder are refused where a file stands in its place', async () => {
    made.write('d/x', 'one');
    const first = await made.commit('first');
    rmSync(at('d'), { recursive: true });
    made.write('d', 'a file');
    await made.commit('second');
    const error = checkout(made.workspace, { revision: first, paths: ['d/x'] });
    await expect(error).rejects.toMatchObject({ code: 'refused', context: { blocked: [{ path: 'd' }] } });
    expect(read('d')).toBe('a file');
  });
});

test('with --no-delete what the snapshot does not have stays', async () => {
  made.write('f', 'one');
  const first = await made.commit('first');
  made.write('f', 'two');
  made.write('g', 'extra');
  made.write('d/h', 'extra');
  await made.commit('second');
  expect(await checkout(made.workspace, { revision: first, keepExtra: true })).toMatchObject({
    removed: 0,
    written: 1,
  });
  expect(['f', 'g', 'd/h'].map(read)).toEqual(['one', 'extra', 'extra']);
});

describe('a folder that holds the store', () => {
  /** The store of this workspace moves to `path`, by the settings. */
  const moveStore = async (path: string): Promise<void> => {
    await made.workspace.close();
    mkdirSync(join(at(path), '..'), { recursive: true });
    renameSync(made.store, at(path));
    const config = at('.snap/config.toml');
    writeFileSync(config, readFileSync(config, 'utf8').replace('.snap/store', path));
    await made.reopen();
  };

  test('is not replaced by a file, although no snapshot knows the store', async () => {
    made.write('d', 'a file');
    const first = await made.commit('first');
    rmSync(at('d'));
    made.write('d/store/old', 'a file where the store is going to be');
    made.write('d/x', 'x');
    await made.commit('second');
    rmSync(at('d/store'), { recursive: true });
    await moveStore('d/store');
    await expect(checkout(made.workspace, { revision: first })).rejects.toMatchObject({ code: 'refused' });
    expect(read('d/x')).toBe('x');
    expect((await verify(made.workspace, { data: true })).faultCount).toBe(0);
  });

  test('gives back parts of what is beside it, and nothing into it', async () => {
    made.write('d/store/packs/old', 'a file where the store is going to be');
    made.write('d/x', 'one');
    const first = await made.commit('first');
    rmSync(at('d/store'), { recursive: true });
    made.write('d/x', 'two');
    await made.commit('second');
    await moveStore('d/store');
    await checkout(made.workspace, { revision: first, paths: ['d/x', 'd/store/packs/old'] });
    expect([read('d/x'), existsSync(at('d/store/packs/old'))]).toEqual(['one', false]);
    expect((await verify(made.workspace, { data: true })).faultCount).toBe(0);
  });
});

describe('in the way', () => {
  test('is no link that leads where the snapshot says, only one that leads elsewhere', async () => {
    for (const name of ['same', 'other']) symlinkSync('target', at(name));
    const first = await made.commit('first');
    made.write('.snapignore', 'same\nother\n');
    rmSync(at('other'));
    symlinkSync('elsewhere', at('other'));
    await made.commit('second');
    expect((await planCheckout(made.workspace, { revision: first })).blocked).toEqual([
      { path: 'other', reason: 'ignored by .snapignore:2: other' },
    ]);
    const before = pictureOf(made.root);
    await expect(checkout(made.workspace, { revision: first })).rejects.toMatchObject({ code: 'refused' });
    expect(pictureOf(made.root)).toEqual(before);
    rmSync(at('other'));
    const inode = lstatSync(at('same')).ino;
    await checkout(made.workspace, { revision: first });
    expect(pictureOf(made.root)).toEqual(made.pictures.get(first));
    expect(lstatSync(at('same')).ino).toBe(inode);
  });

  test('are many things: five are named in the message, all of them in its context', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'g'].map((name) => `data/${name}`);
    for (const name of names) made.write(name, 'one');
    const first = await made.commit('first');
    made.write('.snapignore', 'data/\n');
    await made.commit('second');
    for (const name of names) made.write(name, 'precious');
    const error = checkout(made.workspace, { revision: first });
    await expect(error).rejects.toMatchObject({ context: { blocked: names.map((path) => ({ path })) } });
    await expect(error).rejects.toThrow(
      /^6 things are in the way:\ndata\/a \(ignored by \.snapignore:1: data\/\)\n(data\/[bcde] .*\n){4}and 1 more$/,
    );
    for (const name of names) expect(read(name)).toBe('precious');
  });

  test('is whatever is ignored where the snapshot has a FIFO', async () => {
    execFileSync('mkfifo', [at('p')]);
    made.write('f', 'one');
    const { id: first = '' } = await commit(made.workspace, { message: 'first' });
    rmSync(at('p'));
    made.write('.snapignore', 'p\n');
    made.write('f', 'two');
    await made.commit('second');
    made.write('p', 'precious');
    await expect(checkout(made.workspace, { revision: first })).rejects.toMatchObject({
      context: { blocked: [{ path: 'p' }] },
    });
    expect([read('p'), read('f')]).toEqual(['precious', 'two']);
  });
});

test('what changes its kind, back and forth, is what the snapshot says each time', async () => {
  made.write('file to folder', 'file');
  made.write('file to link', 'file');
  made.write('folder to file/in/deep', 'deep');
  made.write('folder to file/f', 'f');
  made.write('folder to link/f', 'f');
  symlinkSync('nowhere', at('link to folder'));
  const one = await made.commit('one');
  for (const name of readdirSync(made.root)) if (/ to /.test(name)) rmSync(at(name), { recursive: true });
  made.write('file to folder/in/deep', 'deep');
  symlinkSync('nowhere', at('file to link'));
  made.write('folder to file', 'file');
  symlinkSync('.', at('folder to link'));
  made.write('link to folder/f', 'f');
  const two = await made.commit('two');
  for (const id of [one, two, one, two]) {
    expect((await planCheckout(made.workspace, { revision: id })).blocked).toEqual([]);
    await checkout(made.workspace, { revision: id });
    expect(pictureOf(made.root)).toEqual(made.pictures.get(id));
  }
});

test('a FIFO is made', async () => {
  execFileSync('mkfifo', [at('pipe')]);
  made.write('f', 'f');
  await commit(made.workspace, { message: 'first' });
  const to = `${made.root}-out`;
  expect((await checkout(made.workspace, { revision: 'HEAD', to })).notMade).toEqual([]);
  expect(readdirSync(to).sort()).toEqual(['.snapignore', 'f', 'pipe']);
});

test('names of one file that become two files, and one again, are what the snapshot says each time', async () => {
  made.write('a', 'same bytes');
  linkSync(at('a'), at('b'));
  const one = await made.commit('one file');
  rmSync(at('b'));
  made.write('b', 'same bytes');
  const two = await made.commit('two files');
  for (const [id, links] of [
    [one, 2],
    [two, 1],
    [one, 2],
  ] as const) {
    await checkout(made.workspace, { revision: id });
    expect(lstatSync(at('a')).nlink).toBe(links);
  }
});

describe('the rules of the snapshot to come', () => {
  const PATTERN = '('.repeat(50_000);
  const publish = async (rules: string, stored: boolean): Promise<string> => {
    const bytes = Buffer.from(rules);
    const tree = encodeTree([fileEntry('.snapignore', bytes)]);
    const blobs: CraftedBlob[] = [{ kind: BLOB_KIND.tree, bytes: tree }];
    if (stored) blobs.push({ kind: BLOB_KIND.data, bytes });
    return publishTree(made.workspace, blobs, blobIdOf(tree));
  };
  beforeEach(async () => {
    made.write('f', 'f');
    await made.commit('first');
  });

  test('that cannot be read stop the checkout before anything is removed', async () => {
    const id = await publish('f\n', false);
    await expect(checkout(made.workspace, { revision: id })).rejects.toMatchObject({ code: 'corrupt-data' });
    expect(read('f')).toBe('f');
  });

  test('that no version of snap can use leave nothing out', async () => {
    const id = await publish(`${PATTERN}\n`, true);
    await checkout(made.workspace, { revision: id });
    expect(readdirSync(made.root).sort()).toEqual(['.snap', '.snapignore']);
  });
});

test('a dry run names the folders that stay since something is in them that no snapshot has', async () => {
  made.write('stays', '');
  const first = await made.commit('first');
  for (const name of ['notes/deep/f', 'ignored/f', 'goes/deep/f']) made.write(name, '');
  made.write('.snapignore', '*.log\n');
  await made.commit('second');
  made.write('notes/deep/.SNAP', 'a name that no snapshot can hold');
  made.write('ignored/x.log', '');
  const { steps } = await planCheckout(made.workspace, { revision: first });
  const folders = (kind: string): string[] => steps.filter((step) => step.kind === kind).map(({ path }) => path);
  expect(folders('keep')).toEqual(['ignored', 'notes/deep', 'notes']);
  expect(folders('remove-folder')).toEqual(['goes/deep', 'goes']);
  const { kept } = await checkout(made.workspace, { revision: first });
  expect(kept).toEqual(folders('keep'));
  expect(readdirSync(at('')).sort()).toEqual(['.snap', '.snapignore', 'ignored', 'notes', 'stays']);
});
