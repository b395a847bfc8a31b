/** Commits, and other gcs, that publish right before an entry of gc: nothing is lost, and the next run tidies up. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { gc } from '../../src/api/gc.ts';
import type { SnapError } from '../../src/errors.ts';
import { gc as gcIn } from '../../src/gc/gc.ts';
import type { EntryDraft } from '../../src/repo/journal.ts';
import type { Repository } from '../../src/repo/repository.ts';
import { packBytes, verifyAll } from '../kit/damage.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';
import { largeSeries, MB, noise } from './large-series.ts';

let made: TestWorkspace;
beforeEach(async () => {
  made = await makeWorkspace({ files: { 'd/kept': 'kept by all', 'd/e/f': 'too' } });
});
afterEach(() => made.cleanup());

const { store, series, isClean } = largeSeries(() => made);

describe('beside others', () => {
  /** Runs `meddle` right before the first entry of `operation` is published. */
  const meddling = (operation: EntryDraft['operation'], meddle: () => Promise<unknown>): Repository => {
    const { repository } = made.workspace;
    let done = false;
    return {
      ...repository,
      publish: async (draft, changes, check) => {
        if (draft.operation === operation && !done) {
          done = true;
          await meddle();
        }
        return repository.publish(draft, changes, check);
      },
    };
  };
  const run = (repository: Repository): ReturnType<typeof gcIn> =>
    gcIn(repository, made.workspace.workers, {
      rules: { keepLast: 1 },
      all: false,
      now: true,
      signal: undefined,
      progress: () => undefined,
      exclusively: (work) => made.workspace.exclusively(work),
    });

  test.each([
    'prune',
    'condemn',
    'sweep',
  ] as const)('a commit that uses dying data again right before the %s entry loses nothing', async (operation) => {
    await series(3);
    const other = await makeWorkspace({ store: store() });
    try {
      // It knows the packs that are about to go, and publishes first.
      other.write('again', noise(MB, 1));
      await run(meddling(operation, () => other.commit('uses it again')));
      await made.workspace.repository.refresh();
      await isClean();
      await checkout(other.workspace, { revision: 'HEAD', to: join(made.root, '../out') });
      expect(readFileSync(join(made.root, '../out/again')).equals(noise(MB, 1))).toBe(true);
      // The next run tidies up what that left.
      await gc(made.workspace, { now: true });
      expect(made.workspace.repository.state().condemned.size).toBe(0);
      await isClean();
    } finally {
      await other.cleanup();
    }
  });

  test('a commit that comes second stores again what the sweep took', async () => {
    await series(3);
    const other = await makeWorkspace({ store: store() });
    try {
      await gc(made.workspace, { rules: { keepLast: 1 }, now: true });
      // This process still has the state from before: its number is taken, and it meets the sweep.
      other.write('again', noise(MB, 1));
      const { repository } = other.workspace;
      expect(repository.state().number).toBeLessThan(made.workspace.repository.state().number);
      await other.commit('knew the packs that are gone');
      expect((await verifyAll(other.workspace)).faults).toEqual([]);
    } finally {
      await other.cleanup();
    }
  });

  test.each([
    'condemn',
    'sweep',
  ] as const)('another gc that publishes right before the %s entry does no harm', async (operation) => {
    await series(4);
    const other = await makeWorkspace({ store: store() });
    try {
      const second = (): Promise<unknown> => {
        // The lock is only to spare work: take it away.
        rmSync(join(store(), 'locks/gc'), { force: true });
        return gc(other.workspace, { now: true });
      };
      await run(meddling(operation, second));
      await isClean();
      expect(made.workspace.repository.state().condemned.size).toBe(0);
      expect(packBytes(store())).toBeLessThan(1.1 * MB);
    } finally {
      await other.cleanup();
    }
  });

  test('one gc at a time', async () => {
    await series(2);
    const other = await makeWorkspace({ store: store() });
    try {
      let refused: unknown;
      await run(
        meddling('sweep', async () => {
          refused = await gc(other.workspace).catch((error: unknown) => error);
        }),
      );
      expect((refused as SnapError).code).toBe('locked');
    } finally {
      await other.cleanup();
    }
  });
});
