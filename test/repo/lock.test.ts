/** The lock of a workspace: who waits for whom, and goes on from where the other one ended. */
import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { commit } from '../../src/api/commit.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { environmentWith } from './failing-disk.ts';
import { newWorkspace } from './one-workspace.ts';

const { failing, at, open, headOf, commits } = newWorkspace();

describe('the lock', () => {
  test('of another process is waited for, with its name, and then given up', async () => {
    const [first] = await commits(1);
    const one = await open({ holder: { ...environmentWith().holder, command: 'snap commit' } });
    const { repository } = await open();
    const lock = await one.repository.lock(0);
    const told: string[] = [];
    const started = performance.now();
    await expect(repository.lock(120, (who) => told.push(who))).rejects.toMatchObject({
      code: 'locked',
      message: expect.stringContaining('`snap commit`'),
      context: { pid: process.pid },
    });
    expect(performance.now() - started).toBeGreaterThan(100);
    expect(told).toEqual([expect.stringContaining(`\`snap commit\` (process ${process.pid} on `)]);
    const waiting = repository.lock(10_000);
    setTimeout(() => lock.release(), 60);
    (await waiting).release();
    expect(headOf(one)).toBe(first);
  });

  test('that cannot be made is an error of its kind', async () => {
    const { repository } = await open();
    failing.hook = (call, path) => (call === 'link' && path.endsWith('.snap/lock') ? 'EACCES' : undefined);
    await expect(repository.lock(0)).rejects.toMatchObject({ code: 'permission' });
    failing.hook = undefined;
    (await repository.lock(0)).release();
  });

  test('who gets it after another command goes on from where that one ended', async () => {
    await commits(1);
    const one = await open({});
    const two = await open();
    writeFileSync(at('f'), 'by the other');
    const { id } = await commit(one);
    expect(headOf(two)).not.toBe(id);
    writeFileSync(at('f'), 'mine');
    const mine = await commit(two);
    expect((await two.repository.trees.snapshot(mine.id as BlobId)).parent).toBe(id);
  });
});
