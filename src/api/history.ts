/**
 * Reading history from outside: what snapshots there are, what is in them, what changed. Nothing here changes anything
 * or takes the workspace's lock.
 */
import { shellWord } from '../bytes/printable.ts';
import { parseTime } from '../bytes/time-expression.ts';
import { errnoOf, hasCode, SnapError } from '../errors.ts';
import type { Change } from '../history/change.ts';
import { tellUnreadable } from '../history/change.ts';
import { changesBetween } from '../history/changes.ts';
import type { FoundPath } from '../history/find.ts';
import { findPaths } from '../history/find.ts';
import type { IgnoreExplanation } from '../history/ignore-explanation.ts';
import { ignoreExplainer } from '../history/ignore-explanation.ts';
import type { ListedEntry } from '../history/list-entries.ts';
import { listEntries } from '../history/list-entries.ts';
import type { LoggedSnapshot } from '../history/log.ts';
import { listedSnapshot, logSnapshots, sideOf } from '../history/log.ts';
import { isGlob, pathFilter } from '../history/path-filter.ts';
import type { Side } from '../history/tree-compare.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { SkippedPath } from '../object/snapshot.ts';
import type { TreeEntry } from '../object/tree-entry.ts';
import { normalPath, resolvePath, resolveRevision, splitRevisionPath } from '../repo/revision.ts';
import { livingHead, livingParent } from '../repo/snapshot-list.ts';
import type { ScanProgress } from '../scan/scan.ts';
import { everything } from '../scan/selection.ts';
import { previewCommit } from './commit.ts';
import type { Workspace } from './workspace.ts';

export interface LogSettings {
  /** This snapshot and its ancestors; default: all snapshots of the workspace. */
  readonly revision?: string | undefined;
  /** Those of every workspace that shares the store. */
  readonly all?: boolean | undefined;
  /** Times as people write them, or dates. A day or minute is in whole: `since` its start, `until` its end. */
  readonly since?: string | Date | undefined;
  readonly until?: string | Date | undefined;
  /** Only snapshots in which one of these changed: paths, folders or globs, relative to the workspace. */
  readonly paths?: readonly string[] | undefined;
  readonly count?: number | undefined;
}

/** Snapshots, newest first; after them `corrupt-data` for those that cannot be read. Throws `not-found`, `ambiguous`, `usage`. */
export async function* log(workspace: Workspace, settings: LogSettings = {}): AsyncGenerator<LoggedSnapshot> {
  const { repository } = workspace;
  if (settings.revision !== undefined && settings.all === true) {
    throw new SnapError('usage', '--all lists every snapshot, and a revision only its ancestors', {
      hint: 'Leave one of them out.',
    });
  }
  const start = settings.revision === undefined ? undefined : await resolveRevision(repository, settings.revision);
  const since = timeOf(workspace, settings.since, false);
  const until = timeOf(workspace, settings.until, true);
  const paths = (settings.paths ?? []).map(normalPath);
  const countMax = settings.count ?? Number.POSITIVE_INFINITY;
  let found = 0;
  for await (const logged of logSnapshots(repository, {
    start,
    all: settings.all ?? false,
    since,
    until,
    paths,
    countMax,
    signal: workspace.signal,
  })) {
    found++;
    yield logged;
  }
  if (found > 0 || paths.length === 0 || countMax === 0 || since !== undefined || until !== undefined) return;
  const head = start ?? livingHead(workspace.repository);
  if (head === undefined) return;
  const { tree } = await repository.trees.snapshot(head);
  for (const path of paths) {
    if (repository.environment.disk.lstat(`${repository.root}/${path}`) !== undefined) continue;
    try {
      await requireNamed(workspace, path, [sideOf(repository, tree)], settings.revision ?? 'HEAD');
    } catch (error) {
      if (!hasCode(error, 'not-found')) throw error;
      const hint = `${error.hint ?? ''} \`snap find\` looks for names in all snapshots.`;
      throw new SnapError('not-found', `no snapshot that was looked at has "${path}"`, { hint, cause: error });
    }
  }
}

export interface ChangeSettings {
  /** Join what was removed and added with the same or similar content. Default: true. */
  readonly renames?: boolean | undefined;
  /** Also files with only other times or another owner. Default: false. */
  readonly metadata?: boolean | undefined;
  /** A folder that is new, gone or renamed as a whole is one change. Default: false. */
  readonly foldFolders?: boolean | undefined;
}

