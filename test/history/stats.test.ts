import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { gc } from '../../src/api/gc.ts';
import { stats } from '../../src/api/stats.ts';
import { packBytes } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import { makeWorkspace, type TestWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;

beforeEach(async () => {
  made = await makeWorkspace({ files: { '.snapignore': '' } });
  made.write('a', noise(400_000, 1));
  made.write('b', noise(100_000, 3));
  await made.commit('one');
  made.write('a', noise(600_000, 5));
  made.write('new/x', noise(50_000, 7));
  made.write('new/y', noise(60_000, 9));
  await made.commit('two');
});
afterEach(() => made.cleanup());

const near = (value: number, expected: number): void => {
  expect(value).toBeGreaterThan(expected - 5000);
  expect(value).toBeLessThan(expected + 5000);
};

test('all snapshots of a workspace', async () => {
  const result = await stats(made.workspace);
  expect(result).toMatchObject({
    snapshots: 2,
    files: 5,
    fileBytes: 810_000,
    logicalBytes: 1_310_000,
    uniqueBytes: 1_210_000,
  });
  near(result.storedBytes, 1_210_000);
  // Nothing is dead, so all of the store is in use: the shares add up to the packs.
  expect(result.storedBytes).toBe(packBytes(`${made.root}/.snap/store`));
  expect(result.heldBytes).toBe(result.storedBytes);
});

test('what only a given snapshot holds is what pruning it frees', async () => {
  const { heldBytes, files } = await stats(made.workspace, { revisions: ['HEAD~1'] });
  near(heldBytes, 400_000);
  expect(files).toBe(3);
  const { freedBytes } = await gc(made.workspace, { rules: { keepLast: 1 } });
  expect(Math.abs(freedBytes - heldBytes)).toBeLessThan(1000);
});

test('a set is measured together', async () => {
  const both = await stats(made.workspace, { revisions: ['HEAD', 'HEAD~1', 'HEAD'] });
  expect(both.snapshots).toBe(2);
  expect(both.heldBytes).toBe((await stats(made.workspace)).storedBytes);
});

test('largest files, and what grew: a new folder is one path', async () => {
  const result = await stats(made.workspace);
  expect(result.largest.map(({ path }) => path)).toEqual(['a', 'b', 'new/y', 'new/x']);
  expect(result.grown).toEqual([
    { path: 'a', before: 400_000, after: 600_000 },
    { path: 'new/', before: 0, after: 110_000 },
  ]);
  // A single snapshot is compared with the one before it.
  expect((await stats(made.workspace, { revisions: ['HEAD'] })).grown).toEqual(result.grown);
});

test('at most ten paths, the largest', async () => {
  for (let i = 0; i < 30; i++) made.write(`many/${i}`, 'x'.repeat(i + 1));
  await made.commit('three');
  const { largest } = await stats(made.workspace);
  expect(largest).toHaveLength(10);
  expect(largest.map(({ bytes }) => bytes)).toEqual(largest.map(({ bytes }) => bytes).toSorted((a, b) => b - a));
});

test('counts what an interrupted commit left', async () => {
  expect((await stats(made.workspace)).leftovers).toEqual({ files: 0, bytes: 0 });
  writeFileSync(`${made.root}/.snap/store/tmp/${'0'.repeat(32)}.pack`, 'x'.repeat(1234));
  expect((await stats(made.workspace)).leftovers).toEqual({ files: 1, bytes: 1234 });
  await gc(made.workspace);
  expect((await stats(made.workspace)).leftovers).toEqual({ files: 0, bytes: 0 });
});

test('a workspace without snapshots', async () => {
  const empty = await makeWorkspace();
  try {
    expect(await stats(empty.workspace)).toMatchObject({
      snapshots: 0,
      storedBytes: 0,
      heldBytes: 0,
      largest: [],
      grown: [],
    });
  } finally {
    await empty.cleanup();
  }
});
