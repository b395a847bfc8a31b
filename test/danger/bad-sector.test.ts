/**
 * Danger: a disk gives back all but a few bytes. That is damage of the one file it concerns, in whatever part of it:
 * named by verify, mended by repair, and in the way of nothing else. Too many open files, or no permission, is none.
 */
import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { readFile } from '../../src/api/diff.ts';
import { log } from '../../src/api/history.ts';
import { repair, repairConfig } from '../../src/api/repair.ts';
import { verify } from '../../src/api/verify.ts';
import type { Disk } from '../../src/disk/disk.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { appendEntry } from '../../src/repo/journal.ts';
import { checkpointName } from '../../src/repo/layout.ts';
import { collect } from '../history/collect.ts';
import { packPaths } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { makeSmallWorkspace, scratchFolder } from '../kit/small-workspace.ts';
import { environmentWith } from '../repo/failing-disk.ts';

const folder = scratchFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let made: SmallWorkspace;
let first: string;
beforeEach(async () => {
  made = await makeSmallWorkspace(join(folder, 'work'));
  made.write('a', noise(3000, 1));
  await made.commit('first');
  first = packPaths(made.store)[0] ?? '';
  made.write('b', noise(3000, 2));
  await made.commit('second');
});
afterEach(() => made.close());

/** A disk that answers a read of `path` between `from` and `to` with an error, `times` or always. */
function diskWith(
  errno: string,
  path: string,
  from = 0,
  to = Number.POSITIVE_INFINITY,
  times = Number.POSITIVE_INFINITY,
): Disk {
  const names = new Map<number, string>();
  let left = times;
  return {
    ...realDisk,
    open: (name, flags, mode) => {
      const fd = realDisk.open(name, flags, mode);
      names.set(fd, name);
      return fd;
    },
    read: (fd, buffer, offset, length, position) => {
      const at = position ?? 0;
      if (names.get(fd) === path && at < to && at + length > from && left-- > 0)
        throw Object.assign(new Error(`${errno}: injected`), { code: errno });
      return realDisk.read(fd, buffer, offset, length, position);
    },
  };
}
const cat = async (path: string): Promise<Buffer> => {
  const { content } = await readFile(made.workspace, path);
  return Buffer.concat((await collect(content)).map((piece) => Buffer.from(piece)));
};
async function reopenOn(disk: Disk, withoutIndex: boolean): Promise<void> {
  await made.workspace.close();
  if (withoutIndex) rmSync(join(made.root, '.snap/index'), { recursive: true });
  await made.reopen({ disk });
}

describe.each<[string, (size: number) => [number, number]]>([
  ['its first bytes', () => [0, 16]],
  ['a block', () => [100, 101]],
  ['its footer', (size) => [size - 100, size - 99]],
  ['its last byte', (size) => [size - 1, size]],
  ['all of it', (size) => [0, size]],
])('a pack that has lost %s', (_, part) => {
  describe.each([
    ['with', false],
    ['without', true],
  ])('%s the index', (__, withoutIndex) => {
    beforeEach(() => reopenOn(diskWith('EIO', first, ...part(statSync(first).size)), withoutIndex));

    test('costs what lies in it, and verify names it', async () => {
      expect(await cat('HEAD:b')).toEqual(noise(3000, 2));
      const got = await cat('HEAD:a').catch((error: unknown) => error);
      if (!Buffer.isBuffer(got)) expect(got).toMatchObject({ code: 'corrupt-data' });
      const titles: string[] = [];
      const whole = collect(log(made.workspace)).then((all) => all.map(({ snapshot }) => snapshot.message));
      titles.push(...(await whole.catch((error: unknown) => [String(error)])));
      expect(titles.join(' ')).toMatch(/second|snapshot cannot be read/);
      const { faults } = await verify(made.workspace, { data: true });
      expect(faults).toContainEqual(
        expect.objectContaining({ what: 'pack', pack: first.slice(-37, -5), reason: expect.stringContaining('EIO') }),
      );
      const to = join(folder, 'out');
      const { failures } = await checkout(made.workspace, { revision: 'HEAD', to });
      expect(readFileSync(join(to, 'b'))).toEqual(noise(3000, 2));
      for (const { path } of failures) expect(path).not.toBe('b');
      rmSync(to, { recursive: true });
    });

    test('is mended', async () => {
      const result = await repair(made.workspace);
      expect(result.packs).toMatchObject([{ pack: first.slice(-37, -5), state: 'damaged' }]);
      expect(await cat('HEAD:a')).toEqual(noise(3000, 1));
    });
  });
});

test('what a second reading gives is no damage', async () => {
  await reopenOn(diskWith('EIO', first, 0, Number.POSITIVE_INFINITY, 1), true);
  expect(await cat('HEAD~1:a')).toEqual(noise(3000, 1));
  expect((await verify(made.workspace, { data: true })).faults).toEqual([]);
});

test.each([
  'EMFILE',
  'ESTALE',
  'EACCES',
])('a pack that cannot be read for another reason is not damaged (%s)', async (errno) => {
  await reopenOn(diskWith(errno, first), false);
  const code = errno === 'EACCES' ? 'permission' : 'io';
  for (const work of [
    () => verify(made.workspace),
    () => verify(made.workspace, { data: true }),
    () => repair(made.workspace),
    () => cat('HEAD:a'),
  ])
    await expect(work()).rejects.toMatchObject({ code });
  await reopenOn(realDisk, false);
  expect((await verify(made.workspace, { data: true })).faults).toEqual([]);
});

test('a checkpoint is passed over, named and replaced', async () => {
  const { backend, state } = made.workspace.repository;
  for (let now = state(); now.number < 257; ) {
    const result = await appendEntry(backend, environmentWith(), now, { operation: 'tag', note: '' });
    if ('conflict' in result) throw new Error('conflict');
    now = result.state;
  }
  const checkpoint = join(made.store, checkpointName(256));
  await reopenOn(diskWith('EIO', checkpoint), true);
  expect(await cat('HEAD:a')).toEqual(noise(3000, 1));
  expect((await verify(made.workspace)).faults).toMatchObject([{ what: 'checkpoint', entry: 256 }]);
  expect((await repair(made.workspace)).checkpoints).toEqual([256]);
  await reopenOn(realDisk, true);
  expect((await verify(made.workspace)).faults).toEqual([]);
});

test("the store's configuration comes back from the copy", async () => {
  const config = join(made.store, 'config.json');
  const was = readFileSync(config);
  const environment = environmentWith({ disk: diskWith('EIO', config) });
  await made.workspace.close();
  await expect(made.reopen({ disk: environment.disk })).rejects.toMatchObject({
    code: 'corrupt-data',
    hint: expect.stringContaining('snap repair'),
  });
  rmSync(config);
  expect(await repairConfig(made.root)).toMatchObject({ reason: expect.stringContaining('missing') });
  expect(readFileSync(config)).toEqual(was);
  await made.reopen();
});