export interface ShownSnapshot extends LoggedSnapshot {
  /** What changed against the living parent. */
  changes(settings?: ChangeSettings): AsyncGenerator<Change>;
}

/** One snapshot. Throws `not-found`, `ambiguous`, `usage`. */
export async function show(workspace: Workspace, revision: string): Promise<ShownSnapshot> {
  const { repository } = workspace;
  const id = await resolveNamed(workspace, revision, revision);
  const snapshot = await repository.trees.snapshot(id);
  const parent = livingParent(repository, snapshot.parent);
  return {
    ...listedSnapshot(repository, id, snapshot),
    parent,
    changes: (settings) => snapshotChanges(workspace, { snapshot, parent }, settings),
  };
}

/** What changed in a snapshot against its living parent. */
export async function* snapshotChanges(
  workspace: Workspace,
  { snapshot, parent }: Pick<LoggedSnapshot, 'snapshot' | 'parent'>,
  settings: ChangeSettings & { readonly paths?: readonly string[] | undefined } = {},
): AsyncGenerator<Change> {
  const { repository } = workspace;
  const before = parent === undefined ? undefined : (await repository.trees.snapshot(parent)).tree;
  yield* changesBetween(
    sideOf(repository, before),
    sideOf(repository, snapshot.tree),
    withDefaults(settings, settings.paths),
  );
}

export interface StatusSettings extends ChangeSettings {
  /** Also say what ignore rules leave out. */
  readonly ignored?: boolean | undefined;
  readonly onProgress?: ((progress: ScanProgress) => void) | undefined;
}

export interface Status {
  /** HEAD, or what is left of its line; undefined if there is no snapshot yet. */
  readonly head: LoggedSnapshot | undefined;
  /** A commit would make a snapshot. */
  readonly differs: boolean;
  /** With times and owners unless told otherwise: what a commit would take note of. */
  readonly changes: AsyncGenerator<Change>;
  readonly ignored: readonly IgnoreExplanation[];
  readonly skipped: readonly SkippedPath[];
  readonly unsteady: readonly string[];
  /** Files, and their bytes, as they are now. */
  readonly totals: { readonly files: number; readonly bytes: number };
}

/** What changed in the folder since HEAD. Throws `interrupted`, `io`, `permission`. */
export async function status(workspace: Workspace, settings: StatusSettings = {}): Promise<Status> {
  const { repository } = workspace;
  const ignored: { path: string; isFolder: boolean }[] = [];
  const live = await previewCommit(workspace, {
    onProgress: settings.onProgress,
    ...(settings.ignored === true
      ? { onIgnored: (path: string, isFolder: boolean) => ignored.push({ path, isFolder }) }
      : {}),
  });
  const explain = ignoreExplainer(repository);
  const head = livingHead(workspace.repository);
  return {
    head: head === undefined ? undefined : await show(workspace, head),
    differs: live.scan.differs,
    changes: tellUnreadable(
      changesBetween(
        sideOf(repository, live.base),
        { trees: live.trees, tree: live.scan.tree },
        withDefaults({ metadata: true, ...settings }),
      ),
      live.scan.skipped,
    ),
    ignored: ignored
      .sort((a, b) => (a.path < b.path ? -1 : 1))
      .map(({ path, isFolder }) => explain(isFolder ? `${path}/` : path)),
    skipped: live.scan.skipped,
    unsteady: live.scan.unsteady,
    totals: live.scan.totals,
  };
}

export interface RevisionPath {
  readonly id: BlobId;
  readonly revision: string;
  readonly path: string;
  /** Undefined: the snapshot's whole tree. */
  readonly entry: TreeEntry | undefined;
  readonly tree: BlobId;
}

/** What `<rev>:<path>` names; the revision alone is its whole tree. Throws `not-found`, `ambiguous`, `usage`. */
export async function resolveRevisionPath(workspace: Workspace, text: string): Promise<RevisionPath> {
  const { repository } = workspace;
  const { revision, path = '' } = splitRevisionPath(text);
  const id = await resolveNamed(workspace, revision, text);
  const { tree } = await repository.trees.snapshot(id);
  return { id, revision, path, entry: await resolvePath(repository, tree, path, revision), tree };
}

