import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readFile } from '../../src/api/diff.ts';
import type { LogSettings } from '../../src/api/history.ts';
import { explainIgnored, find, list, log, resolveRevisionPath, show } from '../../src/api/history.ts';
import { tag } from '../../src/api/tag.ts';
import { snapshotRef } from '../../src/object/ref-name.ts';
import { noise } from '../kit/folder.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';
import { collect } from './collect.ts';

let made: TestWorkspace;

beforeEach(async () => {
  made = await makeWorkspace();
});
afterEach(() => made.cleanup());

async function messages(settings: LogSettings = {}, workspace = made.workspace): Promise<string[]> {
  return (await collect(log(workspace, settings))).map(({ snapshot }) => snapshot.message);
}

test('newest first, with HEAD and tags; a revision gives it and its ancestors; a count ends it', async () => {
  expect(await messages()).toEqual([]);
  for (const message of ['one', 'two', 'three']) {
    made.write('f', message);
    await made.commit(message, message === 'two' ? { tag: 'v2' } : {});
  }
  expect(await messages()).toEqual(['three', 'two', 'one']);
  expect(await messages({ revision: 'v2' })).toEqual(['two', 'one']);
  expect(await messages({ count: 1 })).toEqual(['three']);
  expect(await messages({ count: 0 })).toEqual([]);
  const [newest, tagged] = await collect(log(made.workspace));
  expect([newest?.isHead, newest?.tags, tagged?.isHead, tagged?.tags]).toEqual([true, [], false, ['v2']]);
  expect(newest?.parent).toBe(tagged?.id);
});

test('for paths only snapshots in which one changed, its removal and its return too; times alone are no change', async () => {
  made.write('a', '1');
  made.write('d/b', '1');
  await made.commit('both');
  made.write('d/b', '2');
  await made.commit('b only');
  made.remove('a');
  await made.commit('without a');
  made.write('a', '1');
  await made.commit('a again');
  made.write('a', '1');
  made.write('c', '1');
  await made.commit('only the time of a');
  expect(await messages({ paths: ['a'] })).toEqual(['a again', 'without a', 'both']);
  expect(await messages({ paths: ['d'] })).toEqual(['b only', 'both']);
  expect(await messages({ paths: ['**/b', 'c'] })).toEqual(['only the time of a', 'b only', 'both']);
  expect(await messages({ paths: ['a'], revision: 'HEAD~1' })).toEqual(['a again', 'without a', 'both']);
  await expect(messages({ paths: ['d/c'] })).rejects.toMatchObject({
    code: 'not-found',
    hint: expect.stringContaining('d/b'),
  });
});

test('a pruned parent is stepped over', async () => {
  const ids = [];
  for (const message of ['one', 'two', 'three']) {
    made.write('f', message);
    ids.push(await made.commit(message));
  }
  const [one, two, three] = ids;
  if (one === undefined || two === undefined || three === undefined) throw new Error('three commits');
  await made.workspace.repository.publish(
    { operation: 'prune', note: '', refs: [{ name: snapshotRef(two), from: two, to: null }], grafts: { [two]: one } },
    {},
    () => {
      throw new Error('no conflict expected');
    },
  );
  expect(await messages({ revision: 'HEAD' })).toEqual(['three', 'one']);
  const shown = await show(made.workspace, 'HEAD');
  expect([shown.parent, shown.snapshot.parent]).toEqual([one, two]);
  expect((await collect(shown.changes())).map(({ kind, path }) => `${kind} ${path}`)).toEqual(['modified f']);
});

test('since and until take times as people write them, and refuse what is none', async () => {
  made.write('f', '1');
  await made.commit('now');
  expect(await messages({ since: '1 hour ago' })).toEqual(['now']);
  expect(await messages({ until: '1 hour ago' })).toEqual([]);
  await expect(messages({ since: 'soon' })).rejects.toMatchObject({ code: 'usage' });
  await expect(messages({ all: true, revision: 'HEAD' })).rejects.toMatchObject({ code: 'usage' });
});

test('a shared store: each workspace sees its own snapshots, --all shows all', async () => {
  await using other = await makeWorkspace({ store: join(made.root, '.snap/store'), files: { g: 'g' } });
  made.write('f', '1');
  await made.commit('mine');
  await other.commit('theirs');
  const workspace = await made.reopen();
  expect(await messages({}, workspace)).toEqual(['mine']);
  expect((await messages({ all: true }, workspace)).sort()).toEqual(['mine', 'theirs']);
  const found = await find(workspace, 'g', { all: true });
  expect(found.map(({ path }) => path)).toEqual(['g']);
  expect(await find(workspace, 'g')).toEqual([]);
});

