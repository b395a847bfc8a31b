import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { tag } from '../../src/api/tag.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { snapshotRef } from '../../src/object/ref-name.ts';
import { journalName } from '../../src/repo/layout.ts';
import { moveHead } from '../../src/repo/move-head.ts';
import { FailingDisk, newRoots, openAt } from './failing-disk.ts';

const roots = newRoots();
const failing = new FailingDisk();
let root: string;
let workspace: Workspace;
let other: Workspace;
let first: BlobId;
let second: BlobId;

/** Two snapshots; HEAD is at the second. `other` is another workspace of the same store. */
beforeEach(async () => {
  failing.hook = undefined;
  const store = join(roots.root, 'store');
  root = await roots.init('work', store);
  workspace = await openAt(root, { disk: failing.disk });
  writeFileSync(join(root, 'f'), '1');
  first = (await commit(workspace)).id as BlobId;
  writeFileSync(join(root, 'f'), '2');
  second = (await commit(workspace)).id as BlobId;
  other = await openAt(await roots.init('other', store));
});
afterEach(async () => {
  failing.hook = undefined;
  await workspace.close();
  await other.close();
});

const head = (): BlobId | null => workspace.repository.head().snapshot;
const headFile = (): string => readFileSync(join(root, '.snap/HEAD'), 'utf8').split(' ')[0] ?? '';
const newest = (): Record<string, unknown> => {
  const { number } = workspace.repository.state();
  return JSON.parse(readFileSync(join(roots.root, 'store', journalName(number)), 'utf8'));
};
const pruneElsewhere = async (id: BlobId): Promise<void> => {
  const refs = [{ name: snapshotRef(id), from: id, to: null }];
  const draft = { operation: 'prune', note: '', workspace: other.repository.workspaceId, refs } as const;
  await other.repository.publish(draft, {}, () => draft);
};

test('the journal is told where HEAD went before HEAD goes there', async () => {
  await moveHead(workspace.repository, first);
  expect(newest()).toMatchObject({ operation: 'checkout', head: { from: second, to: first }, refs: [] });
  expect(headFile()).toBe(first);
  const { number } = workspace.repository.state();
  await moveHead(workspace.repository, first);
  expect(workspace.repository.state().number, 'nothing moved, nothing to tell').toBe(number);
  await moveHead(workspace.repository, null);
  expect(newest()).toMatchObject({ head: { from: first, to: null } });
  expect(headFile()).toBe('-');
});

test('a crash between journal and HEAD is finished by the next command', async () => {
  failing.hook = (call, path) => (call === 'rename' && path.endsWith('/HEAD') ? 'EIO' : undefined);
  await expect(moveHead(workspace.repository, first)).rejects.toMatchObject({ code: 'io' });
  expect(headFile()).toBe(second);
  failing.hook = undefined;
  await workspace.close();
  workspace = await openAt(root, { disk: failing.disk });
  expect(head()).toBe(first);
  expect(headFile()).toBe(first);
});

test('other changes of the store do not hinder', async () => {
  await tag(other, 'theirs', { revision: second });
  await moveHead(workspace.repository, first);
  expect(head()).toBe(first);
  expect(newest()).toMatchObject({ operation: 'checkout', number: 5 });
  await tag(other, 'again', { revision: first });
  await moveHead(workspace.repository, null);
  expect(newest()).toMatchObject({ operation: 'checkout', number: 7, head: { to: null } });
});

test('a snapshot that another workspace pruned meanwhile is a conflict, and HEAD stays', async () => {
  await pruneElsewhere(first);
  await expect(moveHead(workspace.repository, first)).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining(first.slice(0, 10)),
    hint: expect.stringContaining('snap commit'),
  });
  expect(head()).toBe(second);
  expect(headFile()).toBe(second);
  expect(newest()).toMatchObject({ operation: 'prune' });
});

test('a store that cannot be written can be checked out from; HEAD is then known to the workspace alone', async () => {
  const { number } = workspace.repository.state();
  failing.hook = (call, path) =>
    path.includes('/store/') && ['link', 'rename', 'makeFolder'].includes(call) ? 'EROFS' : undefined;
  await checkout(workspace, { revision: first });
  expect(readFileSync(join(root, 'f'), 'utf8')).toBe('1');
  expect(headFile()).toBe(first);
  failing.hook = undefined;
  await workspace.repository.refresh();
  expect(workspace.repository.state().number).toBe(number);
  expect(head()).toBe(first);
});

test('a full disk is an error, and HEAD stays', async () => {
  failing.hook = (call, path) => (call === 'write' && path.includes('/store/tmp/') ? 'ENOSPC' : undefined);
  await expect(moveHead(workspace.repository, first)).rejects.toMatchObject({ code: 'no-space' });
  expect(headFile()).toBe(second);
});

test('where the journal is damaged only the file HEAD moves', async () => {
  await workspace.close();
  const last = join(roots.root, 'store', journalName(3));
  writeFileSync(last, readFileSync(last).subarray(0, 40));
  workspace = await openAt(root);
  expect(workspace.repository.damage).toMatchObject({ code: 'corrupt-data' });
  await moveHead(workspace.repository, first);
  expect(headFile()).toBe(first);
  expect(existsSync(join(roots.root, 'store', journalName(4)))).toBe(false);
});
