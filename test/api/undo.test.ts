/** Undo of commits, tags and prunes, and of undoes, beside others: refs and HEAD go back, and the folder stays. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { tag } from '../../src/api/tag.ts';
import { operationLog, previewUndo, undo } from '../../src/api/undo.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import { openWorkspace } from '../../src/api/workspace.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { snapshotRef, tagRef } from '../../src/object/ref-name.ts';
import { listSnapshots, livingParent } from '../../src/repo/snapshot-list.ts';
import { removeTag, setTag } from '../../src/repo/tagging.ts';
import { makeWorkspace, type TestWorkspace } from '../kit/workspace.ts';
import { operationsOf } from './operations.ts';

let made: TestWorkspace;

beforeEach(async () => {
  made = await makeWorkspace({ files: { f: '1', 'd/g': 'deep' } });
});
afterEach(() => made.cleanup());

const { head, operations, prune } = operationsOf(() => made);
const refs = (): ReadonlyMap<string, BlobId> => made.workspace.repository.state().refs;
const elsewhere = async (work: (other: Workspace) => Promise<unknown>): Promise<void> => {
  const other = await openWorkspace(made.root);
  try {
    await work(other);
  } finally {
    await other.close();
  }
};

describe('commits and tags', () => {
  test('undo of a commit takes back ref, tag and HEAD and leaves the folder; undo of the undo does it again', async () => {
    const first = await made.commit('first');
    made.write('f', '2');
    const second = await made.commit('second', { tag: 'v2' });
    const result = await undo(made.workspace);
    expect(result.plan.target).toBe('j3');
    expect(result.id).toBe('j4');
    expect(head()).toBe(first);
    expect([...refs().keys()]).toEqual([snapshotRef(first)]);
    expect(made.read('f')).toBe('2');
    await made.reopen();
    expect(head()).toBe(first);

    await undo(made.workspace, { operation: 'j4' });
    expect(head()).toBe(second);
    expect(refs().get(tagRef('v2'))).toBe(second);
    expect(await operations()).toEqual(['j5 undo', 'j4 undo undone by j5', 'j3 commit', 'j2 commit', 'j1 init']);
    expect(made.read('f')).toBe('2');
  });

  test('repeated undo walks back, then says that there is nothing left', async () => {
    await made.commit('first');
    await tag(made.workspace, 'v1');
    made.write('f', '2');
    await made.commit('second');
    expect((await undo(made.workspace)).plan.target).toBe('j4');
    expect((await undo(made.workspace)).plan.target).toBe('j3');
    expect((await undo(made.workspace)).plan.target).toBe('j2');
    expect(head()).toBeNull();
    expect(refs().size).toBe(0);
    await expect(undo(made.workspace)).rejects.toMatchObject({ code: 'not-found' });
    expect(await operations()).toEqual([
      'j7 undo',
      'j6 undo',
      'j5 undo',
      'j4 commit undone by j5',
      'j3 tag undone by j6',
      'j2 commit undone by j7',
      'j1 init',
    ]);
  });

  test('undo, redo, undo: the commit counts as undone by the last', async () => {
    await made.commit('first');
    await undo(made.workspace);
    await undo(made.workspace, { operation: 'j3' });
    expect((await undo(made.workspace)).plan.target).toBe('j2');
    expect(await operations()).toEqual([
      'j5 undo',
      'j4 undo',
      'j3 undo undone by j4',
      'j2 commit undone by j5',
      'j1 init',
    ]);
  });

  test('undo of an older commit leaves HEAD and lets ancestry step over it', async () => {
    const first = await made.commit('first');
    made.write('f', '2');
    await made.commit('second');
    made.write('f', '3');
    const third = await made.commit('third');
    await undo(made.workspace, { operation: 'j3' });
    expect(head()).toBe(third);
    const { parent } = await made.workspace.repository.trees.snapshot(third);
    expect(livingParent(made.workspace.repository, parent)).toBe(first);
    expect((await listSnapshots(made.workspace.repository, false)).map(({ id }) => id)).toEqual([third, first]);
  });

  test('a moved tag goes back; a tag that moved again is refused and named', async () => {
    const first = await made.commit('first');
    await tag(made.workspace, 'v1');
    made.write('f', '2');
    const second = await made.commit('second');
    await tag(made.workspace, 'v1', { force: true });
    await expect(undo(made.workspace, { operation: 'j3' })).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining(`the tag v1 is at ${second.slice(0, 10)} now`),
    });
    expect(refs().get(tagRef('v1'))).toBe(second);
    await undo(made.workspace);
    expect(refs().get(tagRef('v1'))).toBe(first);
  });

  test('dry run plans and changes nothing', async () => {
    const first = await made.commit('first');
    const before = made.workspace.repository.state();
    expect((await previewUndo(made.workspace)).target).toBe('j2');
    expect(made.workspace.repository.state()).toBe(before);
    expect(head()).toBe(first);
  });

  test('what cannot be undone says why', async () => {
    await made.commit('first');
    await expect(undo(made.workspace, { operation: 'j1' })).rejects.toMatchObject({ code: 'refused' });
    await expect(undo(made.workspace, { operation: 'j9' })).rejects.toMatchObject({ code: 'not-found' });
    await expect(undo(made.workspace, { operation: '3' })).rejects.toMatchObject({ code: 'usage' });
    await undo(made.workspace);
    await expect(undo(made.workspace, { operation: 'j2' })).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('j3'),
    });
  });

  test('tags set by another process of this workspace are undone like any other', async () => {
    const first = await made.commit('first');
    await tag(made.workspace, 'v1');
    await elsewhere((other) => setTag(other.repository, 'elsewhere', first, false));
    expect((await undo(made.workspace)).plan.target).toBe('j4');
    expect(refs().has(tagRef('elsewhere'))).toBe(false);
    expect(refs().get(tagRef('v1'))).toBe(first);
  });

  test('another process publishes between plan and entry: planned again, or refused if it moved the same ref', async () => {
    const first = await made.commit('first');
    await tag(made.workspace, 'other');
    await tag(made.workspace, 'v1');
    // Just before this process publishes, another one does.
    const meanwhile = (work: (other: Workspace) => Promise<unknown>): Workspace => {
      const { repository } = made.workspace;
      let done = false;
      const publish: typeof repository.publish = async (...args) => {
        if (!done) await elsewhere(work);
        done = true;
        return repository.publish(...args);
      };
      return { ...made.workspace, repository: { ...repository, publish } };
    };
    const result = await undo(
      meanwhile((other) => removeTag(other.repository, 'other')),
      { operation: 'j4' },
    );
    expect(result.id).toBe('j6');
    expect([...refs().keys()]).toEqual([snapshotRef(first)]);
    const redo = undo(
      meanwhile((other) => setTag(other.repository, 'v1', first, false)),
      { operation: 'j6' },
    );
    await expect(redo).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('the tag v1') });
    expect(refs().get(tagRef('v1'))).toBe(first);
  });
});

describe('prune', () => {
  test('brings refs back while the data is there', async () => {
    const first = await made.commit('first');
    made.write('f', '2');
    await made.commit('second');
    await prune(first);
    expect(refs().has(snapshotRef(first))).toBe(false);
    await undo(made.workspace);
    expect(refs().get(snapshotRef(first))).toBe(first);
    expect((await made.workspace.repository.trees.snapshot(first)).message).toBe('first');
  });

  test('is refused, naming what is gone, when a pack of it is gone', async () => {
    const first = await made.commit('first');
    const packs = [...made.workspace.repository.state().packs.keys()];
    made.write('f', '2');
    await made.commit('second');
    await prune(first);
    for (const pack of packs) rmSync(join(made.root, '.snap/store/packs', pack.slice(0, 2), `${pack}.pack`));
    // The index still holds the trees: what counts is the pack.
    await expect(undo(made.workspace)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining(first.slice(0, 10)),
    });
    expect(refs().has(snapshotRef(first))).toBe(false);
  });

  test('is refused after a sweep of its pack', async () => {
    const first = await made.commit('first');
    const packs = [...made.workspace.repository.state().packs.keys()];
    made.remove('d');
    made.write('f', 'quite another');
    await made.commit('second');
    await prune(first);
    const { repository } = made.workspace;
    for (const draft of [
      { operation: 'condemn', note: '', condemned: packs } as const,
      { operation: 'sweep', note: '', swept: packs } as const,
    ])
      await repository.publish(draft, { removedPacks: 'swept' in draft ? packs : [] }, () => draft);
    await expect(undo(made.workspace)).rejects.toMatchObject({ code: 'refused' });
    await expect(undo(made.workspace, { operation: 'j6' })).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('sweep'),
    });
  });
});

test('plain undo leaves operations of other workspaces of a shared store alone', async () => {
  const store = join(made.root, '../shared');
  await using one = await makeWorkspace({ store, files: { a: '1' } });
  await using two = await makeWorkspace({ store, files: { b: '1' } });
  const mine = await one.commit('mine');
  const theirs = await two.commit('theirs');
  await undo(one.workspace);
  expect([...one.workspace.repository.state().refs.keys()]).toEqual([snapshotRef(theirs)]);
  await expect(undo(one.workspace, { operation: 'j3' })).rejects.toMatchObject({ code: 'refused' });
  const ids: string[] = [];
  for await (const { id } of operationLog(one.workspace)) ids.push(id);
  expect(ids).toEqual(['j4', 'j2', 'j1']);
  expect(mine).not.toBe(theirs);
  expect(readdirSync(join(store, 'journal')).length).toBe(4);
});
