/** Journals of a test, on a disk that fails when it is told to. */
import { mkdirSync } from 'node:fs';
import { afterEach } from 'vitest';
import type { StoreState } from '../../src/object/store-state.ts';
import { appendEntry } from '../../src/repo/journal.ts';
import type { Backend } from '../../src/storage/backend.ts';
import { fileBackend } from '../../src/storage/file-backend.ts';
import { environmentWith, FailingDisk, newRoots } from './failing-disk.ts';

export const draft = { operation: 'tag', note: '' } as const;

export interface Appenders {
  readonly roots: ReturnType<typeof newRoots>;
  readonly failing: FailingDisk;
  readonly environment: ReturnType<typeof environmentWith>;
  backendAt(root: string): Backend;
  /** Throws on a conflict. */
  appendTo(backend: Backend, state: StoreState): Promise<StoreState>;
}

/** To be called while tests are collected: no call fails any more after each. */
export function appenders(): Appenders {
  const roots = newRoots();
  const failing = new FailingDisk();
  const environment = environmentWith({ disk: failing.disk });
  afterEach(() => {
    failing.hook = undefined;
    failing.after = undefined;
  });
  return {
    roots,
    failing,
    environment,
    backendAt: (root) => {
      mkdirSync(root, { recursive: true });
      return fileBackend(failing.disk, root, environment.uniqueName);
    },
    appendTo: async (backend, state) => {
      const result = await appendEntry(backend, environment, state, draft);
      if ('conflict' in result) throw new Error('conflict');
      return result.state;
    },
  };
}
