/** Mends the workspace's list of operations: what is right of it stays, the damaged file is kept beside it. */
import { folderOf, replaceFile, syncFolder } from '../disk/files.ts';
import { describing, hasCode } from '../errors.ts';
import { WORKSPACE } from '../repo/layout.ts';
import type { OperationLines } from '../repo/operation-log.ts';
import { examineOperations } from '../repo/operation-log.ts';
import type { Repository } from '../repo/repository.ts';

export interface OperationsMend {
  /** What was wrong, naming file and line. */
  readonly damage: readonly string[];
  /** Records that are left. */
  readonly kept: number;
  /** Where the damaged file is now, in `.snap`; undefined after a dry run. */
  readonly secondName: string | undefined;
}

/** Undefined if there is nothing to do. The caller holds the workspace's lock, unless `dryRun`. Throws `permission`, `io`. */
export function mendOperations(repository: Repository, dryRun: boolean): OperationsMend | undefined {
  const { environment, folder } = repository;
  const found = examine(repository);
  const { path, damage, records, right } = found;
  if (damage.length === 0) return undefined;
  if (dryRun) return { damage, kept: records.length, secondName: undefined };
  const { disk, uniqueName } = environment;
  const secondName = `${WORKSPACE.operations}.damaged-${uniqueName()}`;
  describing('mending', path, () => {
    const to = `${folder}/${secondName}`;
    // At no moment without a name, unless it is no file.
    if (disk.lstat(path)?.isFile() === true) disk.link(path, to);
    else disk.rename(path, to);
    syncFolder(disk, folderOf(path));
    replaceFile(disk, path, right, `${folder}/${WORKSPACE.temporary}/${uniqueName()}`);
  });
  return { damage, kept: records.length, secondName };
}

/** A file that cannot be read, or is none, has nothing right in it. */
function examine(repository: Repository): Pick<OperationLines, 'path' | 'damage' | 'records' | 'right'> {
  try {
    return examineOperations(repository);
  } catch (error) {
    if (!hasCode(error, 'corrupt-data', 'io')) throw error;
    const path = `${repository.folder}/${WORKSPACE.operations}`;
    return { path, damage: [error.message], records: [], right: Buffer.alloc(0) };
  }
}
