/** A file of HEAD that cannot be read now: it is not deleted, and what is saved before a checkout lacks it, which is said. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { status } from '../../src/api/history.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import { openWorkspaceIn } from '../../src/api/workspace.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { processEnvironment } from '../../src/environment.ts';
import { plainPath } from '../danger/crafted.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import { snap } from '../kit/snap.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

const unreadable = { path: 'secret', reason: 'EACCES' };

let made: TestWorkspace;
let workspace: Workspace;
let first: string;
beforeEach(async () => {
  made = await makeWorkspace({ files: { a: 'one', secret: 'one', 'closed/b': 'b' } });
  first = await made.commit('first');
  made.write('a', 'two');
  await made.commit('second');
  made.write('secret', 'mine');
  await made.workspace.close();
  // As for a user who may not read it: tests may run as root, who may read all.
  const disk = {
    ...realDisk,
    open: (path: string, flags: number, mode?: number) => {
      if (/\/(secret|closed)$/.test(plainPath(path)))
        throw Object.assign(new Error(`EACCES: ${path}`), { code: 'EACCES' });
      return realDisk.open(path, flags, mode);
    },
  };
  workspace = await openWorkspaceIn({ ...processEnvironment('test'), disk }, inlineWorkers(disk), made.root);
});
afterEach(async () => {
  await workspace.close();
  await made.cleanup();
});

test('status says that it cannot be read, not that it is deleted', async () => {
  const { changes, skipped } = await status(workspace);
  const found: string[] = [];
  for await (const { kind, path } of changes) found.push(`${kind} ${path}`);
  expect(found).toContain('unreadable secret');
  expect(found.filter((line) => line.startsWith('removed'))).toEqual([]);
  expect(skipped).toContainEqual(unreadable);
});

test('what a checkout saves before names it, and leaves it alone', async () => {
  const result = await checkout(workspace, { revision: first, paths: ['a'] });
  expect(result.skipped).toContainEqual(unreadable);
  expect([made.read('a'), made.read('secret')]).toEqual(['one', 'mine']);
  await expect(checkout(workspace, { revision: first })).rejects.toThrow(
    /^secret \(it cannot be read: EACCES\) is in the way$/,
  );
  expect(made.read('secret')).toBe('mine');
});

test('a commit without it says so, and a later one has it again', async () => {
  expect((await commit(workspace, { message: 'without' })).scan.skipped).toContainEqual(unreadable);
  await made.reopen();
  expect((await commit(made.workspace, { message: 'again' })).scan.skipped).toEqual([]);
  const listed = snap(['-C', made.root, 'ls', 'HEAD']).stdout;
  expect(listed).toContain('secret');
});
