/** A workspace is found from anywhere in it, and opened with settings, a HEAD and disks that are not what they should be. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { tag } from '../../src/api/tag.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import { initWorkspace } from '../../src/api/workspace.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { isWithin, numberOfName, storeInside } from '../../src/repo/layout.ts';
import { findWorkspace } from '../../src/repo/repository.ts';
import { environmentWith, FailingDisk, openAt } from './failing-disk.ts';
import { newWorkspace } from './one-workspace.ts';

const { roots, failing, opened, at, open, close, headOf, headFile, commits } = newWorkspace();

let root: string;
beforeEach(() => {
  root = at('.');
});

describe('a workspace is found', () => {
  test('from anywhere below it, also from a file; the innermost counts', async () => {
    mkdirSync(at('a/b'), { recursive: true });
    writeFileSync(at('a/file'), '');
    for (const start of [root, at('a/b'), at('a/file'), at('a/not there yet'), at('.snap')])
      expect(findWorkspace(environmentWith(), start)).toBe(root);
    mkdirSync(at('a/.snap'));
    expect(findWorkspace(environmentWith(), at('a/b')), 'a .snap without settings is none').toBe(root);
    writeFileSync(at('a/.snap/config.toml'), '');
    expect(findWorkspace(environmentWith(), at('a/b'))).toBe(at('a'));
  });

  test('at the root of the file system', () => {
    const disk = new FailingDisk().disk;
    const chroot = { ...disk, lstat: (path: string) => disk.lstat(`${root}${path}`) };
    expect(findWorkspace(environmentWith({ disk: chroot }), '/')).toBe('/');
    expect(findWorkspace(environmentWith({ disk: chroot }), '/srv/data')).toBe('/');
  });

  test('nowhere: an error that says where it looked; a folder that cannot be looked into is another error', () => {
    expect(() => findWorkspace(environmentWith(), roots.root)).toThrow(`${roots.root} is not in a snap workspace`);
    failing.hook = (call) => (call === 'lstat' ? 'EACCES' : undefined);
    expect(() => findWorkspace(environmentWith({ disk: failing.disk }), root)).toThrow(
      expect.objectContaining({ code: 'permission' }),
    );
  });

  test('paths in and beside folders are told apart', () => {
    expect(['/', '/a', '/a/b'].map((path) => isWithin(path, '/'))).toEqual([true, true, true]);
    expect(['/a', '/a/b', '/ab', '/'].map((path) => isWithin(path, '/a'))).toEqual([true, true, false, false]);
    expect(storeInside('/', '/srv/store')).toBe('srv/store');
    expect(storeInside('/work', '/work/old/store')).toBe('old/store');
    for (const outside of ['/work', '/work/.snap/store', '/workstore', '/srv'])
      expect(storeInside('/work', outside)).toBeUndefined();
    expect(['journal/000000000012.json', 'checkpoints/000000000256.state'].map(numberOfName)).toEqual([12, 256]);
    expect(['journal/12.json', 'journal/000000000012.json~', 'x'].map(numberOfName)).toEqual(Array(3).fill(undefined));
  });
});

describe('opening', () => {
  test('settings that are missing or cannot be read, and a store that is gone, each have their error', async () => {
    const settings = readFileSync(at('.snap/config.toml'));
    failing.hook = (call, path) => (call === 'open' && path.endsWith('config.toml') ? 'EIO' : undefined);
    await expect(open()).rejects.toMatchObject({ code: 'io', message: expect.stringContaining('config.toml') });
    failing.hook = (call, path) => (call === 'open' && path.endsWith('config.toml') ? 'ENOENT' : undefined);
    await expect(open()).rejects.toMatchObject({ code: 'no-workspace' });
    failing.hook = undefined;
    writeFileSync(at('.snap/config.toml'), '[store]\npath = 7\n');
    await expect(open()).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('config.toml:2') });
    writeFileSync(at('.snap/config.toml'), settings);
    renameSync(at('.snap/store'), at('.snap/away'));
    await expect(open()).rejects.toMatchObject({
      code: 'no-store',
      message: `there is no store at ${at('.snap/store')}`,
    });
    writeFileSync(at('.snap/config.toml'), settings.toString().replace('.snap/store', at('.snap/away')));
    expect((await open()).repository.state().number).toBe(1);
  });

  test('settings without a name or a store take the usual ones', async () => {
    const id = /id = "(.*)"/.exec(readFileSync(at('.snap/config.toml'), 'utf8'))?.[1];
    writeFileSync(at('.snap/config.toml'), `workspace.id = "${id}"`);
    const { repository } = await open();
    expect(repository).toMatchObject({ workspaceName: 'work', workspaceId: id });
    expect(repository.backend.location).toBe(at('.snap/store'));
  });

  test('a HEAD that is damaged or gone is found again from the journal, and written', async () => {
    const [, second] = await commits(2);
    const id = 'a'.repeat(64);
    for (const bytes of [
      '',
      'x',
      `${id} 3`,
      `${id} 03\n`,
      `${'A'.repeat(64)} 3\n`,
      `x${id} 3\n`,
      `${id} 3\nx`,
      `${id}\n`,
    ]) {
      writeFileSync(at('.snap/HEAD'), bytes);
      const workspace = await open();
      expect(headOf(workspace), JSON.stringify(bytes)).toBe(second);
      expect(workspace.repository.notices).toEqual([expect.stringContaining('HEAD was damaged')]);
      await close();
      expect(headFile()).toMatch(new RegExp(`^${second} 3( |\n)`));
      expect((await open()).repository.notices).toEqual([]);
      await close();
    }
    rmSync(at('.snap/HEAD'));
    expect(headOf(await open())).toBe(second);
    await close();
    expect(headFile()).toMatch(new RegExp(`^${second} 3( |\n)`));
  });

  test('a damaged HEAD of a workspace without commits is written anew', async () => {
    writeFileSync(at('.snap/HEAD'), '?');
    expect(headOf(await open())).toBeNull();
    await close();
    expect(headFile()).toBe('- 1\n');
  });

  test('a HEAD with a flipped bit, a snapshot that never was, is found again from the journal', async () => {
    const [, second] = await commits(2);
    writeFileSync(at('.snap/HEAD'), `${'0'.repeat(64)} 3\n`);
    expect(headOf(await open())).toBe(second);
    expect(headFile()).toBe(`${second} 3\n`);
  });

  test('a HEAD that is one commit behind is caught up', async () => {
    const [first, second] = await commits(2);
    writeFileSync(at('.snap/HEAD'), `${first} 2\n`);
    expect(headOf(await open())).toBe(second);
    expect(headFile()).toBe(`${second} 3\n`);
  });

  test("HEAD's number follows others only now and then, so that reading commands do not write", async () => {
    const [first] = await commits(1);
    const other = await openAt(await roots.init('other', at('.snap/store')));
    opened.push(other);
    for (let i = 0; i < 64; i++) await tag(other, `t${i}`, { revision: first });
    const { repository } = await open();
    expect(headFile()).toBe(`${first} 2\n`);
    await tag(other, 'one-more', { revision: first });
    await repository.refresh();
    expect(headFile()).toBe(`${first} 67\n`);
    expect(headOf(opened.at(-1) as Workspace)).toBe(first);
  });

  test('a disk that fails where the folder for temporary files is made', async () => {
    rmSync(at('.snap/tmp'), { recursive: true });
    failing.hook = (call, path) => (call === 'makeFolder' && path.endsWith('.snap/tmp') ? 'EIO' : undefined);
    await expect(open()).rejects.toMatchObject({ code: 'io' });
    for (const errno of ['EROFS', 'ENOSPC']) {
      failing.hook = (call, path) => (call === 'makeFolder' && path.endsWith('.snap/tmp') ? errno : undefined);
      expect((await open()).repository.state().number, errno).toBe(1);
      await close();
    }
  });

  test('a workspace on a read-only disk is read, HEAD caught up in memory', async () => {
    const [first, second] = await commits(2);
    writeFileSync(at('.snap/HEAD'), `${first} 2\n`);
    failing.hook = (call, path) =>
      ['rename', 'link', 'makeFolder', 'unlink', 'write'].includes(call) && path.includes('.snap')
        ? 'EROFS'
        : undefined;
    const workspace = await open();
    expect(headOf(workspace)).toBe(second);
    expect((await workspace.repository.trees.snapshot(second as BlobId)).parent).toBe(first);
    expect(headFile()).toBe(`${first} 2\n`);
  });

  test('a HEAD that cannot be written for another reason is an error', async () => {
    const [first] = await commits(2);
    writeFileSync(at('.snap/HEAD'), `${first} 2\n`);
    failing.hook = (call, path) => (call === 'rename' && path.endsWith('/HEAD') ? 'EIO' : undefined);
    await expect(open()).rejects.toMatchObject({ code: 'io' });
    failing.hook = undefined;
    expect((await open()).repository.index.kind, 'the index was given back').toBe('level');
  });
});

test('settings that lost the id are refused, and init finds the history again without them', async () => {
  const [, second] = await commits(2);
  writeFileSync(at('.snap/config.toml'), '');
  await expect(open()).rejects.toMatchObject({ code: 'corrupt-data' });
  rmSync(at('.snap/config.toml'));
  await initWorkspace(at('.'));
  expect(headOf(await open())).toBe(second);
});
