/**
 * Repair under every kind of damage, in any combination, and beside commits: whatever had an intact copy somewhere comes
 * back, nothing reads wrong, and no damaged byte is thrown away. SNAP_SEED and the printed numbers replay.
 */
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commit } from '../../src/api/commit.ts';
import { gc } from '../../src/api/gc.ts';
import { repair } from '../../src/api/repair.ts';
import { initWorkspace, openWorkspaceIn } from '../../src/api/workspace.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { processEnvironment } from '../../src/environment.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { amount, randomFrom, SEED } from '../kit/amount.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import { flipBit, packPaths, verifyAll } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { scratchFolder } from '../kit/small-workspace.ts';
import type { Needs } from '../kit/store-damage.ts';
import { DAMAGES, harmAtRandom, storeHashes } from '../kit/store-damage.ts';
import { expectKept, expectSettled, expectSnapshots, makeThreeSnapshots } from './three-snapshots.ts';

const folder = scratchFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const KINDS = DAMAGES.filter((_, i) => (i + SEED) % amount({ sample: 4, ordinary: 1, long: 1 }) === 0);
const RANDOM_STORES = amount({ sample: 8, ordinary: 250, long: 1000 });
const TIMEOUT = amount({ sample: 60_000, ordinary: 600_000, long: 7_200_000 });

let base: SmallWorkspace;
let ids: BlobId[];
/** What each path of each snapshot needs, and where that lies. */
let needs: Needs;

beforeAll(async () => {
  ({ base, ids, needs } = await makeThreeSnapshots(join(folder, 'base')));
});

const emptyFolder = (root: string): void => {
  for (const name of readdirSync(root)) if (name !== '.snap') rmSync(join(root, name), { recursive: true });
};

async function expectAll(made: SmallWorkspace): Promise<void> {
  await expectSnapshots(made, ids);
}

/** What is lost is dropped: the store is whole then, and gc may run. */
async function expectDroppable(made: SmallWorkspace): Promise<void> {
  expect((await repair(made.workspace, { dropDamaged: true })).remains).toBe(false);
  await made.reopen();
  expect((await verifyAll(made.workspace)).faults).toEqual([]);
  await gc(made.workspace, { now: true });
  expect((await verifyAll(made.workspace)).faults).toEqual([]);
}

describe.each(KINDS)(`$name (SNAP_SEED=${SEED})`, ({ harm, salvaged }) => {
  test('the folder still has everything: all comes back', async () => {
    await using made = await base.copy();
    made.write('old notes', 'text\n'.repeat(100));
    made.write('old b', noise(20_000, 5));
    harm(packPaths(made.store));
    await made.reopen();
    const before = storeHashes(made.store);
    expect((await repair(made.workspace, { dryRun: true })).remains).toBe(true);
    expect(storeHashes(made.store)).toEqual(before);
    expect(await repair(made.workspace)).toMatchObject({ lostBlobs: 0, remains: false });
    expectKept(before, made.store);
    await made.reopen();
    expect((await verifyAll(made.workspace)).faults).toEqual([]);
    await expectAll(made);
    await expectSettled(made, false);
  });

  test('the folder is empty: what is lost is said, the rest comes back', async () => {
    await using made = await base.copy();
    emptyFolder(made.root);
    harm(packPaths(made.store));
    await made.reopen();
    const before = storeHashes(made.store);
    expect((await repair(made.workspace)).remains).toBe(!salvaged);
    expectKept(before, made.store);
    await made.reopen();
    if (salvaged) {
      await expectAll(made);
      expect((await verifyAll(made.workspace)).faults).toEqual([]);
    }
    await expectSettled(made, !salvaged);
    const quarantined = new Map([...storeHashes(made.store)].filter(([name]) => name.startsWith('quarantine/')));
    await expectDroppable(made);
    expectKept(quarantined, made.store);
  });
});

test(
  'damage at random: every file with an intact copy somewhere comes back',
  async () => {
    let files = 0;
    let lost = 0;
    for (let n = 0; n < RANDOM_STORES; n++) {
      const random = randomFrom(SEED + n);
      await using made = await base.copy();
      const keepsIndex = random() < 0.5;
      const keepsFolder = random() < 0.3;
      const harmed = harmAtRandom(made.store, random);
      await made.workspace.close();
      if (!keepsIndex) rmSync(join(made.root, '.snap/index'), { recursive: true });
      if (!keepsFolder) emptyFolder(made.root);
      await made.reopen();
      const what = `SNAP_SEED=${SEED + n} first: ${harmed.told}; index ${keepsIndex}, folder ${keepsFolder}`;
      try {
        const before = storeHashes(made.store);
        const { remains } = await repair(made.workspace);
        expectKept(before, made.store);
        await made.reopen();
        const expected = needs.intact(harmed, { index: keepsIndex, newest: keepsFolder });
        for (const { snapshot, path } of expected) {
          files++;
          const is = await needs.read(made.workspace, snapshot, path);
          expect(is, `${path} of ${snapshot}`).toBe(made.pictures.get(snapshot)?.get(path));
        }
        lost += needs.count - expected.length;
        if (expected.length === needs.count) expect(remains).toBe(false);
        const { faults } = await verifyAll(made.workspace);
        if (!remains) expect(faults).toEqual([]);
        for (const { pack, reason } of faults) if (pack !== undefined) expect(reason).toMatch(/missing/);
        await expectSettled(made, remains);
        await expectDroppable(made);
      } catch (error) {
        throw new Error(`${what}: ${String((error as Error).message ?? error)}`, { cause: error });
      }
    }
    console.info(`damaged stores: ${RANDOM_STORES}; files that had to come back: ${files}, others: ${lost}`);
    expect(files).toBeGreaterThan(RANDOM_STORES);
    expect(lost).toBeGreaterThan(0);
  },
  TIMEOUT,
);

test('commits and repairs at the same time, from two workspaces of a store', async () => {
  await using made = await base.copy();
  const beside = join(folder, 'beside');
  await initWorkspace(beside, { store: made.store });
  cpSync(join(made.root, 'long'), join(beside, 'long'));
  const other = await openWorkspaceIn(processEnvironment('snap test'), inlineWorkers(realDisk), beside);
  try {
    const rounds = amount({ sample: 2, ordinary: 10, long: 100 });
    for (let n = 0; n < rounds; n++) {
      const [path = ''] = packPaths(made.store);
      flipBit(path, 33);
      cpSync(join(made.root, 'notes'), join(beside, `n${n}`));
      const [result, committed] = await Promise.all([repair(made.workspace), commit(other, { message: `n${n}` })]);
      expect(result.remains, `round ${n}`).toBe(false);
      expect(committed.id).toBeDefined();
    }
    await made.reopen();
    expect((await verifyAll(made.workspace)).faults).toEqual([]);
    await expectAll(made);
  } finally {
    await other.close();
  }
});
