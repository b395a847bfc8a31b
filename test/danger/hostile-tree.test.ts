/**
 * Checkout of trees that somebody made by hand: whatever they say, only the target changes. The canary lies beside it.
 * SNAP_SEED and the printed number replay one: SNAP_SEED=… SNAP_FUZZ_INPUT=n.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { BLOB_KIND, blobIdOf } from '../../src/object/blob-id.ts';
import { encodeTree } from '../../src/object/tree.ts';
import type { TreeEntry } from '../../src/object/tree-entry.ts';
import { amount, randomFrom, SEED } from '../kit/amount.ts';
import { temporaryFolder } from '../kit/folder.ts';
import { HostileStore } from '../kit/fuzz/hostile-tree.ts';

const ATTACKS = amount({ sample: 20, ordinary: 300, long: 3000 });
const only = process.env.SNAP_FUZZ_INPUT;
let store: HostileStore;

beforeAll(async () => {
  store = await HostileStore.open(temporaryFolder().path);
});
afterAll(() => store.close());

test('a checkout changes nothing outside of its target', { timeout: ATTACKS * 200 + 60_000 }, async () => {
  let refused = 0;
  let written = 0;
  const [first, past] = only === undefined ? [0, ATTACKS] : [Number(only), Number(only) + 1];
  for (let n = first; n < past; n++) {
    try {
      const result = await store.attack(randomFrom(SEED ^ Math.imul(n + 1, 0x9e3779b1)));
      if (result.refused) refused++;
      written += result.written;
    } catch (error) {
      throw new Error(
        `SNAP_SEED=${SEED} SNAP_FUZZ_INPUT=${n}: ${error instanceof Error ? error.stack : String(error)}`,
      );
    }
  }
  if (process.env.SNAP_FUZZ_COUNTS !== undefined)
    process.stderr.write(`${ATTACKS} trees, ${refused} refused, ${written} files\n`);
  if (only !== undefined) return;
  // Some are taken, and some are not: else the trees would test one half only.
  expect(written).toBeGreaterThan(0);
  expect(refused).toBeGreaterThan(0);
});

test('a folder that the system cannot make is reported, and all else is checked out', async () => {
  const base = { mode: 0o755, mtime: 0n, uid: 0, gid: 0 };
  const link: TreeEntry = { kind: 3, name: 'a', ...base, target: 'x' };
  const inner = encodeTree([link]);
  const outer = encodeTree([link, { kind: 2, name: 'x'.repeat(256), ...base, tree: blobIdOf(inner) }]);
  const id = await store.publish(
    [inner, outer].map((bytes) => ({ kind: BLOB_KIND.tree, bytes })),
    blobIdOf(outer),
  );
  const result = await checkout(store.workspace, { revision: id });
  expect(result.written).toBe(1);
  expect(result.failures.map(({ code, path }) => `${code} ${path.length}`)).toContain('io 256');
});
