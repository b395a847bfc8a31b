/** A checkout that dies half way: HEAD is at its old value, and the same command means the same again. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { log } from '../../src/api/history.ts';
import { undo } from '../../src/api/undo.ts';
import { openWorkspaceIn } from '../../src/api/workspace.ts';
import type { Disk } from '../../src/disk/disk.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { collect } from '../history/collect.ts';
import { dyingDisk } from '../kit/crash/dying-disk.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import { deadEnvironment, pictureOf, samePicture } from '../kit/crash/stage.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;
beforeEach(async () => {
  made = await makeWorkspace({ files: { a: '1', b: '1', c: '1' } });
});
afterEach(() => made.cleanup());

/** Runs `checkout HEAD~1` in a process that dies at its `n`-th live file. */
async function dieAt(n: number): Promise<void> {
  await made.workspace.close();
  let left = n;
  const { disk, isDead } = dyingDisk(realDisk, (call, [, to]) => {
    if (call === 'rename' && String(to).startsWith('/proc/self/fd/')) left--;
    return left === 0;
  });
  const workspace = await openWorkspaceIn(deadEnvironment(disk), inlineWorkers(disk), made.root);
  await expect(checkout(workspace, { revision: 'HEAD~1' })).rejects.toThrow('killed');
  expect(isDead()).toBe(true);
  await workspace.close().catch(() => undefined);
  await made.reopen();
}

test('HEAD~1 is the same snapshot when it is asked for again', async () => {
  const first = await made.commit('first');
  const before = pictureOf(made.root);
  for (const name of ['a', 'b', 'c']) made.write(name, '2');
  const second = await made.commit('second');
  for (const name of ['a', 'b', 'c']) made.write(name, 'not committed');
  const edited = pictureOf(made.root);
  await dieAt(2);
  expect(made.workspace.repository.head().snapshot).toBe(second);
  const half = pictureOf(made.root);
  expect(samePicture(half, before)).toBe(false);

  await checkout(made.workspace, { revision: 'HEAD~1' });
  expect(made.workspace.repository.head().snapshot).toBe(first);
  expect(samePicture(pictureOf(made.root), before)).toBe(true);

  // Both checkouts can be taken back: the half done folder, and what there was at first.
  await undo(made.workspace);
  expect(samePicture(pictureOf(made.root), half)).toBe(true);
  await undo(made.workspace);
  expect(samePicture(pictureOf(made.root), edited)).toBe(true);
  expect(made.workspace.repository.head().snapshot).toBe(second);
});

test('what was saved lies beside the line of commits', async () => {
  const first = await made.commit('first');
  made.write('a', '2');
  const { saved } = await checkout(made.workspace, { revision: first });
  expect(saved).toBeDefined();
  made.write('a', '3');
  const second = await made.commit('second');
  const { repository } = made.workspace;
  expect((await repository.trees.snapshot(second)).parent).toBe(first);
  expect((await collect(log(made.workspace))).map(({ id }) => id)).toContain(saved);
});

test('a disk that is full half way: the error says what is saved, and how to go back', async () => {
  await made.commit('first');
  for (const name of ['a', 'b', 'c']) made.write(name, '2');
  await made.commit('second');
  made.write('mine', 'not committed');
  await made.workspace.close();
  let writes = 0;
  const disk: Disk = {
    ...realDisk,
    rename: (from, to) => {
      if (to.startsWith('/proc/self/fd/') && ++writes === 2) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
      realDisk.rename(from, to);
    },
  };
  const workspace = await openWorkspaceIn(deadEnvironment(disk), inlineWorkers(disk), made.root);
  const error: unknown = await checkout(workspace, { revision: 'HEAD~1' }).catch((reason: unknown) => reason);
  await workspace.close();
  await made.reopen();
  const [autosave] = await collect(log(made.workspace, { all: true }));
  expect(error).toMatchObject({
    code: 'no-space',
    hint: expect.stringContaining(
      `saved as ${autosave?.id.slice(0, 10)}. \`snap undo\` makes the folder what it was before`,
    ),
  });
  await undo(made.workspace);
  expect(made.read('mine')).toBe('not committed');
});