/** What is in a snapshot's folder; of a file, itself. `recursive`: at any depth, folders before what is in them. */
export async function* list(
  workspace: Workspace,
  text = 'HEAD',
  settings: { readonly recursive?: boolean | undefined } = {},
): AsyncGenerator<ListedEntry> {
  const { entry, tree, path } = await resolveRevisionPath(workspace, text);
  yield* listEntries(workspace.repository.trees, entry, tree, path, settings.recursive ?? false);
}

export interface FindSettings {
  readonly all?: boolean | undefined;
  readonly ignoreCase?: boolean | undefined;
  readonly onProgress?: ((snapshots: number) => void) | undefined;
}

/** Paths that a glob names in any snapshot, with their versions. Throws `usage`, `refused`. */
export function find(workspace: Workspace, glob: string, settings: FindSettings = {}): Promise<FoundPath[]> {
  return findPaths(workspace.repository, {
    glob,
    all: settings.all ?? false,
    ignoreCase: settings.ignoreCase ?? false,
    signal: workspace.signal,
    progress: settings.onProgress ?? (() => undefined),
  });
}

/** For each path (relative to the workspace; folders end in "/", or are folders now) the ignore rule that decides. */
export function explainIgnored(workspace: Workspace, paths: readonly string[]): IgnoreExplanation[] {
  const explain = ignoreExplainer(workspace.repository);
  return paths.map((path) => {
    const plain = normalPath(path);
    const isFolder = path.endsWith('/') || isFolderNow(workspace, plain);
    return explain(isFolder ? `${plain}/` : plain);
  });
}

/** What cannot be (too long a name, a file on the way) is none. */
export function isFolderNow({ repository, root }: Workspace, path: string): boolean {
  try {
    return repository.environment.disk.lstat(`${root}/${path}`)?.isDirectory() === true;
  } catch (error) {
    if (errnoOf(error) !== 'ENAMETOOLONG' && errnoOf(error) !== 'ENOTDIR') throw error;
    return false;
  }
}

export function withDefaults(
  settings: ChangeSettings,
  paths: readonly string[] = [],
): Parameters<typeof changesBetween>[2] {
  return {
    selection: paths.length === 0 ? everything : pathFilter(paths.map(normalPath)),
    renames: settings.renames ?? true,
    metadata: settings.metadata ?? false,
    foldFolders: settings.foldFolders ?? false,
  };
}

/** Throws `not-found` with near names for a path (not a glob) that none of `sides` has; names are those of `revision`. */
export async function requireNamed(
  { repository }: Workspace,
  path: string,
  sides: readonly Side[],
  revision: string,
): Promise<void> {
  if (path === '' || isGlob(path)) return;
  const names = path.split('/');
  for (const { trees, tree } of sides)
    if (tree !== undefined && (await trees.entryAt(tree, names)) !== undefined) return;
  const stored = sides.find(({ trees, tree }) => trees === repository.trees && tree !== undefined)?.tree;
  if (stored !== undefined) await resolvePath(repository, stored, path, revision);
  else
    throw new SnapError('not-found', `there is no "${path}"`, {
      hint: 'There is no snapshot yet, and nothing of that name in the folder.',
    });
}

/** People write a path where a revision belongs: says how it is meant. */
async function resolveNamed(workspace: Workspace, revision: string, text: string): Promise<BlobId> {
  const { repository } = workspace;
  try {
    return await resolveRevision(repository, revision);
  } catch (error) {
    const head = livingHead(workspace.repository);
    if (!hasCode(error, 'not-found') || head === undefined || text !== revision) throw error;
    const path = normalPath(revision);
    const entry = await repository.trees.entryAt((await repository.trees.snapshot(head)).tree, path.split('/'));
    if (entry === undefined) throw error;
    throw new SnapError('not-found', error.message, {
      hint: `For the path in the last snapshot write ${shellWord(`HEAD:${path}`)}.`,
      cause: error,
    });
  }
}

function timeOf({ repository }: Workspace, time: string | Date | undefined, upTo: boolean): Date | undefined {
  return typeof time === 'string' ? parseTime(time, { now: repository.environment.now(), upTo }) : time;
}
