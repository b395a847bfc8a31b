/**
 * Repair on a failing disk, killed, and without power at any of its operations: nothing is lost by it, and the next one
 * mends what is left to mend. SNAP_SEED and the printed numbers replay.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
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
import { deadEnvironment } from '../kit/crash/stage.ts';
import { flipBit, packPaths, verifyAll } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { scratchFolder } from '../kit/small-workspace.ts';
import type { Needs } from '../kit/store-damage.ts';
import { storeHashes } from '../kit/store-damage.ts';
import { expectKept, expectSettled, expectSnapshots, makeThreeSnapshots } from './three-snapshots.ts';

const folder = scratchFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FAULT_STRIDE = amount({ sample: 223, ordinary: 17, long: 1 });
const KILLS = amount({ sample: 1, ordinary: 8, long: 200 });
const STATE_STRIDE = amount({ sample: 97, ordinary: 5, long: 1 });
const FAILURES: readonly Fault['errno'][] = ['EIO', 'short', 'ENOSPC', 'EACCES'];
const TIMEOUT = amount({ sample: 60_000, ordinary: 600_000, long: 7_200_000 });

let base: SmallWorkspace;
let ids: BlobId[];
/** What each path of each snapshot needs, and where that lies. */
let needs: Needs;

beforeAll(async () => {
  ({ base, ids, needs } = await makeThreeSnapshots(join(folder, 'base')));
});

async function expectAll(made: SmallWorkspace): Promise<void> {
  await expectSnapshots(made, ids);
}

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

test.each(amount({ sample: FAILURES.slice(0, 2), ordinary: FAILURES, long: FAILURES }))(
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

const HARMED: readonly [string, (root: string) => void][] = [
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
];

test.each(amount({ sample: HARMED.slice(0, 2), ordinary: HARMED, long: HARMED }))(
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
    expect(checked).toBeGreaterThan(amount({ sample: 1, ordinary: 20, long: 100 }));
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
