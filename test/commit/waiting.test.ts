/** A command that waited for another one in the same workspace goes on from where that one ended. */
import { expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { gc } from '../../src/api/gc.ts';
import { show } from '../../src/api/history.ts';
import { verify } from '../../src/api/verify.ts';
import { openWorkspace } from '../../src/api/workspace.ts';
import { readPicture } from '../kit/crash/stage.ts';
import { makeWorkspace } from '../kit/workspace.ts';

test('a commit that waited has the one before it as its parent, and keeps what that one recorded', async () => {
  await using made = await makeWorkspace({ files: { a: 'one', b: 'one' } });
  await made.commit('first');
  const waiting = await openWorkspace(made.root);
  try {
    made.write('a', 'two');
    const second = await made.commit('second');
    made.write('b', 'two');
    const { id } = await commit(waiting, { message: 'third', patterns: ['b'] });
    expect((await show(waiting, id ?? '')).snapshot.parent).toBe(second);
    // Only `b` was named: `a` comes from the parent, and that is the second snapshot.
    expect((await commit(waiting, { message: 'fourth' })).id).toBeUndefined();
  } finally {
    await waiting.close();
  }
});

test('a checkout that waited takes HEAD as it is then', async () => {
  await using made = await makeWorkspace({ files: { a: 'one' } });
  await made.commit('first');
  const waiting = await openWorkspace(made.root);
  try {
    made.write('a', 'two');
    made.write('new', 'two');
    await made.commit('second');
    await checkout(waiting, { revision: 'HEAD' });
    expect([made.read('a'), made.read('new')]).toEqual(['two', 'two']);
  } finally {
    await waiting.close();
  }
});

test('commits at once through one open workspace come one after the other', async () => {
  await using made = await makeWorkspace({ files: { a: 'one' } });
  const first = await made.commit('first');
  for (const name of ['b', 'c', 'd']) made.write(name, name);
  const made3 = await Promise.all(
    ['b', 'c', 'd'].map(async (name, i) => {
      // The second begins while the first is at work.
      await new Promise((resolve) => setTimeout(resolve, 15 * i));
      return commit(made.workspace, { message: name, patterns: [name] });
    }),
  );
  const parents = await Promise.all(
    made3.map(async ({ id }) => (await show(made.workspace, id ?? '')).snapshot.parent),
  );
  expect(parents).toEqual([first, made3[0]?.id, made3[1]?.id]);
  expect((await commit(made.workspace, { message: 'rest' })).id).toBeUndefined();
});

test('a gc through the same open workspace does not take what a commit relies on', async () => {
  await using made = await makeWorkspace({ files: { a: 'kept' } });
  for (let round = 0; round < 5; round++) {
    made.write('gone', 'x'.repeat(50_000) + round);
    await made.commit(`with ${round}`);
    made.remove('gone');
    await made.commit(`without ${round}`);
    // The commit finds the contents known; the gc at the same time sweeps them.
    made.write('again', 'x'.repeat(50_000) + round);
    const [{ id }] = await Promise.all([
      commit(made.workspace, { message: `again ${round}` }),
      gc(made.workspace, { rules: round % 2 === 0 ? { keepLast: 1 } : {}, now: true }),
    ]);
    expect((await verify(made.workspace, { data: true })).faultCount).toBe(0);
    expect([...(await readPicture(made.workspace.repository, id as never)).keys()]).toContain('again');
  }
});
