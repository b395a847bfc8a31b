/** A command that waited for another one in the same workspace goes on from where that one ended. */
import { expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { show } from '../../src/api/history.ts';
import { openWorkspace } from '../../src/api/workspace.ts';
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
