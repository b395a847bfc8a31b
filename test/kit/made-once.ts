/** Histories that commands take a second to make are made once a file, and copied for each test. */
import { cpSync } from 'node:fs';
import { afterAll } from 'vitest';
import { temporaryFolder } from './folder.ts';

/** Copies to the path it is given a folder that `make` fills at the first call. To be called while tests are collected. */
export function madeOnce(make: (root: string) => void): (to: string) => void {
  let made: ReturnType<typeof temporaryFolder> | undefined;
  afterAll(() => made?.remove());
  return (to) => {
    if (made === undefined) {
      made = temporaryFolder();
      make(made.path);
    }
    cpSync(made.path, to, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  };
}
