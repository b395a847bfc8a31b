/**
 * Danger: a checker that says "sound" to everything. The independent checker finds nothing in stores that went through
 * commits, tags, undo and gc, and something after every change of a byte of them. Two writings of one format, src/ and the
 * checker, thus agree.
 */
import fs from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { gc } from '../../src/api/gc.ts';
import { tag } from '../../src/api/tag.ts';
import { undo } from '../../src/api/undo.ts';
import { amount, randomFrom, SEED } from '../kit/amount.ts';
import { checkStore, leftovers } from '../kit/checker/check-store.ts';
import { differences, readFolder, readSnapshot } from '../kit/checker/snapshot.ts';
import { flipBit, packPaths } from '../kit/damage.ts';
import { makeOddFolder, noise } from '../kit/folder.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

let odd: TestWorkspace;
let store: string;
let id: string;

beforeAll(async () => {
  odd = await makeWorkspace();
  store = join(odd.root, '.snap/store');
  makeOddFolder(odd.root);
  for (let i = 0; i < 4200; i++) odd.write(`many/${i}`, '');
  id = await odd.commit('everything odd');
});
afterAll(() => odd.cleanup());

test('a new store is sound, and what it holds is what is in the folder', () => {
  expect(checkStore(store)).toEqual([]);
  expect(leftovers(store)).toEqual([]);
  expect(differences(readSnapshot(store, id), readFolder(odd.root))).toEqual([]);
});

test('a folder that is another is told from the snapshot', () => {
  const expected = readSnapshot(store, id);
  const found = readFolder(odd.root);
  const change = (path: string, changes: object): string[] => {
    const before = found.get(path);
    if (before === undefined) throw new Error(`no ${path}`);
    const changed = new Map(found).set(path, { ...before, ...changes });
    return differences(expected, changed);
  };
  expect(change('zero', { mode: 0o600 })).toEqual([`zero: mode is ${0o600} instead of ${0o644}`]);
  expect(change('zero', { mtime: 0n })).toHaveLength(1);
  expect(change('zero', { sha256: '00' })).toHaveLength(1);
  expect(change('link', { target: 'zero' })).toHaveLength(1);
  expect(change('hard one', { linkKey: undefined })).toContain('src/a.txt: no name of the file that it was');
  expect(differences(expected, new Map([...found].slice(1)))).toHaveLength(1);
  expect(differences(new Map([...expected].slice(1)), found)).toHaveLength(1);
});

test('a store that went through checkout, undo, tag and gc is sound after each of them', async () => {
  await using made = await makeWorkspace();
  const folder = join(made.root, '.snap/store');
  for (let i = 1; i <= 4; i++) {
    made.write('big', noise(400_000, 2 * i + 1));
    made.write(`small ${i}`, `version ${i}`);
    await made.commit(`number ${i}`, i === 2 ? { tag: 'kept' } : {});
    expect(checkStore(folder)).toEqual([]);
  }
  made.write('small 4', 'not committed');
  await checkout(made.workspace, { revision: 'HEAD~2' });
  expect(checkStore(folder)).toEqual([]);
  await undo(made.workspace);
  expect(checkStore(folder)).toEqual([]);
  await tag(made.workspace, 'released/1.0');
  await gc(made.workspace, { rules: { keepLast: 1 }, now: true });
  expect(checkStore(folder)).toEqual([]);
  expect(leftovers(folder)).toEqual([]);
});

test('every changed byte of a store is found', {
  timeout: amount({ sample: 30_000, ordinary: 60_000, long: 1_800_000 }),
}, async () => {
  await using made = await makeWorkspace({ files: { 'a/one': 'one', 'a/two': 'two', three: 'three'.repeat(500) } });
  await made.commit('first', { tag: 'v1' });
  made.write('a/two', noise(3000, 3));
  await made.commit('second');
  const folder = join(made.root, '.snap/store');
  const paths = [...packPaths(folder), join(folder, 'config.json'), join(folder, 'journal/000000000002.json')];
  const random = randomFrom(SEED);
  for (let i = 0; i < amount({ sample: 100, ordinary: 2000, long: 50_000 }); i++) {
    const path = paths[Math.floor(random() * paths.length)] ?? '';
    const offset = Math.floor(random() * fs.statSync(path).size);
    const bit = Math.floor(random() * 8);
    flipBit(path, offset, bit);
    // The configuration is not in the chain: a changed digit of its id or of a size makes another configuration.
    const isAnother = path.endsWith('config.json');
    const problems = checkStore(folder);
    flipBit(path, offset, bit);
    if (!isAnother) expect(problems, `SNAP_SEED=${SEED}, flip ${i}: ${path} at ${offset}, bit ${bit}`).not.toEqual([]);
  }
  expect(checkStore(folder)).toEqual([]);
});
