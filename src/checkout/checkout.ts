/**
 * Checkout: makes the workspace, or another folder, look like a snapshot. In place it works from the tree that was
 * just saved, so it writes only what differs and removes only what is stored. SPEC.md "Checkout".
 */

import type { Disk } from '../disk/disk.ts';
import { ensureFolder, leadsToFolder } from '../disk/files.ts';
import { errnoOf, SnapError } from '../errors.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import { whySnapsOwn } from '../repo/is-store.ts';
import { WORKSPACE } from '../repo/layout.ts';
import type { Repository } from '../repo/repository.ts';
import { beginReading, beginSession, liveSessions } from '../repo/session.ts';
import type { TreeReader } from '../repo/tree-reader.ts';
import { everything } from '../scan/selection.ts';
import type { Workers } from '../work/start-workers.ts';
import { applySteps } from './apply.ts';
import type { ApplyResult } from './apply-options.ts';
import { atTarget, targetError } from './cannot-read.ts';
import type { FailedPath } from './failed-path.ts';
import { metadataFailure } from './failed-path.ts';
import { bearsMark, holdsOnlyTemporaries, markOf } from './interrupted.ts';
import type { Step, TakeStep } from './plan.ts';
import { planCheckout } from './plan.ts';
import type { CheckoutOptions, PlanSummary } from './preview.ts';
import { existingFiles, inTheWay, planOptions, preview, previewEmpty } from './preview.ts';
import { recordsAfter, SeenFolders } from './seen.ts';
import { Tally } from './tally.ts';
import { Target } from './target.ts';

/**
 * Checks out in place. `begin` is called when nothing stands in the way, just before the first change, and told whether
 * there is any. The caller holds the workspace's lock and has saved what was not committed. Throws `refused` for paths
 * in the way.
 */
export async function checkoutInPlace(
  repository: Repository,
  workers: Workers,
  options: CheckoutOptions,
  begin: (changes: boolean) => Promise<void>,
): Promise<ApplyResult> {
  const session = beginSession(repository.environment, repository.backend);
  try {
    return await withTarget(repository, repository.root, async (target) => {
      target.removeLeftBeside();
      const plan = await preview(repository, workers, repository.trees, options, target);
      if (plan.blocked.length > 0) throw inTheWay(plan);
      await begin(plan.steps.length > 0);
      const seen = new SeenFolders(repository);
      const result = await applySteps(stepsOf(plan.steps), {
        repository,
        workers,
        target,
        overwrite: options.overwrite,
        keepStats: true,
        expected: (path) => seen.expected(path),
        existing: undefined,
        goingOn: false,
        empty: false,
        signal: options.signal,
        tally: new Tally(options.progress, plan.bytes),
      });
      const failures = [...result.failures];
      if (options.selection.has('') && result.folders.some(({ path }) => path === ''))
        failures.push(...changingRoot(target, () => target.setRootTime(BigInt(options.after.folder.mtime))));
      await repository.index.write({ folderRecords: await recordsAfter(repository, target, seen, result) });
      return { ...result, failures };
    });
  } finally {
    session.end();
  }
}

/** What a checkout in place would do. `trees` reads `before` too, which may be the live folder's tree. */
export async function previewCheckout(
  repository: Repository,
  workers: Workers,
  trees: TreeReader,
  options: CheckoutOptions,
): Promise<PlanSummary> {
  return withTarget(repository, repository.root, (target) => preview(repository, workers, trees, options, target));
}

/** Opens `folder` for `work`, with the workspace's folder for temporary files. */
async function withTarget<T>(repository: Repository, folder: string, work: (target: Target) => Promise<T>): Promise<T> {
  const target = new Target(repository.environment, folder, `${repository.folder}/${WORKSPACE.temporary}`);
  try {
    return await work(target);
  } finally {
    target.close();
  }
}

/** What `checkoutTo` would do; `blocked` is what it would replace. Throws what that throws before it writes. */
export async function previewCheckoutTo(
  repository: Repository,
  workers: Workers,
  folder: string,
  force: boolean,
  options: CheckoutOptions,
): Promise<PlanSummary> {
  const { disk } = repository.environment;
  if (disk.lstat(folder) === undefined) return previewEmpty(planOptions(repository, options, undefined));
  refuseNoFolder(disk, folder);
  atTarget('listing', folder, () =>
    temporariesIn(repository, folder, markOf(repository.config.id, options.after.tree), force),
  );
  return withTarget(repository, folder, (target) => preview(repository, workers, repository.trees, options, target));
}