test('find groups versions by content: one that came back is one version, times make none', async () => {
  for (const content of ['1', '2', '1']) {
    made.write('dir/name.txt', content);
    made.write('count', `${Math.random()}`);
    await made.commit(content);
  }
  made.remove('dir');
  await made.commit('gone');
  const [found, ...rest] = await find(made.workspace, '*.TXT', { ignoreCase: true });
  expect(rest).toEqual([]);
  expect(found?.path).toBe('dir/name.txt');
  expect(found?.versions.map(({ snapshots }) => snapshots.map(({ snapshot }) => snapshot.message))).toEqual([
    ['1', '1'],
    ['2'],
  ]);
  expect(await find(made.workspace, 'name.txt')).toHaveLength(1);
  expect((await find(made.workspace, 'dir/*')).map(({ path }) => path)).toEqual(['dir/name.txt']);
  expect((await find(made.workspace, 'dir')).map(({ versions }) => versions.length)).toEqual([1]);
  expect(await find(made.workspace, '*.md')).toEqual([]);
  await expect(find(made.workspace, '/')).rejects.toMatchObject({ code: 'usage' });
});

test('list: one folder, everything below, a file itself', async () => {
  made.write('a/b/c', '1');
  made.write('a/d', '2');
  await made.commit('first');
  await tag(made.workspace, 'v1', {});
  const names = async (text?: string, recursive = false): Promise<string[]> =>
    (await collect(list(made.workspace, text, { recursive }))).map(({ name }) => name);
  expect(await names()).toEqual(['.snapignore', 'a']);
  expect(await names('v1:a')).toEqual(['b', 'd']);
  expect(await names('HEAD:a/', true)).toEqual(['b', 'b/c', 'd']);
  expect(await names(':a/d')).toEqual(['d']);
  await expect(names('v1:a/x')).rejects.toMatchObject({ code: 'not-found' });
  await expect(names('a/b')).rejects.toMatchObject({ code: 'not-found', hint: expect.stringContaining('HEAD:a/b') });
  expect((await resolveRevisionPath(made.workspace, 'v1')).entry).toBeUndefined();
});

test('readFile gives the very bytes of files with one chunk, with many and with none; folders are refused', async () => {
  const contents = { none: Buffer.alloc(0), one: noise(1000, 1), many: noise(5_000_000, 2) };
  for (const [name, bytes] of Object.entries(contents)) writeFileSync(join(made.root, name), bytes);
  made.write('folder/x', 'x');
  await made.commit('first');
  for (const [name, bytes] of Object.entries(contents)) {
    const { content } = await readFile(made.workspace, `HEAD:${name}`);
    expect(Buffer.concat(await collect(content)).equals(bytes)).toBe(true);
  }
  await expect(readFile(made.workspace, 'HEAD:folder')).rejects.toMatchObject({ code: 'refused' });
  await expect(readFile(made.workspace, 'HEAD')).rejects.toMatchObject({ code: 'refused' });
  await expect(readFile(made.workspace, 'HEAD:flder')).rejects.toMatchObject({
    code: 'not-found',
    hint: expect.stringContaining('folder'),
  });
});

test('explainIgnored names rule, line and file, the folder that decided, and what snap itself leaves out', () => {
  made.write('.snapignore', '*.log\nbuild/\n');
  made.write('sub/.snapignore', '!a.log\n');
  const explained = explainIgnored(made.workspace, [
    'x.log',
    'sub/a.log',
    'sub/b.log',
    'build/',
    'build',
    'build/out/x.log',
    'kept',
    '.snap/HEAD',
  ]);
  expect(explained.map(({ ignored, rule, folder }) => [ignored, rule, folder])).toEqual([
    [true, '.snapignore:1: *.log', undefined],
    [false, 'sub/.snapignore:1: !a.log', undefined],
    [true, '.snapignore:1: *.log', undefined],
    [true, '.snapignore:2: build/', undefined],
    [false, undefined, undefined],
    [true, '.snapignore:2: build/', 'build'],
    [false, undefined, undefined],
    [true, 'snap itself: the reserved name ".snap"', '.snap'],
  ]);
});
