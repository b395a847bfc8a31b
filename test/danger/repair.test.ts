/**
 * Repair under every kind of damage, in any combination, on a failing disk, cut off anywhere: whatever had an intact copy
 * somewhere comes back, nothing reads wrong, and no damaged byte is thrown away. SNAP_SEED and the printed numbers replay.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commit } from '../../src/api/commit.ts';
import { gc } from '../../src/api/gc.ts';
import { repair } from '../../src/api/repair.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import { initWorkspace, openWorkspaceIn } from '../../src/api/workspace.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { processEnvironment } from '../../src/environment.ts';
import { errnoOf, SnapError } from '../../src/errors.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { amount, randomFrom, SEED } from '../kit/amount.ts';
import type { Fault } from '../kit/crash/faulty-disk.ts';
import { faultyDisk } from '../kit/crash/faulty-disk.ts';
import { INDEX_VARIANTS, putIndex } from '../kit/crash/index-variants.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import { play } from '../kit/crash/play.ts';
import { checkRecovery } from '../kit/crash/recovery.ts';
import { deadEnvironment, readPicture, samePicture } from '../kit/crash/stage.ts';
import { flipBit, packPaths, verifyAll } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { makeSmallWorkspace, scratchFolder } from '../kit/small-workspace.ts';
import type { Needs } from '../kit/store-damage.ts';
import { DAMAGES, harmAtRandom, needsOf, storeHashes } from '../kit/store-damage.ts';

const folder = scratchFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const KINDS = DAMAGES.filter((_, i) => (i + SEED) % amount({ sample: 4, ordinary: 1, long: 1 }) === 0);
const RANDOM_STORES = amount({ sample: 8, ordinary: 250, long: 1000 });
const FAULT_STRIDE = amount({ sample: 149, ordinary: 11, long: 1 });
const KILLS = amount({ sample: 1, ordinary: 20, long: 200 });
const STATE_STRIDE = amount({ sample: 61, ordinary: 3, long: 1 });
const TIMEOUT = amount({ sample: 60_000, ordinary: 600_000, long: 7_200_000 });

let base: SmallWorkspace;
let ids: BlobId[];
/** What each path of each snapshot needs, and where that lies. */
let needs: Needs;

/** Three snapshots in several packs: raw and compressed blocks, chunk lists, a large folder tree. */
beforeAll(async () => {
  base = await makeSmallWorkspace(join(folder, 'base'));
  base.write('data/a', noise(6_000, 1));
  base.write('data/deep/text', 'some text\n'.repeat(500));
  base.write('notes', 'text\n'.repeat(100));
  base.write('long', noise(80_000, 7));
  ids = [await base.commit('first', 'v1')];
  base.write('data/b', noise(20_000, 5));
  base.write('notes', 'other\n'.repeat(100));
  ids.push(await base.commit('second'));
  base.write('data/b', 'compressed '.repeat(3000));
  base.write('data/deep/deeper/c', noise(9_000, 6));
  ids.push(await base.commit('third'));
  needs = await needsOf(base.workspace, ids);
});

const emptyFolder = (root: string): void => {
  for (const name of readdirSync(root)) if (name !== '.snap') rmSync(join(root, name), { recursive: true });
};

async function expectAll(made: SmallWorkspace): Promise<void> {
  for (const id of ids)
    expect(samePicture(await readPicture(made.workspace.repository, id), made.pictures.get(id) ?? new Map()), id).toBe(
      true,
    );
}

