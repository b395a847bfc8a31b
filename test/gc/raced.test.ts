/** Danger: a step of gc that goes on from a state that others have left, or that never ends because of them. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { tag } from '../../src/api/tag.ts';
import { openWorkspace } from '../../src/api/workspace.ts';
import { SnapError } from '../../src/errors.ts';
import { onNewestState, Raced } from '../../src/gc/raced.ts';
import { StoreView } from '../../src/gc/store-view.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { makeSmallWorkspace, scratchFolder } from '../kit/small-workspace.ts';

const folder = scratchFolder();
let made: SmallWorkspace;
let view: StoreView;
let count = 0;
beforeEach(async () => {
  made = await makeSmallWorkspace(join(folder, String(count++)));
  made.write('file', 'text');
  await made.commit('first');
  view = await StoreView.read(made.workspace.repository);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Another process publishes an entry. */
async function others(name: string): Promise<void> {
  const other = await openWorkspace(made.root);
  await tag(other, name);
  await other.close();
}
const damage = new SnapError('corrupt-data', 'a pack that is gone');

test('a step that raced runs again, on the state that is the newest then', async () => {
  const seen: number[] = [];
  const result = await onNewestState(view, async () => {
    seen.push(view.state.number);
    if (seen.length > 1) return 'done';
    await others('a');
    throw new Raced();
  });
  expect(result).toBe('done');
  expect(seen).toEqual([2, 3]);
});

test('one that always races gives up after eight times, and says so', async () => {
  let runs = 0;
  const step = async (): Promise<never> => {
    runs++;
    throw new Raced();
  };
  await expect(onNewestState(view, step)).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('8 times'),
    hint: expect.stringContaining('again'),
  });
  expect(runs).toBe(8);
});

test('what cannot be read while nobody publishes is damage, at once', async () => {
  let runs = 0;
  const step = async (): Promise<never> => {
    runs++;
    throw damage;
  };
  await expect(onNewestState(view, step)).rejects.toBe(damage);
  expect(runs).toBe(1);
});

test('what cannot be read while somebody publishes is read again, at most eight times', async () => {
  let runs = 0;
  const step = async (): Promise<string> => {
    if (++runs === 3) return 'done';
    await others(`t${runs}`);
    throw damage;
  };
  expect(await onNewestState(view, step)).toBe('done');
  runs = 10;
  const never = async (): Promise<never> => {
    await others(`t${++runs}`);
    throw damage;
  };
  await expect(onNewestState(view, never)).rejects.toBe(damage);
  expect(runs).toBe(18);
});

test('any other error ends it, whoever publishes', async () => {
  const failure = new SnapError('io', 'the disk');
  let runs = 0;
  const step = async (): Promise<never> => {
    runs++;
    await others('x');
    throw failure;
  };
  await expect(onNewestState(view, step)).rejects.toBe(failure);
  expect(runs).toBe(1);
});
