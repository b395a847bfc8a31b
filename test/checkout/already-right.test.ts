/** Files that are there already, and are as the snapshot has them, are found out cheaply and left alone. */
import { chmodSync, linkSync, statSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout, planCheckout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { status } from '../../src/api/history.ts';
import { openWorkspaceIn } from '../../src/api/workspace.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { processEnvironment } from '../../src/environment.ts';
import type { Job } from '../../src/work/jobs.ts';
import type { Workers } from '../../src/work/start-workers.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;
beforeEach(async () => {
  made = await makeWorkspace({ files: {} });
});
afterEach(() => made.cleanup());

test('many small ones are read in few jobs, in place and elsewhere', async () => {
  for (let n = 0; n < 3000; n++) made.write(`ignored/${n}`, `content ${n}`);
  const first = await made.commit('first');
  made.write('.snapignore', 'ignored/\n');
  await made.commit('second');
  const to = join(made.root, '../to');
  await checkout(made.workspace, { revision: first, to });
  const inline = inlineWorkers(realDisk);
  let jobs = 0;
  const run = (job: Job, ...rest: [ArrayBuffer[]?, boolean?]): ReturnType<Workers['run']> => {
    if (job.kind === 'read') jobs++;
    return inline.run(job, ...rest);
  };
  const counting: Workers = { ...inline, run };
  const workspace = await openWorkspaceIn(processEnvironment('snap test'), counting, made.root);
  for (const settings of [{ revision: first }, { revision: first, to, force: true }]) {
    await planCheckout(workspace, settings);
    await checkout(workspace, settings);
  }
  await workspace.close();
  expect(jobs).toBeLessThan(30);
});

test('elsewhere the preview names what the checkout then does: nothing, the metadata of one, names of one file', async () => {
  for (const name of ['a', 'b', 'linked']) made.write(name, `of ${name}`);
  symlinkSync('a', join(made.root, 'link'));
  const { id: revision = '' } = await commit(made.workspace);
  const to = join(made.root, '../to');
  await checkout(made.workspace, { revision, to });
  const settings = { revision, to, force: true };
  const steps = async (): Promise<string[]> =>
    (await planCheckout(made.workspace, settings)).steps
      .filter(({ kind }) => kind !== 'folder')
      .map(({ kind, path }) => `${kind} ${path}`);
  expect(await steps()).toEqual([]);
  expect(await checkout(made.workspace, settings)).toMatchObject({ changed: false, written: 0, alreadyRight: 5 });
  chmodSync(join(to, 'b'), 0o600);
  utimesSync(join(to, 'a'), 1, 1);
  expect(await steps()).toEqual(['metadata a', 'metadata b']);
  expect(await checkout(made.workspace, settings)).toMatchObject({ changed: true, written: 0, alreadyRight: 5 });
  expect(await steps()).toEqual([]);
  linkSync(join(made.root, 'linked'), join(made.root, 'linked too'));
  const { id: linked = '' } = await commit(made.workspace);
  settings.revision = linked;
  for (const names of [
    ['write linked', 'write linked too'],
    ['write linked', 'write linked too'],
  ]) {
    expect(await steps()).toEqual(names);
    expect(await checkout(made.workspace, settings)).toMatchObject({ written: 2, alreadyRight: 4 });
  }
  expect((await planCheckout(made.workspace, settings)).blocked).toEqual([]);
});

test('in place, an ignored one with several names is not written anew', async () => {
  made.write('data', 'same');
  const first = await made.commit('first');
  made.write('.snapignore', 'data\n');
  await made.commit('second');
  linkSync(join(made.root, 'data'), join(made.root, '../elsewhere'));
  const { ino } = statSync(join(made.root, 'data'));
  expect(await checkout(made.workspace, { revision: first })).toMatchObject({ written: 1 });
  expect(statSync(join(made.root, 'data'))).toMatchObject({ ino, nlink: 2 });
  expect((await status(made.workspace)).differs).toBe(false);
});
