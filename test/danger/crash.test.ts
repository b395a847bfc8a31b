/**
 * Power loss at every operation of every command that changes a store, in every state that a file system may come back
 * with, with the index in any condition. SNAP_SEED and the printed operation replay a failure.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { gc } from '../../src/api/gc.ts';
import { removeTag, tag } from '../../src/api/tag.ts';
import { undo } from '../../src/api/undo.ts';
import { initWorkspace } from '../../src/api/workspace.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { initWorkspace as initIn } from '../../src/repo/init.ts';
import { AMOUNT, amount, randomFrom, SEED } from '../kit/amount.ts';
import { INDEX_VARIANTS, putIndex } from '../kit/crash/index-variants.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import type { Scenario } from '../kit/crash/play.ts';
import { play } from '../kit/crash/play.ts';
import { checkRecovery } from '../kit/crash/recovery.ts';
import type { Stage } from '../kit/crash/stage.ts';
import { deadEnvironment } from '../kit/crash/stage.ts';
import { noise } from '../kit/folder.ts';

const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'snap-crash-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const RANDOM_PER_OP = amount({ sample: 0, ordinary: 3, long: 40 });
/** A sample looks at every so manieth state. */
const STRIDE = amount({ sample: 23, ordinary: 1, long: 1 });

async function init(stage: Stage, name = 'work', store?: string): Promise<void> {
  await initWorkspace(`${stage.root}/${name}`, store === undefined ? {} : { store });
}

async function threeFiles(stage: Stage): Promise<void> {
  await init(stage);
  stage.write('work/a', 'first');
  stage.write('work/d/b', noise(3000, 1));
  stage.write('work/d/e/c', 'third');
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'init',
    prepare: async (stage) => {
      mkdirSync(`${stage.root}/work`);
      writeFileSync(`${stage.root}/work/a`, 'first');
    },
    act: async (stage) => {
      await initIn(deadEnvironment(stage.disk), {
        root: `${stage.root}/work`,
        store: undefined,
        name: undefined,
        nested: true,
      });
    },
  },
  {
    name: 'first commit of three files',
    prepare: threeFiles,
    act: async (stage) => void (await stage.commit('work', 'first')),
  },
  {
    name: 'commit over a commit, one file changed, one gone',
    prepare: async (stage) => {
      await threeFiles(stage);
      await stage.commit('work', 'first');
      stage.write('work/a', 'other');
      rmSync(`${stage.root}/work/d/e/c`);
    },
    act: async (stage) => void (await stage.commit('work', 'second', { tag: 'v1' })),
  },
  {
    name: 'commit of three packs',
    prepare: async (stage) => {
      await init(stage);
      stage.shrinkPacks('work');
      for (let i = 0; i < 6; i++) stage.write(`work/big${i}`, noise(20_000, i));
    },
    act: async (stage) => void (await stage.commit('work', 'packs')),
  },
  {
    name: 'two workspaces at once',
    prepare: async (stage) => {
      await init(stage);
      await init(stage, 'other', `${stage.root}/work/.snap/store`);
      stage.write('work/a', 'of work');
      stage.write('other/a', 'of other');
    },
    act: async (stage) => void (await Promise.all([stage.commit('work', 'one'), stage.commit('other', 'two')])),
  },
  {
    name: 'tag and untag',
    prepare: async (stage) => {
      await threeFiles(stage);
      await stage.commit('work', 'first');
    },
    act: async (stage) => {
      await stage.in('work', (workspace) => tag(workspace, 'v1'));
      await stage.in('work', (workspace) => removeTag(workspace, 'v1'));
    },
  },
  {
    name: 'prune, condemn, sweep',
    prepare: async (stage) => {
      await threeFiles(stage);
      stage.mayGo.add(await stage.commit('work', 'first'));
      stage.write('work/d/b', noise(3000, 2));
      await stage.commit('work', 'second');
    },
    act: (stage) =>
      stage.in('work', async (workspace) => void (await gc(workspace, { rules: { keepLast: 1 }, now: true }))),
  },
  {
    name: 'gc that writes packs anew',
    prepare: async (stage) => {
      await init(stage);
      stage.shrinkPacks('work');
      for (let i = 0; i < 4; i++) stage.write(`work/f${i}`, noise(9000, i));
      stage.mayGo.add(await stage.commit('work', 'first'));
      for (let i = 0; i < 4; i += 2) stage.write(`work/f${i}`, noise(9000, 10 + i));
      await stage.commit('work', 'second');
    },
    act: (stage) =>
      stage.in('work', async (workspace) => void (await gc(workspace, { rules: { keepLast: 1 }, now: true }))),
  },
  {
    name: 'undo of a commit',
    prepare: async (stage) => {
      await threeFiles(stage);
      await stage.commit('work', 'first');
      stage.write('work/a', 'other');
      stage.mayGo.add(await stage.commit('work', 'second'));
    },
    act: (stage) => stage.in('work', async (workspace) => void (await undo(workspace))),
  },
  {
    name: 'checkout in place with uncommitted changes',
    prepare: async (stage) => {
      await threeFiles(stage);
      await stage.commit('work', 'first');
      stage.write('work/a', 'other');
      rmSync(`${stage.root}/work/d/e/c`);
      await stage.commit('work', 'second');
      stage.write('work/new', 'not committed');
    },
    act: (stage) => stage.in('work', async (workspace) => void (await checkout(workspace, { revision: 'HEAD~1' }))),
  },
  {
    name: 'commit into folders that a killed process made and did not sync',
    prepare: threeFiles,
    act: async (stage) => {
      stage.disk.makeFolder(`${stage.root}/work/.snap/store/packs`);
      for (let i = 0; i < 256; i++)
        stage.disk.makeFolder(`${stage.root}/work/.snap/store/packs/${i.toString(16).padStart(2, '0')}`);
      await stage.commit('work', 'first');
    },
    from: 257,
  },
  {
    name: 'a checkpoint',
    prepare: async (stage) => {
      await threeFiles(stage);
      await stage.commit('work', 'first');
      await stage.in('work', async (workspace) => {
        for (let i = 3; i < 256; i += 2) {
          await tag(workspace, `t${i}`);
          await removeTag(workspace, `t${i}`);
        }
      });
      stage.write('work/a', 'other');
    },
    act: async (stage) => {
      await stage.commit('work', 'second');
      stage.write('work/a', 'again');
      await stage.commit('work', 'third');
    },
  },
];

