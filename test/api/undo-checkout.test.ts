/** Undo of a checkout: the folder goes back with HEAD, with what was not committed, and only where it was changed. */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { undo } from '../../src/api/undo.ts';
import { makeWorkspace, type TestWorkspace } from '../kit/workspace.ts';
import { operationsOf } from './operations.ts';

let made: TestWorkspace;

beforeEach(async () => {
  made = await makeWorkspace({ files: { f: '1', 'd/g': 'deep' } });
});
afterEach(() => made.cleanup());

const { head, operations, prune } = operationsOf(() => made);

describe('checkout', () => {
  test('undo brings back the folder with what was not committed, and HEAD; redo and undo again', async () => {
    const first = await made.commit('first');
    made.write('f', '2');
    made.write('added', 'x');
    const second = await made.commit('second');
    made.write('f', 'not committed');
    await checkout(made.workspace, { revision: first });
    expect(made.read('f')).toBe('1');
    expect(head()).toBe(first);
    const undone = await undo(made.workspace);
    expect(undone.plan.target).toBe('w1');
    expect(undone.id).toBe('w2');
    expect(made.read('f')).toBe('not committed');
    expect(made.read('added')).toBe('x');
    expect(head()).toBe(second);
    await made.reopen();
    expect(head()).toBe(second);
    await undo(made.workspace, { operation: 'w2' });
    expect(made.read('f')).toBe('1');
    expect(made.exists('added')).toBe(false);
    expect(head()).toBe(first);
    expect((await undo(made.workspace)).plan.target).toBe('w1');
    expect(made.read('f')).toBe('not committed');
    // The commits that saved changes belong to the checkouts: the next undo is the one of "second".
    expect((await undo(made.workspace)).plan.target).toBe('j3');
    expect(head()).toBe(first);
    expect(made.read('f')).toBe('not committed');
  });

  test('undo of a checkout of paths touches only these, and removes what was not there', async () => {
    made.write('gone', 'x');
    await made.commit('with');
    made.remove('gone');
    const without = await made.commit('without');
    await checkout(made.workspace, { revision: 'HEAD~1', paths: ['gone'] });
    expect(made.read('gone')).toBe('x');
    made.write('f', 'changed since');
    await undo(made.workspace);
    expect(made.exists('gone')).toBe(false);
    expect(made.read('f')).toBe('changed since');
    expect(head()).toBe(without);
  });

  test('is refused by name after a commit on top; plain undo walks back through both', async () => {
    const first = await made.commit('first');
    made.write('f', '2');
    const second = await made.commit('second');
    await checkout(made.workspace, { revision: first });
    made.write('f', '3');
    await made.commit('third');
    await expect(undo(made.workspace, { operation: 'w1' })).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('HEAD'),
    });
    expect((await undo(made.workspace)).plan.target).toBe('j5');
    expect((await undo(made.workspace)).plan.target).toBe('w1');
    expect(head()).toBe(second);
    expect(made.read('f')).toBe('2');
  });

  test('is refused when the snapshot to go back to was pruned', async () => {
    const first = await made.commit('first');
    made.write('f', '2');
    const second = await made.commit('second');
    await checkout(made.workspace, { revision: first });
    await prune(second);
    await expect(undo(made.workspace, { operation: 'w1' })).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('pruned'),
    });
    await undo(made.workspace);
    await undo(made.workspace);
    expect(made.read('f')).toBe('2');
  });

  test('a torn last record does not hinder', async () => {
    const first = await made.commit('first');
    made.write('f', '2');
    await made.commit('second');
    await checkout(made.workspace, { revision: first });
    appendFileSync(join(made.root, '.snap/operations.jsonl'), '{"format":1,"fr');
    expect((await undo(made.workspace)).id).toBe('w2');
    expect(await operations()).toEqual(['w2 undo', 'w1 checkout undone by w2', 'j3 commit', 'j2 commit', 'j1 init']);
  });
});
