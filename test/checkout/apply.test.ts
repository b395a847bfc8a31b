/** Carrying out a checkout: what is right already is left, and one failure is one path. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  lutimesSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { pictureOf } from '../kit/crash/stage.ts';
import { fingerprint } from '../kit/folder.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { makeSmallWorkspace, scratchFolder } from '../kit/small-workspace.ts';
import { failingDisk } from './disks.ts';

const scratch = scratchFolder();
let made: SmallWorkspace;
let serial = 0;
let to: string;
const at = (path: string): string => join(made.root, path);
beforeEach(async () => {
  made = await makeSmallWorkspace(join(scratch, `work-${++serial}`));
  to = `${made.root}-out`;
});
afterEach(() => made.close());
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('a call that fails', () => {
  test('for one path costs that path', async () => {
    for (const name of ['one/f', 'two/f']) made.write(name, name);
    const first = await made.commit('first');
    for (const name of ['one', 'two']) rmSync(at(name), { recursive: true });
    made.write('other', '');
    await made.commit('second');
    await made.reopen({ disk: failingDisk('makeFolder', /\/one$/, 'EIO') });
    const { failures } = await checkout(made.workspace, { revision: first });
    expect(failures.map(({ path, code }) => [path, code])).toEqual(
      expect.arrayContaining([
        ['one', 'io'],
        ['one/f', 'io'],
      ]),
    );
    expect(readFileSync(at('two/f'), 'utf8')).toBe('two/f');
    // It is said to have failed, so HEAD is where it was, and the same command finishes it.
    await made.reopen();
    expect((await checkout(made.workspace, { revision: first })).failures).toEqual([]);
    expect(pictureOf(made.root)).toEqual(made.pictures.get(first));
  });

  test('for lack of space stops all, loses nothing, and the same command finishes it', async () => {
    for (const name of ['a', 'new/f']) made.write(name, name);
    const first = await made.commit('first');
    rmSync(at('new'), { recursive: true });
    made.write('a', 'changed');
    const second = await made.commit('second');
    await made.reopen({ disk: failingDisk('makeFolder', /\/new$/, 'ENOSPC') });
    await expect(checkout(made.workspace, { revision: first })).rejects.toMatchObject({ code: 'no-space' });
    expect(made.workspace.repository.head().snapshot).toBe(second);
    await made.reopen();
    await checkout(made.workspace, { revision: first });
    expect(pictureOf(made.root)).toEqual(made.pictures.get(first));
  });
});

describe('with --force, of what is there', () => {
  test('right files stay, wrong ones are written, and times, modes and links are set right', async () => {
    for (const name of ['right', 'wrong', 'mode', 'time']) made.write(name, name);
    symlinkSync('right', at('link'));
    symlinkSync('right', at('old link'));
    symlinkSync('right', at('link elsewhere'));
    await made.commit('first');
    await checkout(made.workspace, { revision: 'HEAD', to });
    const names = ['right', 'mode', 'time', 'link', 'old link'];
    const inodes = names.map((name) => lstatSync(join(to, name)).ino);
    const wanted = fingerprint(to);
    const linkTime = lstatSync(join(to, 'old link'), { bigint: true }).mtimeNs;
    writeFileSync(join(to, 'wrong'), 'WRONG');
    chmodSync(join(to, 'mode'), 0o777);
    utimesSync(join(to, 'time'), 1, 1);
    lutimesSync(join(to, 'old link'), 1, 1);
    unlinkSync(join(to, 'link elsewhere'));
    symlinkSync('wrong', join(to, 'link elsewhere'));
    const { alreadyRight, written } = await checkout(made.workspace, { revision: 'HEAD', to, force: true });
    expect([alreadyRight, written]).toEqual([5 + 1, 2]);
    expect(names.map((name) => lstatSync(join(to, name)).ino)).toEqual(inodes);
    expect(readlinkSync(join(to, 'link elsewhere'))).toBe('right');
    expect(fingerprint(to)).toEqual(wanted);
    expect(lstatSync(join(to, 'old link'), { bigint: true }).mtimeNs).toBe(linkTime);
  });

  test('a folder of thousands of right files is compared without being written', async () => {
    for (let i = 0; i < 2300; i++) made.write(`f${i}`, '');
    await made.commit('first');
    await checkout(made.workspace, { revision: 'HEAD', to });
    const before = lstatSync(join(to, 'f7')).ino;
    const { alreadyRight, written } = await checkout(made.workspace, { revision: 'HEAD', to, force: true });
    expect([alreadyRight, written]).toEqual([2301, 0]);
    expect(lstatSync(join(to, 'f7')).ino).toBe(before);
  });

  test('a file of the same time is not newer, though times are only set to the microsecond', async () => {
    const names = Array.from({ length: 24 }, (_, i) => `f${i}`);
    for (const name of names) made.write(name, 'theirs');
    await made.commit('first');
    await checkout(made.workspace, { revision: 'HEAD', to });
    for (const name of names) {
      const { mtimeNs } = lstatSync(join(to, name), { bigint: true });
      writeFileSync(join(to, name), 'mine, longer');
      const time = `${mtimeNs / 1_000_000_000n}.${String(mtimeNs % 1_000_000_000n).padStart(9, '0')}`;
      execFileSync('touch', ['-d', `@${time}`, join(to, name)]);
    }
    const { kept } = await checkout(made.workspace, { revision: 'HEAD', to, force: true, overwrite: 'if-newer' });
    expect([...kept].sort()).toEqual([...names].sort());
    expect(readFileSync(join(to, 'f0'), 'utf8')).toBe('mine, longer');
  });
});