/** Every byte of a pack that was there is still somewhere in the store. */
function expectKept(before: ReadonlyMap<string, string>, store: string): void {
  const after = new Set(storeHashes(store).values());
  for (const [name, hash] of before) if (/^(packs|quarantine)\//.test(name)) expect(after.has(hash), name).toBe(true);
}

/** A second repair finds nothing to do. */
async function expectSettled(made: SmallWorkspace, remains: boolean): Promise<void> {
  const before = storeHashes(made.store);
  expect((await repair(made.workspace)).remains).toBe(remains);
  expect(storeHashes(made.store)).toEqual(before);
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

/** A workspace where one chunk is in the folder only, another block has a bad header, a footer and two entries are gone. */
async function harmed(): Promise<SmallWorkspace> {
  const made = await base.copy();
  const paths = packPaths(made.store);
  flipBit(paths[0] ?? '', 32 + 24 + 1000);
  flipBit(paths[1] ?? '', 33);
  flipBit(paths[2] ?? '', readFileSync(paths[2] ?? '').length - 1);
  rmSync(join(made.store, 'journal/000000000002.json'));
  truncateSync(join(made.store, 'journal/000000000004.json'), 90);
  made.write('old notes', 'text\n'.repeat(100));
  made.write('old b', noise(20_000, 5));
  return made;
}

test.each(['EIO', 'ENOSPC', 'EACCES', 'short'] as const)(
  'a disk that fails with %s at any call: said, and nothing is lost',
  async (errno) => {
    await using template = await harmed();
    const random = randomFrom(SEED);
    for (const sticky of [false, true]) {
      for (let at = 1 + Math.floor(random() * FAULT_STRIDE); ; at += FAULT_STRIDE) {
        await using made = await template.copy();
        const before = storeHashes(made.store);
        const fault: Fault = { at, errno, sticky };
        const faulty = faultyDisk(fault);
        try {
          await made.workspace.close();
          await attempt(made.root, faulty.disk);
          expect(faulty.violations).toEqual([]);
          expectKept(before, made.store);
          await made.reopen();
          expect((await repair(made.workspace)).remains).toBe(false);
          await expectAll(made);
          expect((await verifyAll(made.workspace)).faults).toEqual([]);
        } catch (error) {
          const where = `${errno} at call ${at}${sticky ? ' and after' : ''} (${faulty.failed ?? 'no fault'}); SNAP_SEED=${SEED}`;
          throw new Error(`${where}: ${String((error as Error).message ?? error)}`, { cause: error });
        }
        if (faulty.calls < at) break;
      }
    }
  },
  TIMEOUT,
);

/** Repairs on this disk; an error must say what it is. */
async function attempt(root: string, disk: typeof realDisk): Promise<void> {
  let workspace: Workspace | undefined;
  try {
    workspace = await openWorkspaceIn(deadEnvironment(disk), inlineWorkers(disk), root);
    await repair(workspace);
  } catch (error) {
    // The face gives system errors words; anything else would be a failure of the program.
    const isClear = error instanceof SnapError ? error.code !== 'internal' : /^E[A-Z]+$/.test(errnoOf(error) ?? '');
    if (!isClear) throw error;
  } finally {
    await workspace?.close();
  }
}

test(
  'killed at any change of the disk, and killed again while it begins anew: all is there after the next repair',
  async () => {
    await using template = await harmed();
    const script = fileURLToPath(new URL('../kit/crash/killed-repair.ts', import.meta.url));
    const run = (root: string, at: number): ReturnType<typeof spawnSync> =>
      spawnSync(process.execPath, [script, root, String(at)], { encoding: 'utf8' });
    const changes = await (async () => {
      await using made = await template.copy();
      await made.workspace.close();
      const ran = run(made.root, 0);
      expect(ran.status, String(ran.stderr)).toBe(0);
      await made.reopen();
      return Number(ran.stdout);
    })();
    expect(changes).toBeGreaterThan(20);
    console.info(`changes of the disk in one repair: ${changes}; kills: ${2 * KILLS}`);
    const readable = await readableFiles(template);
    expect(readable.length).toBeGreaterThan(5);
    const random = randomFrom(SEED);
    for (let n = 0; n < KILLS; n++) {
      await using made = await template.copy();
      const at = [1 + Math.floor(((n + random()) * changes) / KILLS), 1 + Math.floor(random() * changes)];
      const before = storeHashes(made.store);
      try {
        await made.workspace.close();
        for (const change of at) {
          const { signal, status } = run(made.root, change);
          expect(signal === 'SIGKILL' || status === 0).toBe(true);
        }
        expectKept(before, made.store);
        await made.reopen();
        // Whatever could be read with the damage can be read in between.
        expect(await readableFiles(made)).toEqual(expect.arrayContaining(readable));
        expect((await repair(made.workspace)).remains).toBe(false);
        await expectAll(made);
        expect((await verifyAll(made.workspace)).faults).toEqual([]);
        await expectSettled(made, false);
        // What the killed ones left behind goes with the next gc, and nothing else.
        await gc(made.workspace, { now: true });
        await expectAll(made);
      } catch (error) {
        throw new Error(`killed at changes ${at.join(' and ')}; SNAP_SEED=${SEED}: ${String(error)}`, { cause: error });
      }
    }
  },
  TIMEOUT,
);

/** Files of all snapshots that come back now. */
async function readableFiles(made: SmallWorkspace): Promise<string[]> {
  const readable: string[] = [];
  for (const [id, picture] of made.pictures)
    for (const [path, hash] of picture) {
      const is = await needs.read(made.workspace, id, path).catch(() => undefined);
      if (is === hash) readable.push(`${id}:${path}`);
    }
  return readable;
}

const ENTRY = (root: string, number: number): string =>
  `${root}/work/.snap/store/journal/${String(number).padStart(12, '0')}.json`;

test.each<[string, (root: string) => void]>([
  [
    'packs',
    (root) => {
      const packs = packPaths(`${root}/work/.snap/store`);
      flipBit(packs[0] ?? '', 33);
      flipBit(packs[1] ?? '', 32 + 24 + 100);
    },
  ],
  ['a hole in the journal', (root) => rmSync(ENTRY(root, 2))],
  ['a damaged last entry', (root) => truncateSync(ENTRY(root, 3), 90)],
  ['a lost last entry', (root) => rmSync(ENTRY(root, 3))],
])(
  'power loss at any operation of a repair of %s: all is there after the next one',
  async (name, harm) => {
    const root = join(folder, `play ${name}`);
    const played = await play(
      {
        name: 'repair',
        prepare: async (stage) => {
          await initWorkspace(`${stage.root}/work`);
          stage.write('work/a', noise(3000, 1));
          stage.write('work/d/b', 'text\n'.repeat(100));
          await stage.commit('work', 'first');
          stage.write('work/e', noise(2000, 2));
          await stage.commit('work', 'second');
          harm(stage.root);
        },
        act: async (stage) => {
          await stage.in('work', (workspace) => repair(workspace));
        },
      },
      root,
    );
    const random = randomFrom(SEED);
    let states = 0;
    let checked = 0;
    const seen = new Set<string>();
    const last = played.stage.lastEntry();
    for (const { state, at, op, acknowledged } of played.crashes(
      random,
      amount({ sample: 0, ordinary: 2, long: 40 }),
    )) {
      if (++states % STATE_STRIDE !== 0 || seen.has(state.digest)) continue;
      seen.add(state.digest);
      const variant = INDEX_VARIANTS[checked++ % INDEX_VARIANTS.length] ?? 'gone';
      const work = `${root}/state/work`;
      rmSync(`${root}/state`, { recursive: true, force: true });
      state.writeTo(`${root}/state`);
      const before = `${root}/index-before`;
      const wasPublished = readdirSync(`${work}/.snap/store/journal`).includes(last.slice(last.lastIndexOf('/') + 1));
      putIndex(`${work}/.snap`, variant, { before, newest: wasPublished ? `${root}/index-after` : before }, random);
      try {
        await repairOnce(work);
        await checkRecovery(work, inlineWorkers(realDisk), { acknowledged, pictures: played.stage.pictures });
      } catch (error) {
        throw new Error(
          `crash after operation ${at} (${op}), ${state.luck}, index ${variant}; SNAP_SEED=${SEED}: ${String(error)}`,
          { cause: error },
        );
      }
    }
    console.info(`crash states of a repair of ${name}: ${states} enumerated, ${checked} checked`);
    expect(checked).toBeGreaterThan(amount({ sample: 1, ordinary: 50, long: 100 }));
  },
  TIMEOUT,
);

async function repairOnce(root: string): Promise<void> {
  const workspace = await openWorkspaceIn(processEnvironment('snap test'), inlineWorkers(realDisk), root);
  try {
    const { remains, hits } = await repair(workspace);
    expect(remains, JSON.stringify(hits)).toBe(false);
  } finally {
    await workspace.close();
  }
}

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
