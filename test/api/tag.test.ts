import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeTag, tag, tags } from '../../src/api/tag.ts';
import { openWorkspace } from '../../src/api/workspace.ts';
import { readEntry } from '../../src/repo/journal.ts';
import { setTag } from '../../src/repo/tagging.ts';
import { makeWorkspace, type TestWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;

beforeEach(async () => {
  made = await makeWorkspace({ files: { f: '1' } });
});
afterEach(() => made.cleanup());

test('a tag names HEAD by default, is listed, and is a revision', async () => {
  const first = await made.commit('first');
  made.write('f', '2');
  const second = await made.commit('second');
  await tag(made.workspace, 'v1.10', {});
  await tag(made.workspace, 'v1.9', { revision: 'HEAD~1' });
  const listed = await tags(made.workspace);
  expect(listed.map(({ name, id, snapshot }) => [name, id, snapshot.message])).toEqual([
    ['v1.9', first, 'first'],
    ['v1.10', second, 'second'],
  ]);
  await tag(made.workspace, 'again', { revision: 'v1.9' });
  expect((await tags(made.workspace)).find(({ name }) => name === 'again')?.id).toBe(first);
});

test('an existing tag is refused, and moved with force; each change is one journal entry with both ends', async () => {
  const first = await made.commit('first');
  await tag(made.workspace, 'v1', {});
  made.write('f', '2');
  const second = await made.commit('second');
  await expect(tag(made.workspace, 'v1', {})).rejects.toMatchObject({ code: 'exists' });
  const before = made.workspace.repository.state().number;
  expect(await tag(made.workspace, 'v1', { force: true })).toEqual({ name: 'v1', from: first, to: second });
  const entry = (await readEntry(made.workspace.repository.backend, before + 1))?.entry;
  expect(entry).toMatchObject({
    operation: 'tag',
    workspace: made.workspace.repository.workspaceId,
    refs: [{ name: 'tags/v1', from: first, to: second }],
    head: null,
  });
  await tag(made.workspace, 'v1', { force: true });
  expect(made.workspace.repository.state().number).toBe(before + 1);
  await removeTag(made.workspace, 'v1');
  expect(await tags(made.workspace)).toEqual([]);
  await expect(removeTag(made.workspace, 'v1')).rejects.toMatchObject({ code: 'not-found' });
});

test('bad names, unknown revisions and a workspace without snapshots are refused and change nothing', async () => {
  await expect(tag(made.workspace, 'v1', {})).rejects.toMatchObject({ code: 'not-found' });
  await made.commit('first');
  const before = made.workspace.repository.state().number;
  for (const name of ['', 'a b', '-x', 'HEAD', 'deadbeef', 'a//b', '../x'])
    await expect(tag(made.workspace, name, {})).rejects.toMatchObject({ code: 'usage' });
  await expect(tag(made.workspace, 'v1', { revision: 'nope' })).rejects.toMatchObject({ code: 'not-found' });
  expect(made.workspace.repository.state().number).toBe(before);
});

test('a tag set by another process meanwhile is a conflict, and another change is not', async () => {
  const first = await made.commit('first');
  const other = await openWorkspace(made.root);
  try {
    // The other process publishes behind the back of this one, whose state is older now.
    await setTag(other.repository, 'elsewhere', first, false);
    await setTag(made.workspace.repository, 'mine', first, false);
    await other.repository.refresh();
    await setTag(other.repository, 'v1', first, false);
    await expect(setTag(made.workspace.repository, 'v1', first, false)).rejects.toMatchObject({ code: 'conflict' });
  } finally {
    await other.close();
  }
  expect((await tags(made.workspace)).map(({ name }) => name)).toEqual(['elsewhere', 'mine', 'v1']);
});
