/** What is remembered of a folder after a checkout: the next commit sees every change, and reads only what may have one. */
import { rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { status } from '../../src/api/history.ts';
import { SeenFolders } from '../../src/checkout/seen.ts';
import { realDisk } from '../../src/disk/disk.ts';
import type { Repository } from '../../src/repo/repository.ts';
import type { Workers } from '../../src/work/start-workers.ts';
import { collect } from '../history/collect.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { makeSmallWorkspace, scratchFolder } from '../kit/small-workspace.ts';
import { failingDisk } from './disks.ts';

const scratch = scratchFolder();
let made: SmallWorkspace;
let serial = 0;
const at = (path: string): string => join(made.root, path);
beforeEach(async () => {
  made = await makeSmallWorkspace(join(scratch, `work-${++serial}`));
});
afterEach(() => made.close());
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Opens it with workers that note what they are told to read. */
async function reopenNoting(): Promise<string[]> {
  const inline = inlineWorkers(realDisk);
  const paths: string[] = [];
  const run: Workers['run'] = (job, ...more) => {
    if (job.kind === 'read') paths.push(...job.paths);
    return inline.run(job, ...more);
  };
  await made.reopen({}, { workers: { ...inline, run } });
  return paths;
}
const differs = async (): Promise<boolean> => (await status(made.workspace)).differs;

describe('after a checkout', () => {
  test('nothing that it wrote or left is read again, and an edit of the same size and time is seen', async () => {
    for (const name of ['a', 'd/b', 'd/c', 'e/f']) made.write(name, 'one');
    const first = await made.commit('first');
    for (const name of ['a', 'd/b']) made.write(name, 'two');
    await made.commit('second');
    // Stats are only remembered once they are older than the clock's grain: what is saved first may read these two again.
    await delay(60);
    const read = await reopenNoting();
    await checkout(made.workspace, { revision: first });
    read.length = 0;
    expect(await differs()).toBe(false);
    expect(read).toEqual([]);
    const { mtime } = statSync(at('d/b'));
    writeFileSync(at('d/b'), 'ONE');
    utimesSync(at('d/b'), mtime, mtime);
    expect(await differs()).toBe(true);
  });

  test('an edit while it went on, of the same size and time, is seen', async () => {
    for (const name of ['a', 'b']) {
      made.write(name, 'one');
      utimesSync(at(name), 1_600_000_000, 1_600_000_000);
    }
    const first = await made.commit('first');
    for (const name of ['a', 'b']) made.write(name, 'two');
    await made.commit('second');
    let edited = '';
    const onProgress = (): void => {
      if (edited !== '') return;
      edited = statSync(at('a')).size === 3 ? 'a' : '';
      const { mtime } = statSync(at('a'));
      // Longer than one tick of the kernel's clock.
      const until = performance.now() + 30;
      while (performance.now() < until);
      writeFileSync(at('a'), 'ONE');
      utimesSync(at('a'), mtime, mtime);
    };
    await checkout(made.workspace, { revision: first, onProgress });
    expect(edited).toBe('a');
    const changes = await collect((await status(made.workspace)).changes);
    expect(changes.map(({ path }) => path)).toEqual(['a']);
  });

  test('folders that came back, one in another, are as they were', async () => {
    for (const name of ['top/f', 'top/in/f', 'top/in/deep/f', 'stays/f']) made.write(name, name);
    const first = await made.commit('first');
    rmSync(at('top'), { recursive: true });
    await made.commit('second');
    // Nor does the index know them from before.
    rmSync(at('.snap/index'), { recursive: true });
    await made.reopen();
    await checkout(made.workspace, { revision: first });
    expect(await differs()).toBe(false);
    await made.reopen();
    expect(await differs()).toBe(false);
    made.write('top/in/deep/f', 'edited');
    expect(await differs()).toBe(true);
  });

  test('of a part, what differs beside it still shows', async () => {
    for (const name of ['a/f', 'b/f', 'c/f']) made.write(name, 'one');
    const first = await made.commit('first');
    for (const name of ['a/f', 'b/f']) made.write(name, 'two');
    await made.commit('second');
    await checkout(made.workspace, { revision: first, paths: ['a'] });
    expect((await collect((await status(made.workspace)).changes)).map(({ path }) => path)).toEqual(['a/f']);
    await checkout(made.workspace, { revision: 'latest' });
    expect(await differs()).toBe(false);
  });

  test('what could not be written shows as changed', async () => {
    for (const name of ['d/f', 'e/f']) made.write(name, 'one');
    const first = await made.commit('first');
    rmSync(at('d'), { recursive: true });
    made.write('e/f', 'two');
    await made.commit('second');
    await made.reopen({ disk: failingDisk('makeFolder', /\/d$/, 'EACCES') });
    expect((await checkout(made.workspace, { revision: first })).failures.length).toBeGreaterThan(0);
    await made.reopen();
    await checkout(made.workspace, { revision: first });
    expect(await differs()).toBe(false);
    expect(statSync(at('d/f')).size).toBe(3);
  });
});

test('of many thousands of folders only some are remembered at once', () => {
  let asked = 0;
  const folderRecord = (): undefined => {
    asked++;
  };
  const seen = new SeenFolders({ index: { folderRecord } } as unknown as Repository);
  for (let round = 0; round < 2; round++) expect(seen.folder('first')).toBeUndefined();
  expect(asked).toBe(1);
  for (let i = 0; i < 5000; i++) expect(seen.expected(`d${i}/f`)).toBeNull();
  expect(seen.folder('first')).toBeUndefined();
  expect(asked).toBe(5002);
});
