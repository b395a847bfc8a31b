/**
 * What a checkout would do, and what stands in its way: files that no snapshot knows. Those that hold just what the
 * snapshot has are no obstacle.
 */

import { formatCount } from '../bytes/quantity.ts';
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
import { hasMetadata } from './metadata.ts';
import type { PlaceStep, PlanOptions, Step } from './plan.ts';
import { changedLinkKeys, planCheckout } from './plan.ts';
import { rulesAfter } from './rules-after.ts';
import type { CheckoutProgress } from './tally.ts';
import { Tally } from './tally.ts';
import type { Target } from './target.ts';

export interface CheckoutOptions {
  /** The tree that the folder has now, all of it stored; undefined for an empty folder. */
  readonly before: BlobId | undefined;
  readonly after: Snapshot;
  readonly selection: Selection;
  readonly keepExtra: boolean;
  readonly overwrite: OverwritePolicy;
  readonly signal: AbortSignal | undefined;
  readonly progress: (progress: CheckoutProgress) => void;
  /** In place: why what is at a path of the folder is in no snapshot, be it a rule, or that it cannot be read. */
  readonly whyLeftOut?: (path: string) => string | undefined;
}

/** Something that a checkout in place would have to replace, and that is in no snapshot; elsewhere, that has other contents. */
export interface Blocked {
  readonly path: string;
  readonly reason: string;
}

const SHOWN_MAX = 5;
/** How a reason begins that is a rule. */
export const IGNORED = 'ignored by ';

/** Counts of what a plan would do. */
export interface PlanSummary {
  readonly steps: readonly Step[];
  readonly writes: number;
  readonly bytes: number;
  readonly removals: number;
  readonly blocked: readonly Blocked[];
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
  const steps: (Step | undefined)[] = [];
  const inWay = new Map<number, Step>();
  const removed = new Set<string>();
  await planCheckout({ ...base, relink }, (step) => {
    if (step.kind === 'remove-folder' && holdsMore(target, step.path, removed)) {
      steps.push({ kind: 'keep', path: step.path, before: step.before });
      return undefined;
    }
    steps.push(step);
    if (step.kind === 'remove' || step.kind === 'remove-folder') removed.add(step.path);
    if (isPlace(step) && removed.has(step.path) && otherIn(target, step.path, removed) !== undefined) {
      inWay.set(steps.length - 1, step);
      return undefined;
    }
    const mayBlock =
      step.kind === 'make-folder'
        ? !step.below && target.look(step.path)?.isDirectory() === false
        : isPlace(step) && step.before === undefined && options.overwrite === 'always';
    if (mayBlock && !removed.has(step.path) && target.look(step.path) !== undefined) inWay.set(steps.length - 1, step);
    return undefined;
  });
  const blocked = await leaveRightOnes(
    steps,
    inWay,
    target,
    existingFiles(repository, workers, target, options.signal, new Tally(options.progress)),
    target.path === repository.root,
  );
  const why = (path: string): string => whyBlocked(options, path, otherIn(target, path, removed) ?? path);
  return {
    ...sumUp(steps.filter((step) => step !== undefined)),
    blocked: blocked.map((path) => ({ path, reason: why(path) })),
  };
}

