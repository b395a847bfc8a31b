/** What a checkout leaves alone is not taken for what the snapshot has. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { readFile } from '../../src/api/diff.ts';
import { status } from '../../src/api/history.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;
beforeEach(async () => {
  made = await makeWorkspace({ files: { a: 'one', 'sub/b': 'one' } });
});
afterEach(() => made.cleanup());

test.each([
  'never',
  'if-newer',
] as const)('files kept by --overwrite %s show as changed afterwards', async (overwrite) => {
  const first = await made.commit('one');
  made.write('a', 'two, longer');
  made.write('sub/b', 'two');
  await made.commit('two');
  // Stats are only remembered once they are older than the clock's grain.
  await new Promise((resolve) => setTimeout(resolve, 60));
  await commit(made.workspace, { message: 'nothing' });
  const { kept } = await checkout(made.workspace, { revision: first, overwrite });
  expect([...kept].sort()).toEqual(['a', 'sub/b']);
  expect((await status(made.workspace)).differs).toBe(true);
  await commit(made.workspace, { message: 'three' });
  const { content } = await readFile(made.workspace, 'HEAD:a');
  const pieces: Uint8Array[] = [];
  for await (const piece of content) pieces.push(piece);
  expect(Buffer.concat(pieces).toString()).toBe('two, longer');
});
