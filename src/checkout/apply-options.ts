/** What carrying out the steps of a checkout is told. */
import type { TreeEntry } from '../object/tree-entry.ts';
import type { Repository } from '../repo/repository.ts';
import type { Workers } from '../work/start-workers.ts';
import type { Expected } from '../work/write-files.ts';
import type { Target } from './target.ts';

export type OverwritePolicy = 'always' | 'if-newer' | 'never';

/** Compares existing files with what is to be written; answers come in batches, the last after `flush`. */
export interface ExistingFiles {
  isRight(path: string, entry: TreeEntry): Promise<boolean>;
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
  readonly progress: (files: number, bytes: number) => void;
}
