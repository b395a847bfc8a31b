/** What carrying out the steps of a checkout is told, and what comes of it. */
import type { TreeEntry } from '../object/tree-entry.ts';
import type { Repository } from '../repo/repository.ts';
import type { Workers } from '../work/start-workers.ts';
import type { Expected } from '../work/write-files.ts';
import type { FailedPath } from './failed-path.ts';
import type { Step } from './plan.ts';
import type { Tally } from './tally.ts';
import type { Target } from './target.ts';

export type OverwritePolicy = 'always' | 'if-newer' | 'never';

/** Compares existing files with what is to be written; answers come in batches, the last after `flush`. */
export interface ExistingFiles {
  isRight(path: string, entry: TreeEntry): Promise<boolean>;
  /** Waits while as much is compared as the workers take. */
  ready(): Promise<void>;
  /** Nothing more is asked. */
  flush(): void;
}

export interface ApplyOptions {
  readonly repository: Repository;
  readonly workers: Workers;
  readonly target: Target;
  readonly overwrite: OverwritePolicy;
  /** What was seen, and saved, at `path` before: nothing else may be replaced. */
  readonly expected: (path: string) => Expected;
  /** Tells which files that are there hold the right bytes already; undefined if none can. */
  readonly existing: ExistingFiles | undefined;
  /** A checkout that was cut short is gone on with: what is there is right, or somebody's own and stays. */
  readonly goingOn: boolean;
  /** Nothing is in the target yet. */
  readonly empty: boolean;
  /** Collect the stats of written files. */
  readonly keepStats: boolean;
  readonly signal: AbortSignal | undefined;
  readonly tally: Tally;
}

export interface ApplyResult {
  /** Files and links. */
  readonly written: number;
  /** Of those the symbolic links and the further names of files. */
  readonly links: number;
  readonly bytesWritten: number;
  readonly removed: number;
  /** False if no file, link or folder is other than before. */
  readonly changed: boolean;
  readonly alreadyRight: number;
  readonly kept: readonly string[];
  /** Sockets, devices where this user may not make them, FIFOs where the system has no mkfifo. */
  readonly notMade: readonly string[];
  readonly failures: readonly FailedPath[];
  /** Size, mtime, ctime, inode of files as they were just after they were put in place. */
  readonly stats: ReadonlyMap<string, BigInt64Array>;
  readonly folders: readonly Extract<Step, { kind: 'folder' }>[];
}
