/** Checking out from outside. */

import { shellWord } from '../bytes/printable.ts';
import type { ApplyResult, OverwritePolicy } from '../checkout/apply-options.ts';
import { atTarget } from '../checkout/cannot-read.ts';
import { checkoutInPlace, checkoutTo, previewCheckout, previewCheckoutTo } from '../checkout/checkout.ts';
import type { CheckoutOptions, PlanSummary } from '../checkout/preview.ts';
import { IGNORED } from '../checkout/preview.ts';
import type { CheckoutProgress } from '../checkout/tally.ts';
import type { CommitProgress, CommitResult } from '../commit/commit.ts';
import { commit } from '../commit/commit.ts';
import { realPath } from '../disk/real-path.ts';
import { hasCode, SnapError } from '../errors.ts';
import { ignoreExplainer } from '../history/ignore-explanation.ts';
import { isGlob } from '../history/path-filter.ts';
import type { BlobId } from '../object/blob-id.ts';
import { shortId } from '../object/blob-id.ts';
import { snapshotRef } from '../object/ref-name.ts';
import type { SkippedPath } from '../object/snapshot.ts';
import { hasSnapshot } from '../object/store-state.ts';
import type { EntryDraft } from '../repo/journal.ts';
import { isWithin } from '../repo/layout.ts';
import { moveHead } from '../repo/move-head.ts';
import { appendOperation } from '../repo/operation-log.ts';
import type { Repository } from '../repo/repository.ts';
import { normalPath, resolvePath, resolveRevision, splitRevisionPath } from '../repo/revision.ts';
import { requireSnapshot } from '../repo/snapshot-list.ts';
import { everything, fromPaths } from '../scan/selection.ts';
import { previewCommit } from './commit.ts';
import { isFolderNow } from './history.ts';
import type { Workspace } from './workspace.ts';

export interface CheckoutSettings {
  readonly revision: string;
  /** Only these paths of the snapshot, relative to the workspace; HEAD then stays. */
  readonly paths?: readonly string[] | undefined;
  /** Absolute path of another folder to write into. */
  readonly to?: string | undefined;
  /** With `to`: the folder need not be empty. */
  readonly force?: boolean | undefined;
  readonly keepExtra?: boolean | undefined;
  readonly overwrite?: OverwritePolicy | undefined;
  readonly onProgress?: ((progress: CheckoutProgress) => void) | undefined;
  /** In place: of the commit, or its preview, of what is not committed. */
  readonly onSaving?: ((progress: CommitProgress) => void) | undefined;
}

export interface CheckoutResult extends ApplyResult {
  readonly id: BlobId;
  /** The snapshot that holds what was not committed before, if anything was. */
  readonly saved: BlobId | undefined;
  /** In place: what could not be read, and is thus not in `saved`. */
  readonly skipped: readonly SkippedPath[];
  /** Files, links and the like of the snapshot; undefined if only some paths were checked out. */
  readonly entries: number | undefined;
  readonly milliseconds: number;
}

/** An undo: it leaves HEAD elsewhere, removes paths that the snapshot lacks, and is written down by its caller. */
interface Undoing {
  readonly head: BlobId | null;
}

/** Makes the workspace (or `to`) look like a snapshot. What was not committed is committed first. */
export async function checkout(workspace: Workspace, settings: CheckoutSettings): Promise<CheckoutResult> {
  return timed(workspace, settings, undefined);
}

/** Makes the folder what it was before an operation; paths that were not there go. HEAD is at `head` afterwards. */
export async function checkoutBack(
  workspace: Workspace,
  settings: Pick<CheckoutSettings, 'revision' | 'paths' | 'onProgress' | 'onSaving'>,
  head: BlobId | null,
): Promise<CheckoutResult> {
  return timed(workspace, settings, { head });
}

async function timed(
  workspace: Workspace,
  settings: CheckoutSettings,
  undoing: Undoing | undefined,
): Promise<CheckoutResult> {
  const { environment } = workspace.repository;
  const started = environment.elapsed();
  const result =
    settings.to === undefined
      ? await workspace.exclusively(() => checkoutHere(workspace, settings, undoing))
      : await checkoutElsewhere(workspace, settings, settings.to);
  return { ...result, milliseconds: environment.elapsed() - started };
}

type Outcome = Omit<CheckoutResult, 'milliseconds'>;

