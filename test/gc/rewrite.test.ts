/** What lives on in packs that are mostly dead, small or damaged: moved to new packs, or left where it is. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { gc } from '../../src/api/gc.ts';
import { flipBit, packBytes, packPaths } from '../kit/damage.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';
import { largeSeries, MB, noise } from './large-series.ts';

let made: TestWorkspace;
beforeEach(async () => {
  made = await makeWorkspace({ files: { 'd/kept': 'kept by all', 'd/e/f': 'too' } });
});
afterEach(() => made.cleanup());

const { store, isClean } = largeSeries(() => made);

describe('rewriting', () => {
  test('moves what is live out of packs that are mostly dead', async () => {
    made.write('live', noise(300_000, 1));
    made.write('dead', noise(2 * MB, 2));
    await made.commit('both');
    made.remove('dead');
    await made.commit('one');
    const result = await gc(made.workspace, { rules: { keepLast: 1 } });
    expect(result.rewrittenPacks).toBe(1);
    expect(packBytes(store())).toBeLessThan(310_000);
    await isClean();
    await checkout(made.workspace, { revision: 'HEAD', to: join(made.root, '../out') });
    expect(readFileSync(join(made.root, '../out/live')).equals(noise(300_000, 1))).toBe(true);
  });

  test('leaves packs alone of which little is dead', async () => {
    made.write('live', noise(2 * MB, 1));
    made.write('dead', noise(100_000, 2));
    await made.commit('both');
    made.remove('dead');
    await made.commit('one');
    expect(await gc(made.workspace, { rules: { keepLast: 1 } })).toMatchObject({ rewrittenPacks: 0, freedBytes: 0 });
  });

  test('puts many small packs together', async () => {
    for (let i = 0; i < 12; i++) {
      made.write(`file ${i}`, `content ${i}`);
      await made.commit(`${i}`);
    }
    expect(packPaths(store())).toHaveLength(12);
    await gc(made.workspace);
    expect(packPaths(store())).toHaveLength(1);
    await isClean();
    await made.reopen();
    await isClean();
  });

  test('keeps a pack whose live data is damaged, and says so', async () => {
    made.write('live', noise(500_000, 1));
    made.write('dead', noise(2 * MB, 2));
    await made.commit('both');
    made.remove('dead');
    await made.commit('one');
    const [pack = ''] = packPaths(store());
    const bytes = readFileSync(pack);
    const at = bytes.indexOf(noise(500_000, 1).subarray(1000, 1032));
    expect(at).toBeGreaterThan(0);
    flipBit(pack, at);
    const result = await gc(made.workspace, { rules: { keepLast: 1 } });
    expect(result.damaged).toHaveLength(1);
    expect(existsSync(pack)).toBe(true);
    flipBit(pack, at);
    await isClean();
  });
});
