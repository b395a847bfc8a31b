/** Patterns of a commit against a real folder: what is on the way to them decides, as for the walk. */
import { rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { commit } from '../../src/api/commit.ts';
import { show } from '../../src/api/history.ts';
import { collect } from '../history/collect.ts';
import { snap } from '../kit/snap.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;
beforeEach(async () => {
  made = await makeWorkspace({ files: { 'd/n': '1', 'd/deep/n': '1', file: '1', 'was/x': '1' } });
  symlinkSync('d', join(made.root, 'ld'));
  await made.commit('first');
  for (const path of ['d/n', 'd/deep/n', 'file']) made.write(path, '22');
});
afterEach(() => made.cleanup());

/** Paths that a commit of `patterns` changed. */
async function committed(...patterns: string[]): Promise<string[]> {
  const { id } = await commit(made.workspace, { patterns });
  if (id === undefined) return [];
  return (await collect((await show(made.workspace, id)).changes())).map(({ path }) => path);
}

test.each([
  'ld/n',
  'ld/*',
  'ld/**',
  'ld/deep/n',
  'ld/deep/*',
  '{ld,nosuch}/n',
])('"%s" leads through a link, as no walk does: it matches nothing', async (pattern) => {
  await expect(committed(pattern)).rejects.toMatchObject({
    code: 'not-found',
    message: `"${pattern}" matches nothing: "ld" is a link, and nothing behind it is part of a snapshot`,
  });
});

test('so it does from within the link, and what is beside it is found', async () => {
  expect(snap(['-C', join(made.root, 'ld'), 'commit', 'n', '-m', 'x'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('"ld" is a link'),
  });
  expect(await committed('{ld,d}/n')).toEqual(['d/n']);
  rmSync(join(made.root, 'ld'));
  symlinkSync('file', join(made.root, 'ld'));
  expect(await committed('ld')).toEqual(['ld']);
});

test('a file where a pattern wants a folder is no match, and no other one is lost by it', async () => {
  const long = 'x'.repeat(300);
  for (const pattern of ['file/*', 'file/**', 'file/x', `${long}/*`, `${long}/${long}`, 'nosuch/*'])
    await expect(committed(pattern), pattern).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringContaining('neither in the folder nor in the last snapshot'),
    });
  expect(await committed('{file,d}/**', `{${long}/*,d/n,file/x}`)).toEqual(['d/deep/n', 'd/n']);
});

test('what was a folder and is a file, or a link, is committed by what was in it', async () => {
  rmSync(join(made.root, 'was'), { recursive: true });
  made.write('was', 'now a file');
  expect(await committed('was/**')).toEqual(['was/x', 'was']);
  made.remove('d');
  symlinkSync('was', join(made.root, 'd'));
  expect(await committed('d/**')).toEqual(['d/deep/n', 'd/n', 'd']);
});
