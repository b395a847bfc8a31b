/** Packs, entries and an index that are damaged, and a block that reads wrong once: gc does not trust them. */
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { gc, previewGc } from '../../src/api/gc.ts';
import { tag } from '../../src/api/tag.ts';
import { processEnvironment } from '../../src/environment.ts';
import { packName } from '../../src/repo/layout.ts';
import type { Repository } from '../../src/repo/repository.ts';
import { beginSession } from '../../src/repo/session.ts';
import { flipBit, packBytes, packPaths } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { makeSmallWorkspace, scratchFolder } from '../kit/small-workspace.ts';
import { smallSeries } from './small-series.ts';

const scratch = scratchFolder();
let made: SmallWorkspace;
let serial = 0;
beforeEach(async () => {
  made = await makeSmallWorkspace(join(scratch, `work-${++serial}`));
});
afterEach(() => made.close());
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const { operations, series, isClean, run, over } = smallSeries(() => made);

describe('what cannot be trusted', () => {
  test('a damaged pack frees nothing in the preview, and nothing of it is removed', async () => {
    await series(2);
    await tag(made.workspace, 'v', { revision: 'HEAD~1' });
    const [pack = ''] = packPaths(made.store);
    flipBit(pack, statSync(pack).size - 20);
    const preview = previewGc(made.workspace, { rules: { keepLast: 1 } });
    await expect(preview).rejects.toMatchObject({ code: 'corrupt-data' });
    expect(statSync(pack).size).toBeGreaterThan(0);
  });

  test('a damaged pack that waits to be swept counts neither as free nor as used, and stays', async () => {
    await series(3);
    const other = beginSession(processEnvironment('another'), made.workspace.repository.backend);
    const { waiting, condemnedPacks } = await gc(made.workspace, { rules: { keepLast: 1 } });
    expect(waiting).toMatchObject({ reason: 'sessions', packs: condemnedPacks });
    other.end();
    const damaged = [...made.workspace.repository.state().condemned];
    expect(damaged).toHaveLength(condemnedPacks);
    const paths = damaged.map((id) => join(made.store, packName(id)));
    expect((await previewGc(made.workspace)).freeBytes).toBe(paths.reduce((sum, path) => sum + statSync(path).size, 0));
    for (const path of paths) flipBit(path, statSync(path).size - 20);
    await made.reopen();
    expect(await previewGc(made.workspace)).toMatchObject({ freeBytes: 0, storeBytes: packBytes(made.store) });
    const result = await gc(made.workspace, { now: true });
    expect(result).toMatchObject({ sweptPacks: 0, freedBytes: 0 });
    expect(result.damaged.map(({ pack }) => pack).sort()).toEqual(damaged.sort());
    for (const path of paths) expect(existsSync(path)).toBe(true);
  });

  test('an index with another state than the journal stops gc', async () => {
    await series(2);
    const { repository } = made.workspace;
    const other: Repository = { ...repository, state: () => ({ ...repository.state(), refs: new Map() }) };
    await expect(run(other)).rejects.toMatchObject({ code: 'corrupt-data' });
    expect(await operations()).not.toContain('prune');
  });

  test('a journal entry that is missing in the middle stops gc', async () => {
    await series(3);
    rmSync(join(made.store, 'journal', readdirSync(join(made.store, 'journal')).sort()[1] ?? ''));
    await expect(gc(made.workspace, { rules: { keepLast: 1 } })).rejects.toMatchObject({ code: 'corrupt-data' });
    expect(packPaths(made.store)).toHaveLength(3);
  });

  test.each([1, 2, 3])('a block that reads wrong once is read again: the read number %i of it', async (which) => {
    made.write('live', noise(3000, 1));
    made.write('dead', noise(20_000, 3));
    await made.commit('both');
    rmSync(join(made.root, 'dead'));
    await made.commit('one');
    const { backend } = made.workspace.repository;
    const live = noise(3000, 1);
    let reads = 0;
    const flaky = over({
      get: async (name, range) => {
        const bytes = await backend.get(name, range);
        const found = bytes?.indexOf(live) ?? -1;
        if (bytes !== undefined && found >= 0 && range !== undefined && ++reads === which)
          bytes[found] = (bytes[found] ?? 0) ^ 1;
        return bytes;
      },
    });
    expect(await run(flaky)).toMatchObject({ damaged: [], rewrittenPacks: 1 });
    expect(reads).toBeGreaterThanOrEqual(which);
    await isClean();
  });
});
