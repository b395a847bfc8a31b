/** HEAD at a snapshot that was undone or pruned, here or by another workspace: its line goes on, and no file is left out. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { list, status } from '../../src/api/history.ts';
import { tag } from '../../src/api/tag.ts';
import { undo } from '../../src/api/undo.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import { initWorkspace, openWorkspace, openWorkspaceIn } from '../../src/api/workspace.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { processEnvironment } from '../../src/environment.ts';
import { type BlobId, shortId } from '../../src/object/blob-id.ts';
import { snapshotRef } from '../../src/object/ref-name.ts';
import { startWorkers } from '../../src/work/start-workers.ts';
import { collect } from '../history/collect.ts';
import { temporaryFolder } from '../kit/folder.ts';
import { ok } from '../kit/snap.ts';

let folder: ReturnType<typeof temporaryFolder>;
let one: Workspace;
let two: Workspace;
const at = (name: string): string => join(folder.path, name);

beforeEach(async () => {
  folder = temporaryFolder();
  for (const name of ['one', 'two']) {
    mkdirSync(at(name));
    await initWorkspace(at(name), { store: at('store') });
  }
  one = await openWorkspace(at('one'));
  two = await openWorkspace(at('two'));
});
afterEach(async () => {
  await one.close();
  await two.close();
  folder.remove();
});

async function commitIn(workspace: Workspace, files: Readonly<Record<string, string>>): Promise<BlobId> {
  for (const [path, text] of Object.entries(files)) writeFileSync(join(workspace.root, path), text);
  const { id } = await commit(workspace, { message: Object.keys(files).join(' ') });
  return id as BlobId;
}

const parentOf = async ({ repository }: Workspace, id: BlobId): Promise<BlobId | null> =>
  (await repository.trees.snapshot(id)).parent;
const namesIn = async (workspace: Workspace): Promise<string[]> =>
  (await collect(list(workspace))).map(({ path }) => path);

describe('an undone commit that a tag names', () => {
  test('stays a snapshot: checked out, it is what the next commit goes on from', async () => {
    await commitIn(one, { a: '1', b: '1' });
    const second = await commitIn(one, { a: '2' });
    await tag(one, 'v1');
    await undo(one, { operation: 'j3' });
    expect(one.repository.state().refs.has(snapshotRef(second))).toBe(true);
    await checkout(one, { revision: 'v1' });
    expect((await status(one)).head?.id).toBe(second);
    writeFileSync(join(one.root, 'zz'), 'new');
    const { id } = await commit(one, { message: 'only zz', patterns: ['zz'] });
    expect(await parentOf(one, id as BlobId)).toBe(second);
    expect(await namesIn(one)).toEqual(['.snapignore', 'a', 'b', 'zz']);
    expect((await commit(one, { message: 'nothing' })).id).toBeUndefined();
  });

  test('by a tag alone, as early versions left it, is as good', async () => {
    const first = await commitIn(one, { a: '1', b: '1' });
    await tag(one, 'v1');
    const refs = [{ name: snapshotRef(first), from: first, to: null }];
    const draft = { operation: 'undo', note: '', workspace: one.repository.workspaceId, refs } as const;
    await one.repository.publish(draft, {}, () => draft);
    expect((await status(one)).head?.id).toBe(first);
    writeFileSync(join(one.root, 'zz'), 'new');
    const { id } = await commit(one, { message: 'only zz', patterns: ['zz'] });
    expect(await parentOf(one, id as BlobId)).toBe(first);
    expect(await namesIn(one)).toEqual(['.snapignore', 'a', 'b', 'zz']);
  });

  test('cannot be undone where that would do nothing', async () => {
    await commitIn(one, { a: '1' });
    await tag(one, 'v1');
    await commitIn(one, { a: '2' });
    await expect(undo(one, { operation: 'j2' })).rejects.toMatchObject({
      code: 'refused',
      message: 'j2 cannot be undone: what it made has the tag v1',
    });
  });

  test('goes with a tag that it made itself', async () => {
    writeFileSync(join(one.root, 'a'), '1');
    const { id } = await commit(one, { message: 'x', tag: 'v1' });
    await undo(one);
    expect(one.repository.state().refs.has(snapshotRef(id as BlobId))).toBe(false);
    expect(one.repository.state().refs.size).toBe(0);
  });
});

describe('a commit that another workspace was at, and that was undone', () => {
  test('the line goes on from its parent', async () => {
    const first = await commitIn(one, { a: '1', b: '1' });
    const second = await commitIn(one, { a: '2' });
    await checkout(two, { revision: second });
    await undo(one);
    await two.repository.refresh();
    expect((await status(two)).head?.id).toBe(first);
    writeFileSync(join(two.root, 'zz'), 'new');
    const { id } = await commit(two, { message: 'only zz', patterns: ['zz'] });
    expect(await parentOf(two, id as BlobId)).toBe(first);
    expect(await namesIn(two)).toEqual(['.snapignore', 'a', 'b', 'zz']);
  });

  test('without any ancestor the rest can be as in nothing: only a whole commit is made', async () => {
    const only = await commitIn(one, { a: '1', b: '1' });
    await checkout(two, { revision: only });
    await undo(one);
    await two.repository.refresh();
    writeFileSync(join(two.root, 'zz'), 'new');
    await expect(commit(two, { message: 'only zz', patterns: ['zz'] })).rejects.toMatchObject({
      code: 'refused',
      message: `the rest cannot be as in HEAD: ${shortId(only)} was pruned`,
    });
    await commit(two, { message: 'all' });
    expect(await namesIn(two)).toEqual(['.snapignore', 'a', 'b', 'zz']);
  });
});

test('a checkout of a snapshot that another workspace prunes meanwhile changes nothing', async () => {
  const ids = [];
  for (const a of ['1', '2', '3']) ids.push(await commitIn(one, { a }));
  await one.close();
  let prune: (() => unknown) | undefined = () => ok(['gc', '--all', '--keep-last', '1'], { cwd: at('two') });
  const environment = processEnvironment('test');
  const disk = {
    ...realDisk,
    link: (from: string, to: string): void => {
      const run = to.includes('/journal/') ? prune : undefined;
      if (run !== undefined) prune = undefined;
      run?.();
      realDisk.link(from, to);
    },
  };
  one = await openWorkspaceIn({ ...environment, disk }, startWorkers(1), at('one'));
  writeFileSync(join(one.root, 'a'), 'not committed');
  await expect(checkout(one, { revision: ids[0] as string })).rejects.toMatchObject({ code: 'not-found' });
  expect(prune).toBeUndefined();
  expect((await status(one)).head?.id).toBe(ids[2]);
  expect((await status(one)).differs).toBe(true);
});
