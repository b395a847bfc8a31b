/** Gc on a store in which others publish all the time: it loses nothing, gives up at last, and goes on later. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { gc } from '../../src/api/gc.ts';
import { openWorkspace } from '../../src/api/workspace.ts';
import type { EntryDraft } from '../../src/repo/journal.ts';
import type { Repository } from '../../src/repo/repository.ts';
import { setTag } from '../../src/repo/tagging.ts';
import { packPaths } from '../kit/damage.ts';
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

const { series, isClean, run, over } = smallSeries(() => made);

/** The repository, with `meddle` before each try to publish an entry of `operation`. */
const meddling = (operation: EntryDraft['operation'], meddle: () => Promise<unknown>): Repository => {
  const { repository } = made.workspace;
  return {
    ...repository,
    publish: async (draft, changes, check) => {
      if (draft.operation === operation) await meddle();
      return repository.publish(draft, changes, check);
    },
  };
};

describe('others who publish', () => {
  const elsewhere = async (work: (repository: Repository) => Promise<unknown>): Promise<void> => {
    const other = await openWorkspace(made.root);
    await work(other.repository);
    await other.close();
  };

  test('before each try make it give up with nothing lost, and it goes on later', async () => {
    await series(3);
    let tries = 0;
    const busy = meddling('prune', () =>
      elsewhere((repository) => setTag(repository, `t${++tries}`, repository.head().snapshot as never, false)),
    );
    await expect(run(busy)).rejects.toMatchObject({ code: 'conflict' });
    expect(tries).toBe(8);
    expect(made.workspace.repository.state().refs.size).toBe(3 + 8);
    expect((await gc(made.workspace, { rules: { keepLast: 1 } })).pruned).toHaveLength(2);
    await isClean();
  });

  test('while it cannot read something do not make it go on for ever', async () => {
    await series(2);
    for (const pack of packPaths(made.store)) rmSync(pack);
    let tries = 0;
    const { repository } = made.workspace;
    const busy = over({
      list: async function* (folder) {
        yield* repository.backend.list(folder);
      },
      get: async (name, range) => {
        if (name.startsWith('packs/') && tries < 20)
          await elsewhere((other) => setTag(other, `t${++tries}`, other.head().snapshot as never, false));
        return repository.backend.get(name, range);
      },
    });
    await expect(run(busy, { rules: {} })).rejects.toMatchObject({ code: 'corrupt-data' });
    expect(tries).toBeLessThan(20 + 1);
  });

  test('right before the sweep make it look again', async () => {
    await series(3);
    let done = false;
    const busy = meddling('sweep', async () => {
      if (done) return;
      done = true;
      await elsewhere((repository) => setTag(repository, 'meanwhile', repository.head().snapshot as never, false));
    });
    await run(busy);
    await isClean();
    expect(made.workspace.repository.state().condemned.size).toBe(0);
  });
});
