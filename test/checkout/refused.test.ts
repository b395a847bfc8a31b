/** A checkout that is refused leaves nothing behind, and what already holds the right bytes is not in the way. */
import { statSync, utimesSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout, planCheckout } from '../../src/api/checkout.ts';
import { log, status } from '../../src/api/history.ts';
import { undo } from '../../src/api/undo.ts';
import { hasCode } from '../../src/errors.ts';
import { collect } from '../history/collect.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;
let first: string;
beforeEach(async () => {
  made = await makeWorkspace({ files: { a: 'one', 'data/big': 'payload' } });
  first = await made.commit('one');
  made.write('.snapignore', 'data/\n');
  made.write('a', 'two');
  await made.commit('two');
});
afterEach(() => made.cleanup());

test('an ignored file with the bytes of the snapshot is not in the way', async () => {
  expect((await planCheckout(made.workspace, { revision: first })).blocked).toEqual([]);
  const before = statSync(`${made.root}/data/big`).ino;
  await checkout(made.workspace, { revision: first });
  expect(statSync(`${made.root}/data/big`).ino).toBe(before);
  expect((await status(made.workspace)).differs).toBe(false);
});

test('one with other bytes is refused, and the changes saved for it are as uncommitted as before', async () => {
  made.write('data/big', 'precious');
  made.write('a', 'three');
  const before = (await collect(log(made.workspace))).length;
  const error = await checkout(made.workspace, { revision: first }).catch((thrown: unknown) => thrown);
  expect(hasCode(error, 'refused')).toBe(true);
  expect((await collect(log(made.workspace))).length).toBe(before);
  expect((await status(made.workspace)).differs).toBe(true);
  expect(made.read('data/big')).toBe('precious');
  // The newest operation to undo is the commit, not the one that the refused checkout made.
  const { plan } = await undo(made.workspace, {});
  expect(plan.kind === 'journal' && plan.entry.note).toBe('two');
});

test('the folder itself gets the time of the snapshot', async () => {
  utimesSync(made.root, 1_500_000_000, 1_500_000_000);
  made.write('a', 'x');
  const third = await made.commit('three');
  utimesSync(made.root, 1_600_000_000, 1_600_000_000);
  await checkout(made.workspace, { revision: first });
  await checkout(made.workspace, { revision: third });
  expect(statSync(made.root).mtimeMs).toBe(1_500_000_000_000);
});
