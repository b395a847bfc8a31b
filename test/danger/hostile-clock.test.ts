/** Clocks that are centuries off: what is acknowledged can be read, whatever they say. */
import { utimesSync } from 'node:fs';
import { expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { gc } from '../../src/api/gc.ts';
import { log } from '../../src/api/history.ts';
import { operationLog } from '../../src/api/undo.ts';
import { openWorkspaceIn } from '../../src/api/workspace.ts';
import { processEnvironment } from '../../src/environment.ts';
import { startWorkers } from '../../src/work/start-workers.ts';
import { collect } from '../history/collect.ts';
import { verifyAll } from '../kit/damage.ts';
import { makeWorkspace } from '../kit/workspace.ts';
import { publishTree } from './crafted.ts';

test.each([
  ['beyond the year 9999', new Date(8.64e15), 840],
  ['in the year 10000', new Date(Date.UTC(9999, 11, 31, 23)), 840],
  ['before the year 0', new Date(-8.64e15), -720],
])('a commit and a checkout with a clock %s', async (_what, date, zone) => {
  await using made = await makeWorkspace({ files: { f: 'one' } });
  const first = await made.commit('one');
  made.write('f', 'two');
  await made.workspace.close();
  const environment = { ...processEnvironment('test'), now: () => date, zoneMinutes: () => zone };
  const workspace = await openWorkspaceIn(environment, startWorkers(1), made.root);
  const { id } = await commit(workspace, { message: 'two' });
  expect((await workspace.repository.trees.snapshot(id as never)).time).toMatch(/^\d{4}-/);
  await checkout(workspace, { revision: first });
  await workspace.close();
  await made.reopen();
  expect((await collect(log(made.workspace, { all: true }))).map((one) => one.id).sort()).toEqual([first, id].sort());
  await checkout(made.workspace, { revision: id ?? '' });
  expect(made.read('f')).toBe('two');
  expect((await collect(operationLog(made.workspace))).length).toBeGreaterThan(3);
  await gc(made.workspace, {});
  expect((await verifyAll(made.workspace)).faultCount).toBe(0);
});

test.each(['2300-01-01', '1600-01-01'])('a commit of a folder whose time is %s', async (date) => {
  await using made = await makeWorkspace({ files: { f: 'one' } });
  const first = await made.commit('one');
  made.write('f', 'two');
  utimesSync(made.root, new Date(date), new Date(date));
  const second = await made.commit('two');
  await made.reopen();
  expect((await collect(log(made.workspace))).map((one) => one.id)).toEqual([second, first]);
  await checkout(made.workspace, { revision: first });
  await checkout(made.workspace, { revision: second });
  expect(made.read('f')).toBe('two');
  expect((await verifyAll(made.workspace)).faultCount).toBe(0);
});

test.each([24 * 60, -24 * 60, 99 * 60, 0.5, Number.NaN])('a commit in a zone of %s minutes', async (zone) => {
  await using made = await makeWorkspace({ files: { f: 'one' } });
  const environment = { ...processEnvironment('test'), zoneMinutes: () => zone };
  const workspace = await openWorkspaceIn(environment, startWorkers(1), made.root);
  const { id } = await commit(workspace, { message: 'one' });
  await workspace.close();
  await made.reopen();
  expect((await collect(log(made.workspace))).map((one) => one.id)).toEqual([id]);
  expect((await verifyAll(made.workspace)).faultCount).toBe(0);
});

test.each([
  '+056786-10-05T03:04:05.678+01:00',
  '-000165-10-05T03:04:05.678+00:00',
])('a snapshot of an earlier version that says %s is read', async (time) => {
  await using made = await makeWorkspace({ files: { f: 'one' } });
  const first = await made.commit('one');
  const { tree } = await made.workspace.repository.trees.snapshot(first);
  const id = await publishTree(made.workspace, [], tree, { time });
  expect((await collect(log(made.workspace, { all: true }))).map((one) => one.id).sort()).toEqual([first, id].sort());
  await checkout(made.workspace, { revision: id });
  await gc(made.workspace, { rules: { keepDaily: 3 } });
  expect((await verifyAll(made.workspace)).faultCount).toBe(0);
});
