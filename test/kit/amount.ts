/**
 * How much the suites of test/danger do: a sample in `npm test`, the ordinary counts in `npm run test:danger`, the long
 * ones in `npm run test:long`. SNAP_SEED=<n> replays what a failure printed.
 */
export type Amount = 'sample' | 'ordinary' | 'long';

const wanted = process.env.SNAP_TEST_AMOUNT ?? 'sample';
if (wanted !== 'sample' && wanted !== 'ordinary' && wanted !== 'long')
  throw new Error(`SNAP_TEST_AMOUNT is sample, ordinary or long, not ${wanted}`);
export const AMOUNT: Amount = wanted;

/** The seed of this run: given, or new each time; every failure must print it. */
export const SEED = Number(process.env.SNAP_SEED ?? Math.floor(Math.random() * 2 ** 31));

/** The value for this run: `amount({ sample: 50, ordinary: 1000, long: 100_000 })`. */
export function amount<T>(values: Readonly<Record<Amount, T>>): T {
  return values[AMOUNT];
}

/** Random numbers in [0, 1) from a seed (mulberry32): the same everywhere. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