function notEmpty(folder: string): SnapError {
  return new SnapError('refused', `${folder} is not empty`, {
    hint: 'Name a new or empty folder, or pass --force to write into it and keep what else is there.',
  });
}

/**
 * Writes a snapshot (or parts of it) into another folder. Throws `refused` if it is not empty, unless `force`, or if a
 * checkout of this snapshot was cut short there: it is gone on with, and replaces nothing. Files come into their places
 * whole, so what differs from the snapshot is somebody's own.
 */
export async function checkoutTo(
  repository: Repository,
  workers: Workers,
  folder: string,
  force: boolean,
  options: CheckoutOptions,
): Promise<ApplyResult> {
  const { disk } = repository.environment;
  const session = beginReading(repository.environment, repository.backend);
  try {
    makeRoot(disk, folder);
    const mark = markOf(repository.config.id, options.after.tree);
    const left = temporariesIn(repository, folder, mark, force);
    const target = new Target(repository.environment, folder, mark);
    const damaged: FailedPath[] = [];
    const unreadable = (path: string, { code, message }: SnapError, part?: string): void => {
      damaged.push({ path: path || folder, code, reason: part === undefined ? message : `${part}: ${message}` });
    };
    try {
      for (const name of left) target.removeTemporaries(name);
      const empty = target.isEmpty();
      const goingOn = !force && !empty;
      const plan = { ...planOptions(repository, options, target), unreadable };
      const whole = options.selection === everything;
      const tally = new Tally(options.progress, whole ? options.after.totals.bytes : undefined);
      const result = await applySteps((take) => planCheckout(plan, take), {
        repository,
        workers,
        target,
        overwrite: options.overwrite,
        keepStats: false,
        expected: () => (goingOn ? null : undefined),
        goingOn,
        existing: empty ? undefined : existingFiles(repository, workers, target, options.signal, tally),
        empty,
        signal: options.signal,
        tally,
      });
      const { mode, uid, gid, mtime } = options.after.folder;
      const root = { kind: ENTRY_KIND.folder, mode, uid, gid, mtime: BigInt(mtime) };
      const unset = changingRoot(target, () => target.finishRoot(root));
      return { ...result, failures: [...damaged, ...result.failures, ...unset] };
    } catch (error) {
      target.interrupt();
      throw error;
    } finally {
      target.close();
    }
  } catch (error) {
    throw targetError(error, 'writing into', folder);
  } finally {
    session.end();
  }
}

/** Throws `refused` if something else stands at `folder`. */
function refuseNoFolder(disk: Disk, folder: string): void {
  const there = disk.lstat(folder);
  if (there === undefined || there.isDirectory()) return;
  if (there.isSymbolicLink() && leadsToFolder(disk, folder)) return;
  const what = there.isSymbolicLink() ? 'a link that leads to no folder' : 'a file, not a folder';
  throw new SnapError('refused', `${folder} is ${what}`, { hint: 'Name a new or empty folder.' });
}

/** Makes the folder that is written into, and those above it. Throws `refused` where there can be none. */
function makeRoot(disk: Disk, folder: string): void {
  refuseNoFolder(disk, folder);
  try {
    ensureFolder(disk, folder);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    const why = 'a link on the way leads nowhere, or a folder there takes no others';
    throw new SnapError('refused', `${folder} cannot be made: ${why}`, { hint: 'Name another folder.', cause: error });
  }
}

/** The folders that checkouts which are over left in `folder`. Throws `refused` if it may not be written into. */
function temporariesIn(repository: Repository, folder: string, mark: Buffer, force: boolean): string[] {
  const { environment, backend } = repository;
  const { disk } = environment;
  const own = whySnapsOwn(disk, repository.folder, (name) => `${folder}/${name}`);
  if (own !== undefined)
    throw new SnapError('refused', `nothing is written into ${folder}: ${own}`, { hint: 'Name another folder.' });
  const names = disk.list(folder);
  const alone = liveSessions(environment, backend).length === 0;
  const left = alone ? names.filter((name) => holdsOnlyTemporaries(disk, folder, name)) : [];
  if (force || left.length === names.length || left.some((name) => bearsMark(disk, folder, name, mark))) return left;
  throw notEmpty(folder);
}

/** The folder itself may be somebody else's, who lets others write into it. */
function changingRoot(target: Target, change: () => void): FailedPath[] {
  try {
    change();
    return [];
  } catch (error) {
    return [metadataFailure(target.path, error)];
  }
}

function stepsOf(steps: readonly Step[]): (take: TakeStep) => Promise<void> {
  return async (take) => {
    for (const step of steps) {
      const waiting = take(step);
      if (waiting !== undefined) await waiting;
    }
  };
}
