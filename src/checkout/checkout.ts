/**
 * Checkout: makes the workspace, or another folder, look like a snapshot. In place it works from the tree that was
 * just saved, so it writes only what differs and removes only what is stored. SPEC.md "Checkout".
 */

import type { Disk } from '../disk/disk.ts';
import { ensureFolder, removeTree } from '../disk/files.ts';
import { fromSystemError, SnapError } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { Snapshot } from '../object/snapshot.ts';
import type { FileEntry, TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import { WORKSPACE } from '../repo/layout.ts';
import type { Repository } from '../repo/repository.ts';
import { beginSession, liveSessions } from '../repo/session.ts';
import type { TreeReader } from '../repo/tree-reader.ts';
import type { FileReading } from '../scan/file-reader.ts';
import { FileReader } from '../scan/file-reader.ts';
import type { Selection } from '../scan/selection.ts';
import { numbersOf } from '../work/read-files.ts';
import type { Workers } from '../work/start-workers.ts';
import type { ApplyResult, ExistingFiles, OverwritePolicy } from './apply.ts';
import { applySteps } from './apply.ts';
import type { PlanOptions, Step, TakeStep } from './plan.ts';
import { changedLinkKeys, planCheckout } from './plan.ts';
import { recordsAfter, SeenFolders } from './seen.ts';
import { isTemporaryFolder, Target } from './target.ts';

export interface CheckoutOptions {
  /** The tree that the folder has now, all of it stored; undefined for an empty folder. */
  readonly before: BlobId | undefined;
  readonly after: Snapshot;
  readonly selection: Selection;
  readonly keepExtra: boolean;
  readonly overwrite: OverwritePolicy;
  readonly signal: AbortSignal | undefined;
  readonly progress: (files: number, bytes: number) => void;
}

/** Counts of what a plan would do. */
export interface PlanSummary {
  readonly steps: readonly Step[];
  readonly writes: number;
  readonly bytes: number;
  readonly removals: number;
  /** Paths where something stands that is in no snapshot: ignored files in the way. */
  readonly blocked: readonly string[];
}

/**
 * Checks out in place. `begin` is called when nothing stands in the way, just before the first change, if there is any. The caller holds the workspace's lock and has saved what was not committed. Throws `refused` for paths in
 * the way.
 */
export async function checkoutInPlace(
  repository: Repository,
  workers: Workers,
  options: CheckoutOptions,
  begin: (changes: boolean) => Promise<void>,
): Promise<ApplyResult> {
  const session = beginSession(repository.environment, repository.backend);
  const target = new Target(repository.environment, repository.root, `${repository.folder}/${WORKSPACE.temporary}`);
  try {
    const plan = await preview(repository, repository.trees, options, target);
    if (plan.blocked.length > 0) throw inTheWay(plan.blocked);
    await begin(plan.steps.length > 0);
    const seen = new SeenFolders(repository);
    const result = await applySteps(stepsOf(plan.steps), {
      repository,
      workers,
      target,
      overwrite: options.overwrite,
      keepStats: true,
      isAsSeen: (path) => seen.isAsSeen(target, path),
      existing: undefined,
      empty: false,
      signal: options.signal,
      progress: options.progress,
    });
    await repository.index.write({ folderRecords: await recordsAfter(repository, seen, result) });
    return result;
  } finally {
    target.close();
    session.end();
  }
}

/** What a checkout in place would do. `trees` reads `before` too, which may be the live folder's tree. */
export async function previewCheckout(
  repository: Repository,
  trees: TreeReader,
  options: CheckoutOptions,
): Promise<PlanSummary> {
  const target = new Target(repository.environment, repository.root, `${repository.folder}/${WORKSPACE.temporary}`);
  try {
    return await preview(repository, trees, options, target);
  } finally {
    target.close();
  }
}

/** Writes a snapshot (or parts of it) into another folder. Throws `refused` if it is not empty, unless `force`. */
export async function checkoutTo(
  repository: Repository,
  workers: Workers,
  folder: string,
  force: boolean,
  options: CheckoutOptions,
): Promise<ApplyResult> {
  const { disk } = repository.environment;
  const session = beginSession(repository.environment, repository.backend);
  try {
    ensureFolder(disk, folder);
    if (liveSessions(repository.environment, repository.backend).length === 0) removeInterrupted(disk, folder);
    const empty = disk.list(folder).length === 0;
    if (!empty && !force)
      throw new SnapError('refused', `${folder} is not empty`, {
        hint: 'Name a new or empty folder, or pass --force to write into it and keep what else is there.',
      });
    const target = new Target(repository.environment, folder, undefined);
    try {
      const result = await applySteps((take) => planCheckout(planOptions(repository.trees, options), take), {
        repository,
        workers,
        target,
        overwrite: options.overwrite,
        keepStats: false,
        isAsSeen: () => true,
        existing: empty ? undefined : existingFiles(repository, workers, target, options.signal),
        empty,
        signal: options.signal,
        progress: options.progress,
      });
      const { mode, uid, gid, mtime } = options.after.folder;
      target.close();
      return {
        ...result,
        failures: [
          ...result.failures,
          ...finishRoot(repository, folder, { kind: ENTRY_KIND.folder, mode, uid, gid, mtime: BigInt(mtime) }),
        ],
      };
    } catch (error) {
      target.close();
      throw error;
    }
  } catch (error) {
    throw fromSystemError(error, 'writing into', folder);
  } finally {
    session.end();
  }
}

/** Folders of files that checkouts which were killed had not put in their places. */
function removeInterrupted(disk: Disk, folder: string): void {
  for (const name of disk.list(folder)) if (isTemporaryFolder(name)) removeTree(disk, `${folder}/${name}`);
}

function finishRoot(
  repository: Repository,
  folder: string,
  entry: Pick<TreeEntry, 'mode' | 'uid' | 'gid' | 'mtime'> & { kind: 2 },
): ApplyResult['failures'] {
  const target = new Target(repository.environment, folder, repository.folder);
  try {
    target.setMetadata('', entry);
    return [];
  } catch (error) {
    const failure = fromSystemError(error, 'changing', folder);
    return [{ path: folder, code: failure.code, reason: failure.message }];
  } finally {
    target.close();
  }
}

async function preview(
  repository: Repository,
  trees: TreeReader,
  options: CheckoutOptions,
  target: Target,
): Promise<PlanSummary> {
  const base = planOptions(repository.trees, options, trees);
  const relink = await changedLinkKeys(base);
  const steps: Step[] = [];
  const blocked: string[] = [];
  let writes = 0;
  let bytes = 0;
  let removals = 0;
  await planCheckout({ ...base, relink }, (step) => {
    steps.push(step);
    if (step.kind === 'write' || step.kind === 'symlink' || step.kind === 'special') {
      writes++;
      if (step.kind === 'write') bytes += step.entry.size;
      if (step.before === undefined && options.overwrite === 'always' && standsAlone(target, steps, step.path))
        blocked.push(step.path);
    } else if (step.kind === 'remove') removals++;
    else if (step.kind === 'make-folder') {
      const there = target.look(step.path);
      if (there !== undefined && !there.isDirectory() && standsAlone(target, steps, step.path)) blocked.push(step.path);
    }
    return undefined;
  });
  return { steps, writes, bytes, removals, blocked };
}

/** True if something is at `path` that no earlier step of the plan removes. */
function standsAlone(target: Target, steps: readonly Step[], path: string): boolean {
  if (target.look(path) === undefined) return false;
  for (let i = steps.length - 2; i >= 0; i--) {
    const step = steps[i];
    if (step === undefined || !(step.path === path || step.path.startsWith(`${path}/`))) break;
    if (step.path === path && (step.kind === 'remove' || step.kind === 'remove-folder')) return false;
  }
  return true;
}

function planOptions(trees: TreeReader, options: CheckoutOptions, beforeTrees: TreeReader = trees): PlanOptions {
  return {
    before: { trees: beforeTrees, tree: options.before },
    after: { trees, tree: options.after.tree },
    selection: options.selection,
    keepExtra: options.keepExtra,
    relink: new Set(),
  };
}

/** Reads and hashes files that are there already, to leave alone those that are right. */
function existingFiles(
  repository: Repository,
  workers: Workers,
  target: Target,
  signal: AbortSignal | undefined,
): ExistingFiles {
  const sink = { take: () => undefined, spareBuffer: () => undefined, ready: async () => undefined };
  const reader = new FileReader({ workers, root: target.path, chunker: repository.config.chunker, sink, signal });
  return {
    flush: () => reader.flush(),
    isRight: async (path, entry) => {
      const there = target.look(path);
      if (entry.kind !== ENTRY_KIND.file || there?.isFile() !== true || Number(there.size) !== entry.size) return false;
      await reader.ready();
      const stat = Buffer.from(numbersOf(there).buffer);
      const reading = await new Promise<FileReading>((settle, fail) => {
        reader.read({ path, size: entry.size, stat, at: 0, settle, fail });
      });
      return (
        reading.kind === 'read' && !reading.unsteady && (await sameChunks(repository.trees, entry, reading.chunks))
      );
    },
  };
}

async function sameChunks(trees: TreeReader, entry: FileEntry, chunks: readonly { id: BlobId }[]): Promise<boolean> {
  const wanted = await trees.chunks(entry);
  return wanted.length === chunks.length && wanted.every((chunk, i) => chunk.id === chunks[i]?.id);
}

function inTheWay(blocked: readonly string[]): SnapError {
  const shown = blocked.slice(0, 5).join(', ');
  return new SnapError(
    'refused',
    `${blocked.length === 1 ? 'a file is' : `${blocked.length} files are`} in the way and in no snapshot (ignored): ${shown}${blocked.length > 5 ? ', …' : ''}`,
    {
      hint: 'Move them away, or take them in with "!" in .snapignore and commit; nothing was changed.',
      context: { blocked },
    },
  );
}

function stepsOf(steps: readonly Step[]): (take: TakeStep) => Promise<void> {
  return async (take) => {
    for (const step of steps) {
      const waiting = take(step);
      if (waiting !== undefined) await waiting;
    }
  };
}
