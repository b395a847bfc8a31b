/**
 * Finds names in all snapshots: which paths a glob names, which versions they had, and in which snapshots. Reads the
 * newest tree as a whole and of each older one only what differs from the one before.
 */
import picomatch from 'picomatch';
import { SnapError } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { TreeEntry } from '../object/tree-entry.ts';
import type { Repository } from '../repo/repository.ts';
import type { ListedSnapshot } from '../repo/snapshot-list.ts';
import { listSnapshots } from '../repo/snapshot-list.ts';
import { diffTrees } from '../repo/tree-diff.ts';
import { checkGlob } from '../scan/glob.ts';
import { contentId } from './change.ts';
import { sideOf } from './log.ts';

/** Versions that are held before they are told; each costs some 300 bytes, and 50 for each snapshot it is in. */
const VERSIONS_MAX = 200_000;

export interface FoundVersion {
  /** Equal for equal contents, at any path; undefined for folders and what has no content. */
  readonly content: string | undefined;
  /** As in the newest of its snapshots. */
  readonly entry: TreeEntry;
  /** Newest first. */
  readonly snapshots: readonly ListedSnapshot[];
}

export interface FoundPath {
  readonly path: string;
  /** Of the workspace with this name, when those of several were searched. */
  readonly workspace: string;
  /** Newest first. */
  readonly versions: readonly FoundVersion[];
}

export interface FindOptions {
  /** Relative to the workspace; without "/" it is matched against the last name of a path. */
  readonly glob: string;
  readonly ignoreCase: boolean;
  /** Snapshots of every workspace of the store. */
  readonly all: boolean;
  readonly signal: AbortSignal | undefined;
  readonly progress: (snapshots: number) => void;
}

type Version = { content: string | undefined; entry: TreeEntry; snapshots: ListedSnapshot[] };

/** Paths in order, workspace by workspace. Throws `refused` for more than can be held, `interrupted`, `corrupt-data`. */
export async function findPaths(repository: Repository, options: FindOptions): Promise<FoundPath[]> {
  const matches = matcher(options.glob, options.ignoreCase);
  const byWorkspace = new Map<string, ListedSnapshot[]>();
  for (const listed of await listSnapshots(repository, options.all)) {
    const { id } = listed.snapshot.workspace;
    const listedBefore = byWorkspace.get(id);
    if (listedBefore === undefined) byWorkspace.set(id, [listed]);
    else listedBefore.push(listed);
  }
  const found: FoundPath[] = [];
  const budget = { versions: VERSIONS_MAX, snapshots: 0 };
  for (const listed of byWorkspace.values())
    found.push(...(await findIn(repository, listed, matches, options, budget)));
  return found;
}

async function findIn(
  repository: Repository,
  listed: readonly ListedSnapshot[],
  matches: (path: string) => boolean,
  options: FindOptions,
  budget: { versions: number; snapshots: number },
): Promise<FoundPath[]> {
  /** What the snapshot at hand has, and all versions of each path. */
  const now = new Map<string, Version>();
  const versions = new Map<string, Version[]>();
  let tree: BlobId | undefined;
  for (const one of listed) {
    options.signal?.throwIfAborted();
    for await (const { path, after } of diffTrees(sideOf(repository, tree), sideOf(repository, one.snapshot.tree))) {
      if (!matches(path)) continue;
      if (after === undefined) now.delete(path);
      else now.set(path, versionOf(versions, path, after, budget));
    }
    tree = one.snapshot.tree;
    for (const version of now.values()) version.snapshots.push(one);
    options.progress(++budget.snapshots);
  }
  const workspace = listed[0]?.snapshot.workspace.name ?? '';
  return [...versions].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, all]) => ({ path, workspace, versions: all }));
}

function versionOf(
  versions: Map<string, Version[]>,
  path: string,
  entry: TreeEntry,
  budget: { versions: number },
): Version {
  const content = contentId(entry);
  const before = versions.get(path) ?? [];
  const same = before.find((version) => version.entry.kind === entry.kind && version.content === content);
  if (same !== undefined) return same;
  if (--budget.versions < 0)
    throw new SnapError('refused', `more than ${VERSIONS_MAX} versions fit`, { hint: 'Give a narrower pattern.' });
  const version: Version = { content, entry, snapshots: [] };
  versions.set(path, [...before, version]);
  return version;
}

function matcher(glob: string, ignoreCase: boolean): (path: string) => boolean {
  const pattern = checkGlob(glob)
    .replace(/^\.?\/+/, '')
    .replace(/\/+$/, '');
  if (pattern === '') throw new SnapError('usage', 'the pattern is empty', { hint: "For example: snap find '*.pt'" });
  const matches = picomatch(pattern, { dot: true, nocase: ignoreCase });
  return pattern.includes('/') ? matches : (path) => matches(path.slice(path.lastIndexOf('/') + 1));
}
