/**
 * What a checkout would do, and what stands in its way: files that no snapshot knows. Those that hold just what the
 * snapshot has are no obstacle.
 */

import { SnapError } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { Snapshot } from '../object/snapshot.ts';
import type { FileEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import { isWithin, storeInside } from '../repo/layout.ts';
import type { Repository } from '../repo/repository.ts';
import type { TreeReader } from '../repo/tree-reader.ts';
import type { FileReading } from '../scan/file-reader.ts';
import { FileReader } from '../scan/file-reader.ts';
import type { Selection } from '../scan/selection.ts';
import { numbersOf } from '../work/read-files.ts';
import type { Workers } from '../work/start-workers.ts';
import type { ExistingFiles, OverwritePolicy } from './apply-options.ts';
import type { PlaceStep, PlanOptions, Step } from './plan.ts';
import { changedLinkKeys, planCheckout } from './plan.ts';
import { rulesAfter } from './rules-after.ts';
import type { Target } from './target.ts';

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

export async function preview(
  repository: Repository,
  workers: Workers,
  trees: TreeReader,
  options: CheckoutOptions,
  target: Target,
): Promise<PlanSummary> {
  const base = planOptions(repository, options, target, trees);
  const relink = await changedLinkKeys(base);
  const steps: Step[] = [];
  const inWay = new Map<number, Step>();
  const removed = new Set<string>();
  await planCheckout({ ...base, relink }, (step) => {
    if (step.kind === 'remove-folder' && holdsMore(target, step.path, removed)) {
      steps.push({ kind: 'keep', path: step.path, before: step.before });
      return undefined;
    }
    steps.push(step);
    if (step.kind === 'remove' || step.kind === 'remove-folder') removed.add(step.path);
    if (isPlace(step) && removed.has(step.path) && holdsOther(target, step.path, removed)) {
      inWay.set(steps.length - 1, step);
      return undefined;
    }
    const mayBlock =
      step.kind === 'make-folder'
        ? target.look(step.path)?.isDirectory() === false
        : isPlace(step) && step.before === undefined && options.overwrite === 'always';
    if (mayBlock && !removed.has(step.path) && target.look(step.path) !== undefined) inWay.set(steps.length - 1, step);
    return undefined;
  });
  const blocked = await leaveRightOnes(
    steps,
    inWay,
    target,
    existingFiles(repository, workers, target, options.signal),
  );
  return { ...sumUp(steps), blocked };
}

/** As `preview`, for a folder that is not there yet. */
export async function previewEmpty(plan: PlanOptions): Promise<PlanSummary> {
  const steps: Step[] = [];
  await planCheckout(plan, (step) => {
    steps.push(step);
    return undefined;
  });
  return { ...sumUp(steps), blocked: [] };
}

function sumUp(steps: readonly Step[]): Omit<PlanSummary, 'blocked'> {
  let writes = 0;
  let bytes = 0;
  let removals = 0;
  for (const step of steps) {
    if (isPlace(step)) writes++;
    if (step.kind === 'write') bytes += step.entry.size;
    if (step.kind === 'remove') removals++;
  }
  return { steps, writes, bytes, removals };
}

/** What stands in the way and is just what the snapshot has needs no writing; returns the paths where it is not. */
async function leaveRightOnes(
  steps: Step[],
  inWay: ReadonlyMap<number, Step>,
  target: Target,
  existing: ExistingFiles,
): Promise<string[]> {
  const isRight = async ({ path, entry }: PlaceStep): Promise<boolean> =>
    entry.kind === ENTRY_KIND.symlink ? target.leadsTo(path, entry.target) : existing.isRight(path, entry);
  const compared = [...inWay].map(async ([at, step]) => {
    if (!isPlace(step) || !(await isRight(step))) return step.path;
    steps[at] = { kind: 'metadata', path: step.path, entry: step.entry, before: undefined };
    return undefined;
  });
  existing.flush();
  return (await Promise.all(compared)).filter((path) => path !== undefined);
}

function isPlace(step: Step): step is PlaceStep {
  return step.kind === 'write' || step.kind === 'symlink' || step.kind === 'special';
}

/** True if the folder at `path`, whose removal comes after that of what is in it, will not be empty by then. */
function holdsMore(target: Target, path: string, removed: ReadonlySet<string>): boolean {
  if (target.look(path)?.isDirectory() !== true) return false;
  return target.names(path).some((name) => !removed.has(`${path}/${name}`));
}

/** True if in the folder at `path` there is something that the plan does not remove: ignored files. */
function holdsOther(target: Target, path: string, removed: ReadonlySet<string>): boolean {
  if (target.look(path)?.isDirectory() !== true) return false;
  return target.names(path).some((name) => {
    const inside = `${path}/${name}`;
    return !removed.has(inside) || holdsOther(target, inside, removed);
  });
}

/** A snapshot may hold what was, or became, the workspace's own store: that is never written or removed. */
function withoutStore({ root, backend }: Repository, selection: Selection): Selection {
  const store = storeInside(root, backend.location);
  if (store === undefined) return selection;
  return {
    has: (path) => !isWithin(path, store) && selection.has(path),
    reaches: (path) => !isWithin(path, store) && selection.reaches(path),
  };
}

export function planOptions(
  repository: Repository,
  options: CheckoutOptions,
  target: Target | undefined,
  beforeTrees: TreeReader = repository.trees,
): PlanOptions {
  const { trees } = repository;
  return {
    before: { trees: beforeTrees, tree: options.before },
    after: { trees, tree: options.after.tree },
    selection: withoutStore(repository, options.selection),
    keepExtra: options.keepExtra,
    keepKinds: options.overwrite !== 'always',
    ignoredAfter: rulesAfter(repository, options.after.tree),
    relink: new Set(),
    isSnapsOwn: (path) => target?.isSnapsOwn(path, repository.folder) ?? false,
  };
}

/** Reads and hashes files that are there already, to leave alone those that are right. */
export function existingFiles(
  repository: Repository,
  workers: Workers,
  target: Target,
  signal: AbortSignal | undefined,
): ExistingFiles {
  const sink = { take: () => undefined, spareBuffer: () => undefined, ready: async () => undefined };
  const root = target.writeRoot;
  const reader = new FileReader({ workers, root, chunker: repository.config.chunker, sink, signal });
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

export function inTheWay(blocked: readonly string[]): SnapError {
  const shown = blocked.slice(0, 5).join(', ');
  return new SnapError(
    'refused',
    `${blocked.length === 1 ? 'something is' : `${blocked.length} things are`} in the way, ignored, unreadable or not part of this checkout: ${shown}${blocked.length > 5 ? ', …' : ''}`,
    {
      hint: 'Move them away, or take what is ignored in with "!" in .snapignore and commit; nothing was changed.',
      context: { blocked },
    },
  );
}
