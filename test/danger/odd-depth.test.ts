/** Folders in folders, deeper than paths, stacks and open descriptors go: on the disk, and in the store only. */
import fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout, planCheckout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { diff } from '../../src/api/diff.ts';
import { gc } from '../../src/api/gc.ts';
import { find, list, log, status } from '../../src/api/history.ts';
import { stats } from '../../src/api/stats.ts';
import { openWorkspaceIn } from '../../src/api/workspace.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { processEnvironment } from '../../src/environment.ts';
import { BLOB_KIND, blobIdOf } from '../../src/object/blob-id.ts';
import { encodeTree } from '../../src/object/tree.ts';
import { amount } from '../kit/amount.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import { verifyAll } from '../kit/damage.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';
import { fileEntry, folderEntry, publishTree, removeDeep } from './crafted.ts';

let made: TestWorkspace;
const out = (): string => join(made.root, '..', 'out');
beforeEach(async () => {
  made = await makeWorkspace({ files: { a: 'alpha' } });
});
afterEach(async () => {
  removeDeep(out());
  removeDeep(made.root);
  await made.cleanup();
});

/** Enters folder after folder of this name, makes them where they are missing, and works there. */
function deepIn<T>(root: string, name: string, levels: number, work: () => T): T {
  const before = process.cwd();
  process.chdir(root);
  try {
    for (let level = 0; level < levels; level++) {
      if (!fs.existsSync(name)) fs.mkdirSync(name);
      process.chdir(name);
    }
    return work();
  } finally {
    process.chdir(before);
  }
}

const count = async (values: AsyncIterable<unknown>): Promise<number> => {
  let found = 0;
  for await (const _ of values) found++;
  return found;
};

const SHAPES: readonly [name: string, levels: number][] = amount({
  sample: [['n'.repeat(100), 42]],
  ordinary: [
    ['ten bytes.', 450],
    ['n'.repeat(255), 392],
    ['d', 1500],
  ],
  long: [
    ['n'.repeat(255), 392],
    ['d', 10_000],
  ],
});

describe.each(
  SHAPES.map(([name, levels]) => ({ name, levels, bytes: name.length * levels + levels })),
)('$levels folders, a path of $bytes bytes', ({ name, levels }) => {
  const leaf = (root: string): string => deepIn(root, name, levels, () => fs.readFileSync('leaf', 'utf8'));
  const setLeaf = (text: string): void => deepIn(made.root, name, levels, () => fs.writeFileSync('leaf', text));

  test('are committed, compared, checked out, removed and brought back', { timeout: 600_000 }, async () => {
    setLeaf('one');
    deepIn(made.root, name, levels, () => {
      fs.symlinkSync('leaf', 'link');
      fs.linkSync('leaf', 'hard');
    });
    const first = await commit(made.workspace, { message: 'first' });
    expect(first.scan.skipped).toEqual([]);
    expect(first.scan.totals).toMatchObject({ files: 4, folders: levels, others: 1 });
    expect((await commit(made.workspace)).id).toBeUndefined();

    const toOther = await checkout(made.workspace, { revision: 'HEAD', to: out() });
    expect(toOther.failures).toEqual([]);
    expect(leaf(out())).toBe('one');

    setLeaf('another');
    expect(await count((await status(made.workspace)).changes)).toBe(2);
    await made.commit('second');
    const back = await checkout(made.workspace, { revision: 'HEAD~1' });
    expect(back.failures).toEqual([]);
    expect(leaf(made.root)).toBe('one');

    removeDeep(join(made.root, name));
    const gone = await made.commit('gone');
    const again = await checkout(made.workspace, { revision: first.id ?? '' });
    expect(again.failures).toEqual([]);
    expect(leaf(made.root)).toBe('one');
    const removed = await checkout(made.workspace, { revision: gone });
    expect(removed.failures).toEqual([]);
    expect(fs.existsSync(join(made.root, name))).toBe(false);
    expect((await verifyAll(made.workspace)).faults).toEqual([]);
  });
});

test('trees thousands of folders deep are listed, found, compared, measured, verified and collected', {
  timeout: 600_000,
}, async () => {
  const levels = amount({ sample: 4000, ordinary: 10_000, long: 10_000 });
  const first = await made.commit('first');
  const content = Buffer.from('deep');
  const blobs: Parameters<typeof publishTree>[1][number][] = [{ kind: BLOB_KIND.data, bytes: content }];
  let tree = encodeTree([fileEntry('leaf', content)]);
  for (let level = 0; level < levels; level++) {
    blobs.push({ kind: BLOB_KIND.tree, bytes: tree });
    tree = encodeTree([folderEntry('d', blobIdOf(tree))]);
  }
  blobs.push({ kind: BLOB_KIND.tree, bytes: tree });
  const deep = await publishTree(made.workspace, blobs, blobIdOf(tree));
  await made.workspace.close();
  fs.rmSync(join(made.root, '.snap/index'), { recursive: true });
  await made.reopen();
  const path = Array(levels).fill('d').join('/');

  const { workspace } = made;
  expect(await count(list(workspace, deep, { recursive: true }))).toBe(levels + 1);
  expect((await find(workspace, 'leaf')).map((found) => found.path)).toEqual([`${path}/leaf`]);
  expect(await count(log(workspace, { paths: ['d'] }))).toBe(1);
  for (const foldFolders of amount({ sample: [true], ordinary: [true, false], long: [true, false] })) {
    expect(await count((await diff(workspace, { from: first, to: deep, foldFolders })).changes)).toBe(3);
    expect(await count((await diff(workspace, { from: deep, to: first, foldFolders })).changes)).toBe(3);
  }
  expect((await stats(workspace, {})).largest.map(({ bytes }) => bytes)).toContain(4);
  expect((await verifyAll(workspace)).faults).toEqual([]);
  await gc(workspace, { rules: { keepLast: 5 }, now: true });
  if (amount({ sample: true, ordinary: false, long: false })) return;
  const result = await checkout(workspace, { revision: deep, to: out() });
  expect(result.failures).toEqual([]);
  expect(deepIn(out(), 'd', levels, () => fs.readFileSync('leaf', 'utf8'))).toBe('deep');
});

test('a checkout of deep folders looks for none where nothing is, and comes to none from the top', async () => {
  const LEVELS = 3000;
  deepIn(made.root, 'd', LEVELS, () => fs.writeFileSync('f', 'deep'));
  const deep = await made.commit('deep');
  removeDeep(join(made.root, 'd'));
  await made.commit('without');
  await made.workspace.close();
  let looks = 0;
  let long = 0;
  const noting = <A extends [string, ...never[]], R>(call: (...args: A) => R): ((...args: A) => R) => {
    return (...args) => {
      looks++;
      if (args[0].length > 4095) long++;
      return call(...args);
    };
  };
  const disk = { ...realDisk, open: noting(realDisk.open), lstat: noting(realDisk.lstat), list: noting(realDisk.list) };
  const workspace = await openWorkspaceIn(
    { ...processEnvironment('snap test'), disk },
    inlineWorkers(realDisk),
    made.root,
  );
  looks = 0;
  const { steps } = await planCheckout(workspace, { revision: deep });
  expect(steps.filter(({ kind }) => kind === 'make-folder')).toHaveLength(LEVELS);
  expect(looks).toBeLessThan(LEVELS);
  expect(await checkout(workspace, { revision: deep })).toMatchObject({ written: 1, failures: [] });
  expect(long).toBe(0);
  expect((await status(workspace)).differs).toBe(false);
  await workspace.close();
});
