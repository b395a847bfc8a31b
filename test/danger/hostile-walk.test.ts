/** A store of some kilobytes whose trees hold each other twice, forty deep: every walk of it can be stopped. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { diff } from '../../src/api/diff.ts';
import { list, show } from '../../src/api/history.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { BLOB_KIND, blobIdOf } from '../../src/object/blob-id.ts';
import { encodeTree } from '../../src/object/tree.ts';
import { amount } from '../kit/amount.ts';
import { BIN } from '../kit/processes/run.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';
import type { CraftedBlob } from './crafted.ts';
import { folderEntry, publishTree } from './crafted.ts';

const DEPTH = 41;
let made: TestWorkspace;
let revision: BlobId;
beforeAll(async () => {
  made = await makeWorkspace({ files: { f: 'file' } });
  await made.commit('first');
  const blobs: CraftedBlob[] = [{ kind: BLOB_KIND.tree, bytes: encodeTree([]) }];
  for (let level = 1; level < DEPTH; level++) {
    const below = blobIdOf(blobs.at(-1)?.bytes ?? Buffer.alloc(0));
    blobs.push({ kind: BLOB_KIND.tree, bytes: encodeTree([folderEntry('a', below), folderEntry('b', below)]) });
  }
  revision = await publishTree(made.workspace, blobs, blobIdOf(blobs.at(-1)?.bytes ?? Buffer.alloc(0)));
});
afterAll(() => made.cleanup());

async function through(walk: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of walk);
}

const WALKS: [string, (workspace: Workspace) => Promise<unknown>][] = [
  ['show', async (workspace) => through((await show(workspace, revision)).changes())],
  ['ls -R', async (workspace) => through(list(workspace, revision, { recursive: true }))],
  ['diff', async (workspace) => through((await diff(workspace, { from: revision, to: 'HEAD' })).changes)],
  ['checkout', (workspace) => checkout(workspace, { revision })],
  ['checkout --to', (workspace) => checkout(workspace, { revision, to: `${made.root}/../out` })],
];

test.each(amount({ sample: WALKS.slice(2, 4), ordinary: WALKS, long: WALKS }))('%s', async (_what, walk) => {
  const stop = new AbortController();
  const workspace = await made.reopen({ signal: stop.signal });
  let stopped = 0;
  // Comes only if the walk lets timers in.
  const timer = setTimeout(() => {
    stopped = performance.now();
    stop.abort('SIGTERM');
  }, 300);
  const error = await walk(workspace).then(
    () => 'ended',
    (thrown: unknown) => thrown,
  );
  clearTimeout(timer);
  expect(error).toMatchObject({ code: 'interrupted', cause: 'SIGTERM' });
  expect(performance.now() - stopped).toBeLessThan(1500);
});

test('what folders hold is counted without going through each path', async () => {
  const workspace = await made.reopen();
  const { changes } = await diff(workspace, { from: 'HEAD', to: revision, foldFolders: true });
  const contained = new Map<string, unknown>();
  for await (const change of changes) if (change.contained !== undefined) contained.set(change.path, change.contained);
  expect([...contained]).toEqual([
    ['a', { files: 0, bytes: 0 }],
    ['b', { files: 0, bytes: 0 }],
  ]);
});

test('a listing ends when nobody reads it any more', async () => {
  await made.workspace.close();
  const child = spawn(process.execPath, [BIN, '-C', made.root, 'ls', '-R', revision], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const exit = once(child, 'exit');
  await once(child.stdout, 'data');
  child.stdout.destroy();
  expect((await exit)[0]).toBe(0);
  await made.reopen();
});

test('the command ends with 143', async () => {
  await made.workspace.close();
  const child = spawn(process.execPath, [BIN, '-C', made.root, 'ls', '-R', revision], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const exit = once(child, 'exit');
  await once(child.stdout, 'data');
  child.stdout.resume();
  child.kill('SIGTERM');
  expect((await exit)[0]).toBe(143);
  await made.reopen();
});
