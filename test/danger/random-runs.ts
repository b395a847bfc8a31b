/** How often a property is tried with random numbers, and how a run that failed is named and run again. */
import { amount, randomFrom, SEED } from '../kit/amount.ts';

export const RUNS = amount({ sample: 3, ordinary: 200, long: 1000 });
export const TIMEOUT = 60_000 + RUNS * 2000;

/** `work` with random numbers of its own, `count` times; what it throws names the seed and the run. */
export async function times(count: number, work: (random: () => number) => Promise<void> | void): Promise<void> {
  const only = process.env.SNAP_RUN;
  for (let n = only === undefined ? 0 : Number(only); n < (only === undefined ? count : Number(only) + 1); n++) {
    try {
      await work(randomFrom(SEED ^ Math.imul(n + 1, 0x9e3779b1)));
    } catch (error) {
      throw new Error(`SNAP_SEED=${SEED} SNAP_RUN=${n}: ${error instanceof Error ? error.stack : String(error)}`, {
        cause: error,
      });
    }
  }
}

export const whole = (random: () => number, count: number): number => Math.floor(random() * count);
