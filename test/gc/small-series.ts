/** Small stores with snapshots that nothing else needs, and gcs of them by repositories that are not quite the real one. */
import { expect } from 'vitest';
import type { GcOptions, GcResult } from '../../src/gc/gc.ts';
import { gc as gcIn } from '../../src/gc/gc.ts';
import { readEntry } from '../../src/repo/journal.ts';
import type { Repository } from '../../src/repo/repository.ts';
import type { Backend } from '../../src/storage/backend.ts';
import { verifyAll } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';

export interface SmallSeries {
  /** What was published, from the first entry on. */
  operations(): Promise<string[]>;
  /** Snapshots that each replace the same file, which nothing else needs. */
  series(count: number): Promise<void>;
  isClean(): Promise<void>;
  /** `gc --now` by this repository; keeps one snapshot unless `more` says otherwise. */
  run(repository: Repository, more?: Partial<GcOptions>): Promise<GcResult>;
  /** The repository with another way to its store. */
  over(backend: Partial<Backend>): Repository;
}

/** In the workspace that `made` gives by then. */
export function smallSeries(made: () => SmallWorkspace): SmallSeries {
  return {
    operations: async () => {
      const found: string[] = [];
      for (let number = 1; ; number++) {
        const next = await readEntry(made().workspace.repository.backend, number);
        if (next === undefined) return found;
        found.push(next.entry.operation);
      }
    },
    series: async (count) => {
      for (let i = 1; i <= count; i++) {
        made().write('big', noise(20_000, 2 * i + 1));
        await made().commit(`number ${i}`);
      }
    },
    isClean: async () => expect((await verifyAll(made().workspace)).faults).toEqual([]),
    run: (repository, more = {}) =>
      gcIn(repository, made().workspace.workers, {
        rules: { keepLast: 1 },
        all: false,
        now: true,
        signal: undefined,
        progress: () => undefined,
        exclusively: (work) => made().workspace.exclusively(work),
        ...more,
      }),
    over: (backend) => {
      const { repository } = made().workspace;
      return { ...repository, backend: { ...repository.backend, ...backend } };
    },
  };
}
