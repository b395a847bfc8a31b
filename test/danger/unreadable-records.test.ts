/** What no reader would take is never written, whatever a program, a setting or a clock says: nothing is acknowledged. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { openWorkspace, openWorkspaceIn } from '../../src/api/workspace.ts';
import { processEnvironment } from '../../src/environment.ts';
import { startWorkers } from '../../src/work/start-workers.ts';
import { verifyAll } from '../kit/damage.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;
beforeEach(async () => {
  made = await makeWorkspace({ files: { f: 'one' } });
  await made.commit('one');
  made.write('f', 'two');
});
afterEach(() => made.cleanup());

const entries = (): number => readdirSync(join(made.root, '.snap/store/journal')).length;

async function expectUnharmed(journal: number): Promise<void> {
  expect(entries()).toBe(journal);
  expect((await verifyAll(made.workspace)).faultCount).toBe(0);
  await made.commit('the next one');
}

test.each([
  ['a number', { meta: { epoch: 5 } }],
  ['a fraction', { meta: { loss: 0.031 } }],
  ['nothing', { meta: { epoch: undefined } }],
  ['a list', { meta: { list: ['a'] } }],
  ['a message that is none', { message: 5 }],
  ['a tag that is none', { tag: { name: 'v1' } }],
])('a commit with %s in the place of a text', async (_what, settings) => {
  const before = entries();
  await expect(commit(made.workspace, settings as never)).rejects.toMatchObject({
    code: 'usage',
    message: expect.stringContaining('must be a text'),
  });
  await expectUnharmed(before);
});

test.each([
  ['a host', { host: 5 }],
  ['a program', { program: undefined }],
  ['a user', { user: null }],
])('an environment with %s that is no text', async (_what, wrong) => {
  const before = entries();
  const environment = { ...processEnvironment('test'), ...wrong } as never;
  const workspace = await openWorkspaceIn(environment, startWorkers(1), made.root);
  await expect(commit(workspace, { message: 'x' })).rejects.toMatchObject({ code: 'internal' });
  await workspace.close();
  await made.reopen();
  await expectUnharmed(before);
});

test('a checkout with settings of its own inside', async () => {
  await checkout(made.workspace, { revision: 'HEAD', setHead: 'zz' } as never);
  expect((await verifyAll(made.workspace)).faultCount).toBe(0);
});

test.each(['ABC', 'A'.repeat(32), ''])('a workspace whose id is %j', async (id) => {
  const before = entries();
  const path = join(made.root, '.snap/config.toml');
  const good = readFileSync(path, 'utf8');
  writeFileSync(path, good.replace(/^id = .*/m, `id = "${id}"`));
  await expect(openWorkspace(made.root)).rejects.toMatchObject({
    code: 'corrupt-data',
    hint: expect.stringContaining('32 digits'),
  });
  writeFileSync(path, good);
  await expectUnharmed(before);
});

test.each([
  null,
  'a word',
  new Error('mine'),
  undefined,
])('a signal with the reason %s is `interrupted`', async (why) => {
  const stop = new AbortController();
  const workspace = await openWorkspace(made.root, { signal: stop.signal });
  stop.abort(why);
  await expect(commit(workspace, { message: 'x' })).rejects.toMatchObject({ code: 'interrupted' });
  await workspace.close();
});
