/** A workspace on a disk that can be made to fail. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { commit } from '../../src/api/commit.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { FailingDisk, newRoots, openAt } from './failing-disk.ts';

export interface OneWorkspace {
  readonly roots: ReturnType<typeof newRoots>;
  /** The disk that `open` uses. */
  readonly failing: FailingDisk;
  /** What a test opened, to be closed after it. */
  readonly opened: Workspace[];
  /** The path of a file of the workspace. */
  at(path: string): string;
  open(changes?: Parameters<typeof openAt>[1]): Promise<Workspace>;
  /** Closes all that was opened; no call to the disk fails any more. */
  close(): Promise<void>;
  headOf(workspace: Workspace): BlobId | null;
  /** Snapshot and number; the hash of the entry left out. */
  headFile(): string;
  /** Commits `count` snapshots. */
  commits(count: number): Promise<BlobId[]>;
}

/** One for each test of a file, made before it. */
export function newWorkspace(): OneWorkspace {
  const roots = newRoots();
  const failing = new FailingDisk();
  const opened: Workspace[] = [];
  let root: string;
  const at = (path: string): string => join(root, path);
  const open = async (changes: Parameters<typeof openAt>[1] = { disk: failing.disk }): Promise<Workspace> => {
    const workspace = await openAt(root, changes);
    opened.push(workspace);
    return workspace;
  };
  const close = async (): Promise<void> => {
    failing.hook = undefined;
    failing.after = undefined;
    for (const workspace of opened.splice(0)) await workspace.close();
  };
  const headOf = (workspace: Workspace): BlobId | null => workspace.repository.head().snapshot;
  const headFile = (): string => readFileSync(at('.snap/HEAD'), 'utf8').replace(/ [0-9a-f]{64}\n$/, '\n');
  const commits = async (count: number): Promise<BlobId[]> => {
    const workspace = await open();
    const ids: BlobId[] = [];
    for (let i = 0; i < count; i++) {
      writeFileSync(at('f'), `version ${i}`);
      ids.push((await commit(workspace)).id as BlobId);
    }
    await close();
    return ids;
  };

  beforeEach(async () => {
    root = await roots.init();
  });
  afterEach(close);
  return { roots, failing, opened, at, open, close, headOf, headFile, commits };
}
