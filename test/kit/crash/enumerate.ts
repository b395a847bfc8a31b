/**
 * Power loss at every operation of some commands, in every state that a file system may come back with, with the index
 * in any condition. SNAP_SEED and the printed operation replay a failure.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { initWorkspace } from '../../../src/api/workspace.ts';
import { realDisk } from '../../../src/disk/disk.ts';
import { AMOUNT, amount, randomFrom, SEED } from '../amount.ts';
import { INDEX_VARIANTS, putIndex } from './index-variants.ts';
import { inlineWorkers } from './inline-workers.ts';
import type { Scenario } from './play.ts';
import { play } from './play.ts';
import { checkRecovery } from './recovery.ts';

const RANDOM_PER_OP = amount({ sample: 0, ordinary: 2, long: 32 });
/** A sample looks at every so manieth state. */
const STRIDE = amount({ sample: 41, ordinary: 1, long: 1 });

interface Counts {
  states: number;
  checked: number;
}

/** Declares the tests; `least` is how many states there must be, by amount. */
export function powerLoss(scenarios: readonly Scenario[], least: number): void {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'snap-crash-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  describe('power loss', () => {
    const counts: Counts = { states: 0, checked: 0 };
    test.each(scenarios.map((scenario, number) => [scenario.name, scenario, number] as const))(
      '%s',
      (_name, scenario, number) => crashEverywhere(scenario, join(folder, String(number)), SEED + number, counts),
      amount({ sample: 60_000, ordinary: 600_000, long: 7_200_000 }),
    );
    test('so many states', () => {
      const { states, checked } = counts;
      console.info(`crash states: ${states} enumerated (${AMOUNT}), ${checked} different ones checked`);
      expect(states).toBeGreaterThan(least);
    });
  });
}

async function crashEverywhere(scenario: Scenario, base: string, seed: number, counts: Counts): Promise<void> {
  const played = await play(scenario, base);
  const random = randomFrom(seed);
  const seen = new Set<string>();
  const workers = inlineWorkers(realDisk);
  const before = `${base}/index-before`;
  const last = played.stage.lastEntry();
  for (const { state, at, op, acknowledged } of played.crashes(random, RANDOM_PER_OP)) {
    if (at < (scenario.from ?? 0)) continue;
    if (++counts.states % STRIDE !== 0) continue;
    const variant = INDEX_VARIANTS[seen.size % INDEX_VARIANTS.length] ?? 'gone';
    const key = state.digest;
    if (seen.has(key)) continue;
    seen.add(key);
    counts.checked++;
    const root = join(base, 'state');
    state.writeTo(root);
    // An index that knows of entries which the journal has not got tells of a store that was set back: it is written
    // after them, so that no crash can bring it about.
    const newest = existsSync(`${root}/${last}`) ? `${base}/index-after` : before;
    putIndex(`${root}/work/.snap`, variant, { before, newest }, random);
    try {
      if (!existsSync(`${root}/work/.snap/config.toml`) && scenario.name === 'init')
        await initWorkspace(`${root}/work`);
      await checkRecovery(`${root}/work`, workers, {
        acknowledged,
        pictures: played.stage.pictures,
        again: async () => scenario.again?.(root, workers, played.stage),
      });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(
        `${scenario.name}: crash after operation ${at} (${op}), ${state.luck}, index ${variant}; SNAP_SEED=${SEED}: ${why}`,
        { cause: error },
      );
    }
    rmSync(root, { recursive: true });
  }
}
