/** What fails after the commit point is told as that: the change is recorded, and the next command goes on from it. */
import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { commit } from '../../src/api/commit.ts';
import { tag } from '../../src/api/tag.ts';
import { undo } from '../../src/api/undo.ts';
import { tagRef } from '../../src/object/ref-name.ts';
import { newWorkspace } from '../repo/one-workspace.ts';

const { failing, at, open, close, headOf, commits } = newWorkspace();

test('HEAD that cannot be moved: the error names the snapshot, and the next command moves HEAD', async () => {
  const [first] = await commits(1);
  const workspace = await open();
  writeFileSync(at('f'), 'more');
  failing.hook = (call, path) => (call === 'rename' && path.endsWith('/HEAD') ? 'ENOSPC' : undefined);
  const error = await commit(workspace, { message: 'more' }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: 'io',
    message: expect.stringMatching(/^the snapshot [0-9a-f]{64} is recorded, but HEAD could not be moved: no space/),
    hint: expect.stringMatching(/^Do not run it again: the next command in this folder moves HEAD/),
  });
  await close();
  const next = await open();
  expect((error as Error).message).toContain(headOf(next));
  expect(headOf(next)).not.toBe(first);
  failing.hook = (call, path) => (call === 'rename' && path.endsWith('/HEAD') ? 'EIO' : undefined);
  await expect(undo(next)).rejects.toMatchObject({ message: expect.stringMatching(/^the undo is recorded, but HEAD/) });
  await close();
  expect(headOf(await open())).toBe(first);
});

test('an answer of the storage that gets lost: the commit and the tag are there, once', async () => {
  await commits(1);
  const workspace = await open();
  const { repository } = workspace;
  let lost = 0;
  failing.after = (call, path) => {
    if (call !== 'link' || !path.includes('/journal/')) return undefined;
    lost++;
    return 'ETIMEDOUT';
  };
  writeFileSync(at('f'), 'more');
  const { id } = await commit(workspace, { message: 'more' });
  await tag(workspace, 'v9');
  expect([headOf(workspace), repository.state().refs.get(tagRef('v9'))]).toEqual([id, id]);
  expect([repository.state().number, lost]).toEqual([4, 2]);
});

test('a checkpoint that cannot be written fails no command', async () => {
  await commits(1);
  const workspace = await open();
  failing.hook = (call, path) => (call === 'link' && path.includes('/checkpoints/') ? 'ENOSPC' : undefined);
  for (let i = 3; i <= 256; i++) await tag(workspace, `v${i}`);
  expect(workspace.repository.state().number).toBe(256);
});

test('a folder whose sync failed is not synced again: nobody knows whether the commit survives a power loss', async () => {
  await commits(1);
  const workspace = await open();
  writeFileSync(at('f'), 'more');
  let failed = 0;
  failing.hook = (call, path) => (call === 'sync' && path.endsWith('/journal') && failed++ === 0 ? 'EIO' : undefined);
  for (const message of ['more', 'again']) {
    const error = await commit(workspace, { message }).catch((thrown: unknown) => thrown);
    expect(error, message).toMatchObject({ code: 'io' });
    if (message === 'more')
      expect(error).toMatchObject({ message: expect.stringMatching(/^it is not known whether this was recorded/) });
    writeFileSync(at('f'), message);
  }
  expect(failed).toBe(1);
  await close();
  expect(headOf(await open())).not.toBe(undefined);
});

test('on a disk that stays full the next commands go on from it, and move HEAD when there is room', async () => {
  await commits(1);
  const workspace = await open();
  writeFileSync(at('f'), 'more');
  const full = (call: string, path: string): string | undefined =>
    call === 'rename' && path.endsWith('/HEAD') ? 'ENOSPC' : undefined;
  failing.hook = full;
  await expect(commit(workspace, { message: 'more' })).rejects.toMatchObject({ code: 'io' });
  await close();
  failing.hook = full;
  const next = await open();
  const id = headOf(next);
  expect((await next.repository.trees.snapshot(id as never)).message).toBe('more');
  await close();
  failing.hook = undefined;
  expect(headOf(await open())).toBe(id);
});