async function checkoutElsewhere(workspace: Workspace, settings: CheckoutSettings, to: string): Promise<Outcome> {
  const { repository, workers } = workspace;
  refuseTarget(workspace, to);
  const { id, entries, options } = await resolve(workspace, settings);
  const result = await checkoutTo(repository, workers, to, settings.force ?? false, options);
  return { ...result, id, saved: undefined, skipped: [], entries };
}

/** Under the lock: HEAD, and what the revision names, are as the command before left them. */
async function checkoutHere(
  workspace: Workspace,
  settings: CheckoutSettings,
  undoing: Undoing | undefined,
): Promise<Outcome> {
  const { repository, workers } = workspace;
  workers.warm();
  const { id, entries, options } = await resolve(workspace, settings, undoing === undefined);
  const headBefore = repository.head().snapshot;
  const { id: saved, scan } = await autosave(workspace, settings);
  const now = saved ?? headBefore;
  const before = now === null || now === undefined ? undefined : (await repository.trees.snapshot(now)).tree;
  const whole = options.selection === everything;
  const savedBy = repository.state().number;
  let begun = false;
  const begin = async (changes: boolean): Promise<void> => {
    begun = true;
    if (undoing !== undefined || !(changes || (whole && headBefore !== id))) return;
    const paths = whole ? null : [...(settings.paths ?? [])];
    await appendOperation(repository, {
      operation: 'checkout',
      from: headBefore,
      saved: saved ?? null,
      to: id,
      paths,
    });
  };
  let result: ApplyResult;
  try {
    requireSnapshot(repository, id);
    result = await checkoutInPlace(
      repository,
      workers,
      { ...options, before, whyLeftOut: whyLeftOut(workspace, scan.skipped) },
      begin,
    );
  } catch (error) {
    // What was not committed before shall show as not committed again; once something was changed it stays saved.
    if (begun) throw undoing === undefined ? halfDone(error, saved) : error;
    if (saved !== undefined) await takeBack(repository, saved, savedBy);
    throw error;
  }
  const headAfter = undoing === undefined ? (whole ? id : headBefore) : undoing.head;
  await moveHead(repository, result.failures.every(({ onlyMetadata }) => onlyMetadata) ? headAfter : headBefore);
  return { ...result, id, saved, skipped: scan.skipped, entries };
}

/** An error of a checkout that had begun, with the way back. */
function halfDone(error: unknown, saved: BlobId | undefined): unknown {
  if (!(error instanceof SnapError) || error.code === 'interrupted') return error;
  const { code, message, hint = '', context } = error;
  const kept = saved === undefined ? '' : `What was not committed is saved as ${shortId(saved)}. `;
  return new SnapError(code, message, {
    hint: `${hint} ${kept}\`snap undo\` makes the folder what it was before.`.trim(),
    context,
    cause: error,
  });
}

/** What `checkout` would do; nothing is changed or stored. With `to`, `blocked` is what would be replaced there. */
export async function planCheckout(
  workspace: Workspace,
  settings: CheckoutSettings,
): Promise<PlanSummary & { readonly id: BlobId; readonly uncommitted: boolean }> {
  const { repository, workers } = workspace;
  const { id, options } = await resolve(workspace, settings);
  if (settings.to !== undefined) {
    refuseTarget(workspace, settings.to);
    const plan = await previewCheckoutTo(repository, workers, settings.to, settings.force ?? false, options);
    return { ...plan, id, uncommitted: false };
  }
  const live = await previewCommit(workspace, { onProgress: settings.onSaving });
  const plan = await previewCheckout(repository, workers, live.trees, {
    ...options,
    before: live.scan.tree,
    whyLeftOut: whyLeftOut(workspace, live.scan.skipped),
  });
  return { ...plan, id, uncommitted: live.scan.differs };
}