/** `at`: what is in the way, the path itself or something in the folder there. */
function whyBlocked({ whyLeftOut, selection }: CheckoutOptions, path: string, at: string): string {
  if (whyLeftOut === undefined) return 'it has other contents';
  const other = selection.has(at) ? 'it came there after the folder was read' : 'it is not part of this checkout';
  return `${at === path ? '' : `with ${at} in it, `}${whyLeftOut(at) ?? other}`;
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

/**
 * What stands in the way and is just what the snapshot has needs no writing; returns the paths where it is not. Elsewhere
 * (not `inPlace`) names of one file are made one again.
 */
async function leaveRightOnes(
  steps: (Step | undefined)[],
  inWay: ReadonlyMap<number, Step>,
  target: Target,
  existing: ExistingFiles,
  inPlace: boolean,
): Promise<string[]> {
  const isRight = async ({ path, entry }: PlaceStep): Promise<boolean> =>
    entry.kind === ENTRY_KIND.symlink ? target.leadsTo(path, entry.target) : existing.isRight(path, entry);
  const compare = async (at: number, step: Step): Promise<string | undefined> => {
    if (!isPlace(step) || !(await isRight(step))) return step.path;
    const { path, entry } = step;
    if (!inPlace && entry.kind === ENTRY_KIND.file && entry.linkKey !== undefined) return undefined;
    const there = target.look(path);
    const isDone = there !== undefined && hasMetadata(there, entry, target.mayOwn);
    steps[at] = isDone ? undefined : { kind: 'metadata', path, entry, before: undefined };
    return undefined;
  };
  const compared: Promise<string | undefined>[] = [];
  try {
    for (const [at, step] of inWay) {
      const path = compare(at, step);
      // Awaited in the end; a failure before that must not end the process.
      path.catch(() => undefined);
      compared.push(path);
      await existing.ready();
    }
  } finally {
    existing.flush();
    await Promise.allSettled(compared);
  }
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

/** Something in the folder at `path`, if it is one, that the plan does not remove: ignored files. */
function otherIn(target: Target, path: string, removed: ReadonlySet<string>): string | undefined {
  if (target.look(path)?.isDirectory() !== true) return undefined;
  for (const name of target.names(path)) {
    const inside = `${path}/${name}`;
    const other = otherIn(target, inside, removed) ?? (removed.has(inside) ? undefined : inside);
    if (other !== undefined) return other;
  }
  return undefined;
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
    isSnapsOwn: (path) => target?.isSnapsOwn(path, repository.folder),
  };
}

/** Reads and hashes files that are there already, to leave alone those that are right. */
export function existingFiles(
  repository: Repository,
  workers: Workers,
  target: Target,
  signal: AbortSignal | undefined,
  tally: Tally,
): ExistingFiles {
  const sink = {
    take: () => tally.compared(reader.bytes.read),
    spareBuffer: () => undefined,
    ready: async () => undefined,
  };
  const root = target.writeRoot;
  const reader: FileReader = new FileReader({ workers, root, chunker: repository.config.chunker, sink, signal });
  return {
    ready: () => reader.ready(),
    flush: () => reader.flush(),
    isRight: async (path, entry) => {
      const there = target.look(path);
      if (entry.kind !== ENTRY_KIND.file || there?.isFile() !== true || Number(there.size) !== entry.size) return false;
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
  let same = 0;
  for await (const { id } of trees.chunks(entry)) if (id !== chunks[same++]?.id) return false;
  return same === chunks.length;
}

/** The error for what is in the way of a checkout in place. */
export function inTheWay({ blocked, steps }: PlanSummary): SnapError {
  const lines = blocked.slice(0, SHOWN_MAX).map(({ path, reason }) => `${path} (${reason})`);
  if (blocked.length > SHOWN_MAX) lines.push(`and ${formatCount(blocked.length - SHOWN_MAX)} more`);
  const [first = ''] = lines;
  const one = blocked.length === 1;
  const paths = new Set(blocked.map(({ path }) => path));
  const needsFolder = steps.some((step) => step.kind === 'make-folder' && paths.has(step.path));
  const ways = [
    `move ${one ? 'it' : 'them'} away`,
    ...(needsFolder
      ? []
      : [`leave ${one ? 'it' : 'them'} and all other files that are there as they are with --overwrite never`]),
    ...(blocked.some(({ reason }) => reason.includes(IGNORED))
      ? ['take what is ignored in with "!" in .snapignore and commit']
      : []),
  ];
  return new SnapError(
    'refused',
    one ? `${first} is in the way` : [`${formatCount(blocked.length)} things are in the way:`, ...lines].join('\n'),
    { hint: `Nothing was changed. You can ${ways.join(', or ')}.`, context: { blocked } },
  );
}
