/** Stores of megabytes that a single snapshot needs: what gc frees of them shows. */
import { join } from 'node:path';
import { expect } from 'vitest';
import { readEntry } from '../../src/repo/journal.ts';
import { verifyAll } from '../kit/damage.ts';
import { noise as oddNoise } from '../kit/folder.ts';
import type { TestWorkspace } from '../kit/workspace.ts';

export const MB = 1_000_000;
/** Different for each seed; the kit's is so for odd ones. */
export const noise = (length: number, seed: number): Buffer => oddNoise(length, 2 * seed + 1);

export interface LargeSeries {
  /** The folder of the store. */
  store(): string;
  /** What was published, from the first entry on. */
  operations(): Promise<string[]>;
  /** Snapshots that each replace the same file of 1 MB that nothing else needs, and a small one. */
  series(count: number): Promise<void>;
  isClean(): Promise<void>;
}

/** In the workspace that `made` gives by then. */
export function largeSeries(made: () => TestWorkspace): LargeSeries {
  return {
    store: () => join(made().root, '.snap/store'),
    operations: async () => {
      const { backend } = made().workspace.repository;
      const found: string[] = [];
      for (let number = 1; ; number++) {
        const next = await readEntry(backend, number);
        if (next === undefined) return found;
        found.push(next.entry.operation);
      }
    },
    series: async (count) => {
      for (let i = 1; i <= count; i++) {
        made().write('big', noise(MB, i));
        made().write('small', `version ${i}`);
        await made().commit(`number ${i}`);
      }
    },
    isClean: async () => {
      const { faults, structure } = await verifyAll(made().workspace);
      expect(faults).toEqual([]);
      expect(structure.index).toMatchObject({ missing: 0, wrong: 0 });
    },
  };
}
