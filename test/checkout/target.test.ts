/** The folder that a checkout writes into: who owns what is in it, what may not be written, and what cannot be removed. */
import {
  chmodSync,
  chownSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { markOf } from '../../src/checkout/interrupted.ts';
import { processEnvironment } from '../../src/environment.ts';
import { beginSession } from '../../src/repo/session.ts';
import { pictureOf } from '../kit/crash/stage.ts';
import { fingerprint, noise } from '../kit/folder.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { makeSmallWorkspace, scratchFolder } from '../kit/small-workspace.ts';
import { failingDisk } from './disks.ts';

const NOBODY = 65_534;
const isRoot = process.geteuid?.() === 0;
const scratch = scratchFolder();
let made: SmallWorkspace;
let serial = 0;
let to: string;
const at = (path: string): string => join(made.root, path);
const open = async (): Promise<void> => {
  made = await makeSmallWorkspace(join(scratch, `work-${++serial}`));
  to = `${made.root}-out`;
};
beforeEach(open);
afterEach(() => made.close());
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe.runIf(isRoot)('the superuser gives back owners', () => {
  const owners = (folder: string): Record<string, number[]> =>
    Object.fromEntries(
      ['d', 'd/f', 'large', 'link', 'mine'].map((name) => {
        const { uid, gid } = lstatSync(join(folder, name));
        return [name, [uid, gid]];
      }),
    );
  beforeEach(async () => {
    made.write('d/f', 'f');
    made.write('large', noise(9_000_000, 3));
    made.write('mine', 'mine');
    symlinkSync('d', at('link'));
    for (const [name, id] of [
      ['d', 1001],
      ['d/f', 1002],
      ['large', 1003],
    ] as const)
      chownSync(at(name), id, id + 10);
    lchownSync(at('link'), 1004, 1014);
    await made.commit('first');
  });
  const wanted = { d: [1001, 1011], 'd/f': [1002, 1012], large: [1003, 1013], link: [1004, 1014], mine: [0, 0] };

  test('of what it writes elsewhere', async () => {
    await checkout(made.workspace, { revision: 'HEAD', to });
    expect(owners(to)).toEqual(wanted);
  });

  test('in place, where nothing but owner, mode and time differs', async () => {
    const inode = lstatSync(at('large')).ino;
    for (const name of ['d', 'd/f', 'large']) chownSync(at(name), 0, 0);
    lchownSync(at('link'), 0, 0);
    lutimesSync(at('link'), 1, 1);
    await made.commit('all is mine');
    await checkout(made.workspace, { revision: 'HEAD~1' });
    expect(owners(made.root)).toEqual(wanted);
    expect(lstatSync(at('large')).ino).toBe(inode);
    expect(pictureOf(made.root)).toEqual(made.pictures.get(made.workspace.repository.head().snapshot ?? ('' as never)));
  });
});

describe('an ordinary user', () => {
  /** Acts as one from here on, in a folder of its own. */
  const become = async (): Promise<void> => {
    await made.close();
    chmodSync(scratch, 0o777);
    if (isRoot) {
      process.setegid?.(NOBODY);
      process.seteuid?.(NOBODY);
    }
    await open();
  };
  beforeEach(become);
  afterEach(() => {
    if (!isRoot) return;
    process.seteuid?.(0);
    process.setegid?.(0);
  });

  test('gets back what is in folders that may not be written', async () => {
    made.write('d/e/f', 'one');
    symlinkSync('f', at('d/e/link'));
    for (const name of ['d/e', 'd']) chmodSync(at(name), 0o555);
    const first = await made.commit('first');
    for (const name of ['d', 'd/e']) chmodSync(at(name), 0o755);
    made.write('d/e/f', 'two, longer');
    made.write('d/e/g', 'goes');
    lutimesSync(at('d/e/link'), 1, 1);
    for (const name of ['d/e', 'd']) chmodSync(at(name), 0o555);
    const second = await made.commit('second');
    for (const id of [first, second]) {
      expect((await checkout(made.workspace, { revision: id })).failures).toEqual([]);
      expect(pictureOf(made.root)).toEqual(made.pictures.get(id));
      expect(['d', 'd/e'].map((name) => lstatSync(at(name)).mode & 0o777)).toEqual([0o555, 0o555]);
    }
    expect((await checkout(made.workspace, { revision: first, to })).failures).toEqual([]);
    expect(readFileSync(join(to, 'd/e/f'), 'utf8')).toBe('one');
    for (const folder of [made.root, to]) for (const name of ['d', 'd/e']) chmodSync(join(folder, name), 0o755);
  });

  test('is told of a folder that is not theirs to look into, and gets the rest', async () => {
    made.write('closed/f', 'f');
    made.write('open/f', 'f');
    await made.commit('first');
    mkdirSync(join(to, 'closed'), { recursive: true });
    await made.reopen({ disk: failingDisk('open', /\/closed$/, 'EACCES') });
    const { failures } = await checkout(made.workspace, { revision: 'HEAD', to, force: true });
    expect(failures.map(({ path, code }) => [path, code])).toEqual(
      expect.arrayContaining([['closed/f', 'permission']]),
    );
    expect(readFileSync(join(to, 'open/f'), 'utf8')).toBe('f');
  });
});

describe('what a checkout that was cut short left', () => {
  const TOKEN = '0'.repeat(32);
  const LEFT = `.snap-checkout-${TOKEN}`;
  const LEFT_IN_IT = [`${TOKEN}-half`, `${TOKEN}-mark`];
  beforeEach(async () => {
    made.write('f', 'f');
    const id = await made.commit('first');
    const { config, trees } = made.workspace.repository;
    mkdirSync(join(to, LEFT), { recursive: true });
    writeFileSync(join(to, LEFT, `${TOKEN}-half`), 'half');
    writeFileSync(join(to, LEFT, `${TOKEN}-mark`), markOf(config.id, (await trees.snapshot(id)).tree));
    writeFileSync(join(to, 'f'), 'f');
  });

  test('is not taken over while that may still be at work', async () => {
    const other = beginSession(processEnvironment('another'), made.workspace.repository.backend);
    await expect(checkout(made.workspace, { revision: 'HEAD', to })).rejects.toMatchObject({ code: 'refused' });
    expect(readdirSync(join(to, LEFT)).sort()).toEqual(LEFT_IN_IT);
    other.end();
    await checkout(made.workspace, { revision: 'HEAD', to });
    expect(readdirSync(to).sort()).toEqual(['.snapignore', 'f']);
  });

  test('is not removed where somebody keeps something in it', async () => {
    mkdirSync(join(to, LEFT, 'mine'));
    writeFileSync(join(to, LEFT, 'mine/f'), 'mine');
    await expect(checkout(made.workspace, { revision: 'HEAD', to })).rejects.toMatchObject({ code: 'refused' });
    await checkout(made.workspace, { revision: 'HEAD', to, force: true });
    expect(readFileSync(join(to, LEFT, 'mine/f'), 'utf8')).toBe('mine');
  });

  test('is no folder but a link: neither followed nor removed', async () => {
    const elsewhere = join(scratch, `elsewhere-${serial}`);
    renameSync(join(to, LEFT), elsewhere);
    symlinkSync(elsewhere, join(to, LEFT));
    await checkout(made.workspace, { revision: 'HEAD', to, force: true });
    expect(readdirSync(elsewhere).sort()).toEqual(LEFT_IN_IT);
    expect(lstatSync(join(to, LEFT)).isSymbolicLink()).toBe(true);
  });

  test('that may not be read stops the next one', async () => {
    await made.reopen({ disk: failingDisk('open', new RegExp(`/${LEFT}$`), 'EACCES') });
    await expect(checkout(made.workspace, { revision: 'HEAD', to })).rejects.toMatchObject({ code: 'permission' });
    expect(readdirSync(join(to, LEFT)).sort()).toEqual(LEFT_IN_IT);
  });
});

test('a folder of temporary files that cannot be removed is reported, and all files are there', async () => {
  made.write('f', 'f');
  await made.commit('first');
  await made.reopen({ disk: failingDisk('removeFolder', /\.snap-checkout-[0-9a-f]{32}$/, 'EBUSY') });
  const { failures } = await checkout(made.workspace, { revision: 'HEAD', to });
  expect(failures).toMatchObject([{ path: to, code: 'io' }]);
  expect(readFileSync(join(to, 'f'), 'utf8')).toBe('f');
  // The next one removes it.
  await made.reopen();
  expect((await checkout(made.workspace, { revision: 'HEAD', to, force: true })).failures).toEqual([]);
  expect(readdirSync(to).sort()).toEqual(['.snapignore', 'f']);
});

test('a folder that cannot be removed is reported, and the rest goes on', async () => {
  made.write('stays', 'one');
  const first = await made.commit('first');
  made.write('stays', 'two');
  made.write('busy/f', 'f');
  await made.commit('second');
  await made.reopen({ disk: failingDisk('removeFolder', /\/busy$/, 'EIO') });
  const { failures } = await checkout(made.workspace, { revision: first });
  expect(failures).toMatchObject([{ path: 'busy', code: 'io' }]);
  expect(readFileSync(at('stays'), 'utf8')).toBe('one');
});

test('an entry that cannot be looked at is a failure, never taken for nothing', async () => {
  made.write('f', 'one');
  const first = await made.commit('first');
  made.write('f', 'two');
  await made.commit('second');
  await made.reopen({ disk: failingDisk('lstat', /^\/proc\/self\/fd\/\d+\/f$/, 'EIO') });
  await expect(checkout(made.workspace, { revision: first, overwrite: 'if-newer' })).resolves.toMatchObject({
    failures: [{ path: 'f', code: 'io' }],
  });
  expect(readFileSync(at('f'), 'utf8')).toBe('two');
});

test('names of one file that are there already stay one file, and no other name is left', async () => {
  made.write('a', 'shared');
  linkSync(at('a'), at('b'));
  await made.commit('first');
  await checkout(made.workspace, { revision: 'HEAD', to });
  const wanted = fingerprint(to);
  rmSync(join(to, 'a'));
  linkSync(join(to, 'b'), join(to, 'a'));
  await checkout(made.workspace, { revision: 'HEAD', to, force: true });
  expect(fingerprint(to)).toEqual(wanted);
  expect(lstatSync(join(to, 'a')).nlink).toBe(2);
});
