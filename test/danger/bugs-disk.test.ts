/** Bugs that other tools of this kind had, by their number in the project's list: disks that fail while a commit writes. */
import fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { realDisk } from '../../src/disk/disk.ts';
import { hasCode, SnapError } from '../../src/errors.ts';
import { amount } from '../kit/amount.ts';
import { verifyAll } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import { testFrom } from '../kit/test-from.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';
import { commitOver } from './crafted.ts';

const ERRNOS = ['ENOSPC', 'EIO', 'EDQUOT', 'EROFS'];
const CALLS = ['write', 'sync', 'syncLater', 'close'];
const LONG = { timeout: amount({ sample: 60_000, ordinary: 240_000, long: 7_200_000 }) };

let made: TestWorkspace;
const store = (): string => join(made.root, '.snap/store');
beforeEach(async () => {
  made = await makeWorkspace({ files: { a: 'alpha\n', 'sub/b': 'beta\n' } });
});
afterEach(() => made.cleanup());

test('#6 a store that cannot be written is no unreadable file: nothing is committed', async () => {
  await made.commit('first');
  await made.workspace.close();
  made.write('new', noise(100_000, 3));
  const journal = fs.readdirSync(join(store(), 'journal')).length;
  for (const errno of amount({ sample: ['ENOSPC'], ordinary: ERRNOS, long: ERRNOS })) {
    const disk = {
      ...realDisk,
      write: (...args: Parameters<typeof realDisk.write>): number => {
        if (args[3] > 50_000) throw Object.assign(new Error(errno), { code: errno });
        return realDisk.write(...args);
      },
    };
    const failure = await commitOver(made.root, disk).catch((error: unknown) => error);
    expect(failure, errno).toBeInstanceOf(SnapError);
    expect(hasCode(failure, 'no-space', 'io', 'permission'), `${errno}: ${String(failure)}`).toBe(true);
    expect(fs.readdirSync(join(store(), 'journal')).length).toBe(journal);
  }
  const { scan } = await commitOver(made.root, realDisk);
  expect(scan.skipped).toEqual([]);
});

test('#10 after a failed write or sync the same file is never written or synced again', async () => {
  await made.commit('first');
  await made.workspace.close();
  for (const broken of amount({ sample: ['close'], ordinary: CALLS, long: CALLS })) {
    made.write('new', noise(80_000, broken.length * 7));
    const staged = new Set<number>();
    const failed = new Set<number>();
    const again: string[] = [];
    const watched = (name: string, fd: number): boolean => {
      if (failed.has(fd)) again.push(name);
      const breaks = name === broken && staged.has(fd) && failed.size === 0;
      if (breaks) failed.add(fd);
      return breaks;
    };
    const eio = (): Error => Object.assign(new Error('EIO'), { code: 'EIO' });
    const disk = {
      ...realDisk,
      open: (path: string, flags: number, mode?: number): number => {
        const fd = realDisk.open(path, flags, mode);
        failed.delete(fd);
        if (path.includes('/store/tmp/')) staged.add(fd);
        else staged.delete(fd);
        return fd;
      },
      write: (...args: Parameters<typeof realDisk.write>): number => {
        if (watched('write', args[0])) throw eio();
        return realDisk.write(...args);
      },
      sync: (fd: number): void => {
        if (watched('sync', fd)) throw eio();
        realDisk.sync(fd);
      },
      syncLater: async (fd: number): Promise<void> => {
        if (watched('syncLater', fd)) throw eio();
        await realDisk.syncLater(fd);
      },
      close: (fd: number): void => {
        const breaks = broken === 'close' && watched('close', fd);
        realDisk.close(fd);
        if (breaks) throw eio();
      },
    };
    await expect(commitOver(made.root, disk), broken).rejects.toMatchObject({ code: 'io' });
    expect(again, broken).toEqual([]);
    await commitOver(made.root, realDisk);
  }
  await made.reopen();
  expect((await verifyAll(made.workspace)).faults).toEqual([]);
});

testFrom('ordinary')(
  '#29 folders that cannot be synced (EINVAL, ENOTSUP, EPERM, EISDIR) do not stop a commit; EIO does',
  LONG,
  async () => {
    await made.commit('first');
    await made.workspace.close();
    const all = ['EINVAL', 'EIO', 'ENOTSUP', 'EPERM', 'EISDIR'];
    for (const [i, errno] of amount({ sample: all.slice(0, 2), ordinary: all, long: all }).entries()) {
      made.write('a', `round ${i}`);
      const disk = {
        ...realDisk,
        sync: (fd: number): void => {
          if (realDisk.stat(fd).isDirectory()) throw Object.assign(new Error(errno), { code: errno });
          realDisk.sync(fd);
        },
      };
      const done = commitOver(made.root, disk).then(({ id }) => id !== undefined);
      if (errno === 'EIO') await expect(done).rejects.toMatchObject({ code: 'io' });
      else expect(await done, errno).toBe(true);
    }
  },
);
