/** Where HEAD of one workspace stands is known to the gc of another on the same store. */
import { expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { gc } from '../../src/api/gc.ts';
import { log, status } from '../../src/api/history.ts';
import { operationLog, undo } from '../../src/api/undo.ts';
import { collect } from '../history/collect.ts';
import { makeWorkspace } from '../kit/workspace.ts';

test("gc keeps the snapshot that another workspace's HEAD was checked out at", async () => {
  await using a = await makeWorkspace({ files: { f: 'one' } });
  await using b = await makeWorkspace({ store: `${a.root}/.snap/store`, files: { f: 'of b' } });
  const one = await a.commit('one');
  const ofB = await b.commit('of b');
  a.write('f', 'two');
  await a.commit('two');
  await checkout(b.workspace, { revision: one });
  await gc(a.workspace, { rules: { keepLast: 1 }, all: true, now: true });
  await b.reopen();
  const { head, differs } = await status(b.workspace);
  expect([head?.id, differs]).toEqual([one, false]);
  b.write('f', 'three');
  await b.commit('three');
  expect((await collect(log(b.workspace, { revision: 'HEAD' })))[1]?.id).toBe(one);

  // Back where it was: one operation for the person, and the journal follows.
  await undo(b.workspace);
  await undo(b.workspace);
  expect(b.read('f')).toBe('of b');
  expect((await status(b.workspace)).head?.id).toBe(ofB);
  const done = (await collect(operationLog(b.workspace))).map((operation) =>
    operation.source === 'journal' ? operation.entry.operation : operation.record.operation,
  );
  expect(done).toEqual(['undo', 'commit', 'undo', 'commit', 'checkout', 'commit', 'init']);
});