describe('power loss', () => {
  let states = 0;
  let checked = 0;
  test.each(SCENARIOS.map((scenario, number) => [scenario.name, scenario, number] as const))(
    '%s',
    async (_name, scenario, number) => {
      const base = join(folder, String(number));
      const played = await play(scenario, base);
      const random = randomFrom(SEED + number);
      const seen = new Set<string>();
      const workers = inlineWorkers(realDisk);
      const before = `${base}/index-before`;
      const last = played.stage.lastEntry();
      for (const { state, at, op, acknowledged } of played.crashes(random, RANDOM_PER_OP)) {
        if (at < (scenario.from ?? 0)) continue;
        if (++states % STRIDE !== 0) continue;
        const variant = INDEX_VARIANTS[seen.size % INDEX_VARIANTS.length] ?? 'gone';
        const key = state.digest;
        if (seen.has(key)) continue;
        seen.add(key);
        checked++;
        const root = join(base, 'state');
        state.writeTo(root);
        // An index that knows of entries which the journal has not got tells of a store that was set back: it is written
        // after them, so that no crash can bring it about.
        const newest = existsSync(`${root}/${last}`) ? `${base}/index-after` : before;
        putIndex(`${root}/work/.snap`, variant, { before, newest }, random);
        try {
          if (!existsSync(`${root}/work/.snap/config.toml`) && scenario.name === 'init')
            await initWorkspace(`${root}/work`);
          await checkRecovery(`${root}/work`, workers, { acknowledged, pictures: played.stage.pictures });
        } catch (error) {
          const why = error instanceof Error ? error.message : String(error);
          throw new Error(
            `${scenario.name}: crash after operation ${at} (${op}), ${state.luck}, index ${variant}; SNAP_SEED=${SEED}: ${why}`,
            { cause: error },
          );
        }
        rmSync(root, { recursive: true });
      }
    },
    amount({ sample: 60_000, ordinary: 600_000, long: 7_200_000 }),
  );
  test('so many states', () => {
    console.info(`crash states: ${states} enumerated (${AMOUNT}), ${checked} different ones checked`);
    expect(states).toBeGreaterThan(amount({ sample: 500, ordinary: 8_000, long: 50_000 }));
  });
});
