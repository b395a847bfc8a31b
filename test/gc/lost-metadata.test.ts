/** Danger: what is needed looks dead, since trees, packs or journal entries that would tell of it are damaged or gone. */
import { chmodSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { gc, previewGc } from '../../src/api/gc.ts';
import { resolveRevision } from '../../src/repo/revision.ts';
import { flipBit, packPaths } from '../kit/damage.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';
import { largeSeries, MB } from './large-series.ts';

let made: TestWorkspace;
beforeEach(async () => {
  made = await makeWorkspace({ files: { 'd/kept': 'kept by all', 'd/e/f': 'too' } });
});
afterEach(() => made.cleanup());

const { store, operations, series, isClean } = largeSeries(() => made);

describe('missing metadata stops every deletion', () => {
  const damageTreeOf = async (revision: string): Promise<void> => {
    const { repository } = made.workspace;
    const { tree } = await repository.trees.snapshot(await resolveRevision(repository, revision));
    const { pack, blockOffset } = await repository.blobs.locate(3, tree);
    const path = join(store(), 'packs', pack.slice(0, 2), `${pack}.pack`);
    chmodSync(path, 0o600);
    flipBit(path, blockOffset + 30);
  };

  test('a damaged tree of what stays: no ref goes either', async () => {
    await series(3);
    await damageTreeOf('HEAD');
    const [packs, done, refs] = [packPaths(store()), await operations(), [...made.workspace.repository.state().refs]];
    await expect(gc(made.workspace, { rules: { keepLast: 1 } })).rejects.toMatchObject({ code: 'corrupt-data' });
    expect(packPaths(store())).toEqual(packs);
    expect(await operations()).toEqual(done);
    expect([...made.workspace.repository.state().refs]).toEqual(refs);
  });

  test('but not a damaged tree of what goes', async () => {
    await series(3);
    await damageTreeOf('HEAD~1');
    const preview = await previewGc(made.workspace, { rules: { keepLast: 1 } });
    expect(preview.verdicts.filter(({ keep }) => !keep)).toHaveLength(2);
    expect(preview.freeBytes).toBeGreaterThan(MB);
    expect(await gc(made.workspace, { rules: { keepLast: 1 } })).toMatchObject({ pruned: [{}, {}] });
    await isClean();
  });

  test('a lost pack of which something is needed', async () => {
    await series(3);
    const [pack = ''] = packPaths(store());
    rmSync(pack);
    const before = packPaths(store());
    await expect(gc(made.workspace, { rules: { keepLast: 3 } })).rejects.toMatchObject({ code: 'corrupt-data' });
    expect(packPaths(store())).toEqual(before);
  });

  test('a journal that was cut off', async () => {
    await series(3);
    const journal = join(store(), 'journal');
    const last = readdirSync(journal).sort().at(-1) ?? '';
    rmSync(join(journal, last));
    await expect(gc(made.workspace, { rules: { keepLast: 1 } })).rejects.toMatchObject({ code: 'corrupt-data' });
    expect(packPaths(store())).toHaveLength(3);
  });
});
