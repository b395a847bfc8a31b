/** Commits of some paths beside others that are gone: what was not asked for stays in the snapshot, and is seen later. */
import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { list, show, status } from '../../src/api/history.ts';
import { collect } from '../history/collect.ts';
import { checkStore } from '../kit/checker/check-store.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;
beforeEach(async () => {
  made = await makeWorkspace({
    files: { 'd/a': '1', 'd/b': '1', 'm/old/a.pt': '1', 'm/old/keep/c': '1', 'm/new/b.pt': '1', 'm/gone/d.pt': '1' },
  });
  await made.commit('first');
});
afterEach(() => made.cleanup());

const at = (path: string): string => join(made.root, path);
const remove = (path: string): void => rmSync(at(path), { recursive: true });
const changed = async (): Promise<string[]> =>
  (await collect((await status(made.workspace)).changes)).map(({ path }) => path);

/** Commits the patterns; the paths that HEAD holds then. What it counts of them is right. */
async function committed(...patterns: string[]): Promise<string[]> {
  await commit(made.workspace, { message: 'some', patterns });
  expect(checkStore(at('.snap/store'))).toEqual([]);
  const held = await collect(list(made.workspace, 'HEAD', { recursive: true }));
  const files = held.filter(({ entry }) => entry.kind === 1);
  expect((await show(made.workspace, 'HEAD')).snapshot.totals.files).toBe(files.length);
  return held.map(({ path }) => path);
}

test.each([
  ['d/b', 'd/a', 'd/b'],
  ['m/old', 'm/new/b.pt', 'm/old/a.pt'],
  ['m/old', 'm/{new,nosuch}/*.pt', 'm/old/keep/c'],
])('%s is gone: after a commit of %s it is in HEAD, is seen, and comes back', async (lost, asked, held) => {
  remove(lost);
  made.write(asked.startsWith('m') ? 'm/new/b.pt' : asked, '22');
  expect(await committed(asked)).toContain(held);
  expect(await changed()).toContain(held);
  await checkout(made.workspace, { revision: 'HEAD' });
  expect(made.exists(held)).toBe(true);
  expect(await changed()).toEqual([]);
});

test('what rules leave out by now stays until a commit of all', async () => {
  made.write('d/.snapignore', 'b\n');
  made.write('d/a', '22');
  expect(await committed('d/a')).toContain('d/b');
  expect(await changed()).toEqual(['d/.snapignore', 'd/b']);
});

const SOON: readonly [what: string, act: (path: string) => void][] = [
  ['gone', () => undefined],
  ['a file', (path) => writeFileSync(path, 'now')],
  ['a link', (path) => symlinkSync('new', path)],
];

test.each(SOON)('a folder that is %s: what is selected in it leaves the snapshot, the rest stays', async (_, act) => {
  remove('m/old');
  act(at('m/old'));
  const held = await committed('m/**/*.pt');
  expect(held).not.toContain('m/old/a.pt');
  expect(held).toEqual(expect.arrayContaining(['m/old/keep/c', 'm/new/b.pt', 'm/gone/d.pt']));
  expect((await changed()).join()).toContain('m/old');
  expect(await committed()).not.toContain('m/old/keep/c');
  expect(await changed()).toEqual([]);
});

test.each(['m/gone/d.pt', 'm/gone/*', '**/d.pt', 'm/gone'])('of a folder that is gone, %s was all', async (pattern) => {
  remove('m/gone');
  const held = await committed(pattern);
  expect(held.filter((path) => path.startsWith('m/gone'))).toEqual([]);
  expect(held).toContain('m/old/a.pt');
  expect(await changed()).toEqual([]);
});
