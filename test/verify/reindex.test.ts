import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { reindex } from '../../src/api/reindex.ts';
import { openWorkspace } from '../../src/api/workspace.ts';
import type { BlobLocation } from '../../src/index/blob-index.ts';
import { locationsOf } from '../../src/index/blob-index.ts';
import type { BlobId, BlobKind } from '../../src/object/blob-id.ts';
import type { Repository } from '../../src/repo/repository.ts';
import { packPaths, verifyAll } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import { makeWorkspace, type TestWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;

beforeEach(async () => {
  made = await makeWorkspace({ files: { 'a/b/c': 'deep', d: 'flat' } });
  made.write('long', noise(3_000_000, 3));
  await made.commit('one');
  made.write('d', 'changed');
  await made.commit('two');
});
afterEach(() => made.cleanup());

/** What the index answers for every blob of every pack, and whether trees and snapshots are in it whole. */
async function answers(
  repository: Repository,
): Promise<Map<string, { location: BlobLocation | undefined; whole: boolean }>> {
  const found = new Map<string, { location: BlobLocation | undefined; whole: boolean }>();
  const blobs: { kind: BlobKind; id: BlobId }[] = [];
  for (const pack of repository.state().packs.keys())
    for (const block of (await repository.blobs.footer(pack)).blocks)
      for (const { kind, id } of locationsOf({ pack, block })) blobs.push({ kind, id });
  for (const { kind, id } of blobs)
    found.set(`${kind} ${id}`, {
      location: repository.index.find(kind, id),
      whole: repository.index.object(kind, id) !== undefined,
    });
  return found;
}

test('the index answers as before, with every tree and snapshot', async () => {
  const before = await answers(made.workspace.repository);
  await made.workspace.close();
  const result = await reindex(made.root);
  expect(result).toMatchObject({ packs: 2, blobs: before.size, snapshots: 2, damaged: 0 });
  const workspace = await made.reopen();
  expect(workspace.repository.notices).toEqual([]);
  expect(await answers(workspace.repository)).toEqual(before);
  expect([...before.values()].filter(({ whole }) => whole)).toHaveLength(result.trees + result.snapshots);
  expect((await verifyAll(workspace)).structure.index).toMatchObject({ missing: 0, wrong: 0 });
});

test.each(['gone', 'garbage', 'empty'] as const)('works on an index that is %s', async (state) => {
  await made.workspace.close();
  const index = join(made.root, '.snap/index');
  if (state === 'gone') rmSync(index, { recursive: true });
  else
    for (const name of readdirSync(index))
      if (name !== 'LOCK') writeFileSync(join(index, name), state === 'empty' ? '' : noise(5000, 9));
  await reindex(made.root);
  const workspace = await made.reopen();
  expect((await verifyAll(workspace)).structure.index).toMatchObject({ missing: 0, wrong: 0 });
});

test('leaves nothing of the old index behind, and store and HEAD as they are', async () => {
  const head = readFileSync(join(made.root, '.snap/HEAD'), 'utf8');
  const packs = packPaths(join(made.root, '.snap/store'));
  await made.workspace.close();
  await reindex(made.root);
  expect(readdirSync(join(made.root, '.snap/tmp'))).toEqual([]);
  expect(readFileSync(join(made.root, '.snap/HEAD'), 'utf8')).toBe(head);
  expect(packPaths(join(made.root, '.snap/store'))).toEqual(packs);
  await made.reopen();
});

test('refuses while a command uses the index', async () => {
  await expect(reindex(made.root, { lockTimeoutMs: 0 })).rejects.toMatchObject({ code: 'locked' });
  await made.workspace.exclusively(async () => {
    await expect(reindex(made.root, { lockTimeoutMs: 0 })).rejects.toMatchObject({ code: 'locked' });
  });
});

test('says how much it could not read, and indexes the rest', async () => {
  await made.workspace.close();
  const [large = ''] = packPaths(join(made.root, '.snap/store'));
  rmSync(large);
  const result = await reindex(made.root);
  expect(result.packs).toBe(1);
  expect(result.damaged).toBeGreaterThan(0);
  await made.reopen();
});

test('a commit afterwards stores nothing again', async () => {
  await made.workspace.close();
  await reindex(made.root);
  const workspace = await openWorkspace(made.root);
  const before = packPaths(join(made.root, '.snap/store'));
  const { commit } = await import('../../src/api/commit.ts');
  expect((await commit(workspace, { message: 'nothing' })).id).toBeUndefined();
  await workspace.close();
  expect(packPaths(join(made.root, '.snap/store'))).toEqual(before);
  await made.reopen();
});