/** `mustExist`: throws `not-found` for a path that the snapshot lacks. */
async function resolve(
  workspace: Workspace,
  settings: CheckoutSettings,
  mustExist = true,
): Promise<{ id: BlobId; entries: number | undefined; options: CheckoutOptions }> {
  const { repository } = workspace;
  const { revision, path } = splitRevisionPath(settings.revision);
  const id = await resolveRevision(repository, revision);
  const snapshot = await repository.trees.snapshot(id);
  const paths = [
    ...(path === undefined || path === '' ? [] : [path]),
    ...(settings.paths ?? []).map(normalPath),
  ].filter((wanted) => wanted !== '');
  if (mustExist) for (const wanted of paths) await requirePath(repository, snapshot.tree, wanted, revision);
  const selection = paths.length === 0 ? everything : fromPaths(new Set(paths));
  const { files, others } = snapshot.totals;
  return {
    id,
    entries: selection === everything ? files + others : undefined,
    options: {
      before: undefined,
      after: snapshot,
      selection,
      keepExtra: settings.keepExtra ?? false,
      overwrite: settings.overwrite ?? 'always',
      signal: workspace.signal,
      progress: settings.onProgress ?? ((): void => undefined),
    },
  };
}

/** Tells why a path is in no snapshot, by the rules, and by what the scan could not take. */
function whyLeftOut(workspace: Workspace, skipped: readonly SkippedPath[]): (path: string) => string | undefined {
  // Nearly always nothing is in the way: the rules are read when something is.
  let explain: ReturnType<typeof ignoreExplainer> | undefined;
  const reasons = new Map(skipped.map(({ path, reason }) => [path, reason]));
  return (path) => {
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      const reason = reasons.get(path.slice(0, end));
      if (reason !== undefined) return /^E[A-Z0-9]+$/.test(reason) ? `it cannot be read: ${reason}` : reason;
    }
    explain ??= ignoreExplainer(workspace.repository);
    const { ignored, rule } = explain(isFolderNow(workspace, path) ? `${path}/` : path);
    return ignored ? `${IGNORED}${rule ?? 'a rule'}` : undefined;
  };
}

async function requirePath(repository: Repository, tree: BlobId, path: string, revision: string): Promise<void> {
  try {
    await resolvePath(repository, tree, path, revision);
  } catch (error) {
    if (!hasCode(error, 'not-found') || !isGlob(path)) throw error;
    throw new SnapError('not-found', error.message, {
      hint: `A checkout takes files and folders, no globs: \`snap find ${shellWord(path)}\` shows what fits.`,
      cause: error,
    });
  }
}

/** By where the paths lead, not by how they are written: a link may lead into the store. */
function refuseTarget({ repository }: Workspace, to: string): void {
  const { environment, root, folder, backend } = repository;
  const target = atTarget('looking at', to, () => realPath(environment.disk, to));
  const [workspace, own, store] = [root, folder, backend.location].map((path) => realPath(environment.disk, path)) as [
    string,
    string,
    string,
  ];
  const isWorkspace = target === workspace;
  if (!isWorkspace && !isWithin(target, own) && !isWithin(target, store) && !reaches(target, store)) return;
  throw new SnapError('refused', `${to} is ${isWorkspace ? 'the workspace itself' : whereTo(target, store)}`, {
    hint: isWorkspace ? 'Leave --to out to check out in place.' : 'Name another folder.',
  });
}

function whereTo(target: string, store: string): string {
  return reaches(target, store) ? `where the store lies, in ${store}` : 'where snap keeps its own files';
}

/** No snapshot has a path into a `.snap`. */
function reaches(target: string, store: string): boolean {
  return store !== target && isWithin(store, target) && !store.slice(target.length).split('/').includes('.snap');
}

/** Nothing was changed: the snapshot that was made for the checkout, by journal entry `undoes`, goes again. */
async function takeBack(repository: Repository, saved: BlobId, undoes: number): Promise<void> {
  const name = snapshotRef(saved);
  const draft = (): EntryDraft => ({
    operation: 'undo',
    note: `j${undoes}: saved for a checkout that changed nothing`,
    workspace: repository.workspaceId,
    refs: repository.state().refs.has(name) ? [{ name, from: saved, to: null }] : [],
    undoes,
  });
  await repository.publish(draft(), {}, draft);
}

async function autosave(workspace: Workspace, { revision, onSaving }: CheckoutSettings): Promise<CommitResult> {
  const { repository, workers } = workspace;
  const head = repository.head().snapshot;
  return commit(repository, workers, {
    message: `saved before checkout of ${/^[0-9a-f]{64}$/.test(revision) ? shortId(revision) : revision}`,
    origin: 'autosave',
    selection: everything,
    exclude: [],
    meta: {},
    tag: undefined,
    allowEmpty: head === null || !hasSnapshot(repository.state(), head),
    rescan: false,
    compression: undefined,
    signal: workspace.signal,
    progress: onSaving ?? ((): void => undefined),
  });
}
