/**
 * Scanning: turns the live folder into trees, and tells how they differ from a base tree. Used to commit, and, without
 * storing anything, for status and for comparing with the live folder.
 */
import { AnchoredFolder } from '../disk/anchored-folder.ts';
import { OPEN } from '../disk/disk.ts';
import { errnoOf, fromSystemError, SnapError } from '../errors.ts';
import type { BlobIndex } from '../index/blob-index.ts';
import type { FolderTotals } from '../index/folder-record.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { SkippedPath } from '../object/snapshot.ts';
import type { TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import type { Environment } from '../repo/environment.ts';
import { storeInside } from '../repo/layout.ts';
import type { Repository } from '../repo/repository.ts';
import { textsSetting } from '../repo/settings.ts';
import type { TreeReader } from '../repo/tree-reader.ts';
import type { Workers } from '../work/start-workers.ts';
import type { KeepBlob } from './entries.ts';
import type { ChunkSink } from './file-reader.ts';
import { FileReader } from './file-reader.ts';
import { FolderWalk } from './folder-walk.ts';
import { outerRules, readIgnoreFile } from './ignore-rules.ts';
import type { Selection } from './selection.ts';

export type ChangeKind = 'added' | 'changed' | 'removed';

/** How far a scan is; told for each folder, and for each batch or stretch of bytes. */
export interface ScanProgress {
  /** Seen so far. */
  readonly entries: number;
  readonly bytesRead: number;
  /** How much is to be read; known when every folder has been looked at. */
  readonly bytesToRead: number | undefined;
}

export interface ScanOptions {
  readonly repository: Repository;
  readonly workers: Workers;
  /** The tree to compare with, and whose folder records may be used. */
  readonly base: BlobId | undefined;
  readonly selection: Selection;
  /** False: read every file again. */
  readonly useRecords: boolean;
  readonly exclude: readonly string[];
  readonly keep: KeepBlob;
  readonly sink: ChunkSink;
  /** Takes the record of each folder at once; if undefined they are collected in the result. */
  readonly remember?: ((path: string, record: Uint8Array) => void) | undefined;
  readonly signal: AbortSignal | undefined;
  readonly progress: (progress: ScanProgress) => void;
  /** Called for each path left out by ignore rules. */
  readonly ignored?: (path: string, isFolder: boolean) => void;
}

export interface ScanResult {
  readonly tree: BlobId;
  readonly totals: FolderTotals;
  /** Files, links and specials (folders are not counted) against the base. */
  readonly counts: Readonly<Record<ChangeKind, number>>;
  /** True if anything but folder times differs from the base. */
  readonly differs: boolean;
  readonly skipped: readonly SkippedPath[];
  readonly unsteady: readonly string[];
  /** Read again although size and time were the same, and found different. */
  readonly silent: readonly string[];
  readonly records: readonly { readonly path: string; readonly tree: BlobId; readonly record: Uint8Array }[];
  readonly bytesRead: number;
  readonly folder: { readonly mode: number; readonly uid: number; readonly gid: number; readonly mtime: bigint };
}

/** What the walk shares. */
export interface ScanContext {
  readonly environment: Environment;
  readonly root: string;
  /** The root, opened: everything is entered from it, and no link on the way is followed. */
  readonly anchor: AnchoredFolder;
  /** Where the store lies in the workspace, if it does: never taken in. */
  readonly ownStore: string | undefined;
  /** The workspace's `.snap`, as an absolute path. */
  readonly ownFolder: string;
  readonly index: BlobIndex;
  readonly trees: TreeReader;
  readonly reader: FileReader;
  readonly selection: Selection;
  readonly useRecords: boolean;
  readonly keep: KeepBlob;
  readonly signal: AbortSignal | undefined;
  readonly skipped: SkippedPath[];
  readonly unsteady: string[];
  readonly silent: string[];
  progress(entries: number): void;
  noteChange(path: string, change: ChangeKind, entry: TreeEntry): void;
  remember(path: string, tree: BlobId, record: Uint8Array): void;
  ignored: ((path: string, isFolder: boolean) => void) | undefined;
}

/** Scans the workspace. Throws `interrupted`, and whatever the sink throws. */
export async function scanWorkspace(options: ScanOptions): Promise<ScanResult> {
  const { root, environment } = options.repository;
  const fd = openRoot(environment, root);
  const anchor = new AnchoredFolder(environment.disk, fd, root);
  try {
    return await scanOpened(options, fd, anchor);
  } finally {
    anchor.close();
    environment.disk.close(fd);
  }
}

function openRoot({ disk }: Environment, root: string): number {
  try {
    return disk.open(root, OPEN.folderThroughLink);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw new SnapError('no-workspace', `${root} is gone`);
    throw fromSystemError(error, 'reading', root);
  }
}

async function scanOpened(options: ScanOptions, fd: number, anchor: AnchoredFolder): Promise<ScanResult> {
  const { repository, workers, sink, signal } = options;
  const { environment, root } = repository;
  const { chunker } = repository.config;
  const tell = (): void => {
    const { asked, read } = reader.bytes;
    options.progress({ entries: seen, bytesRead: read, bytesToRead: walking ? undefined : Math.max(asked, read) });
  };
  const reader = new FileReader({ workers, root: { fd, path: root }, chunker, sink: telling(sink, tell), signal });
  const counts = { added: 0, changed: 0, removed: 0 };
  const records: { path: string; tree: BlobId; record: Uint8Array }[] = [];
  let differs = false;
  let seen = 0;
  let walking = true;
  const context: ScanContext = {
    environment,
    root,
    anchor,
    ownStore: storeInside(root, repository.backend.location),
    ownFolder: repository.folder,
    index: repository.index,
    trees: repository.trees,
    reader,
    selection: options.selection,
    useRecords: options.useRecords,
    keep: options.keep,
    signal,
    skipped: [],
    unsteady: [],
    silent: [],
    ignored: options.ignored,
    progress: (entries) => {
      seen += entries;
      tell();
    },
    noteChange: (_path, change, entry) => {
      differs = true;
      if (entry.kind !== ENTRY_KIND.folder) counts[change]++;
    },
    remember: (path, tree, record) => {
      if (options.remember === undefined) records.push({ path, tree, record });
      else options.remember(path, record);
    },
  };
  const readRules = (path: string): Buffer | undefined => readIgnoreFile(environment.disk, anchor.at(path));
  const rules = outerRules(readRules, [
    { source: 'config.toml commit.exclude', patterns: textsSetting(repository.settings, 'commit.exclude') ?? [] },
    { source: '--exclude', patterns: options.exclude },
  ]);
  const stat = environment.disk.stat(fd);
  const { done } = await new FolderWalk(context).walk('', rules, options.base);
  walking = false;
  reader.flush();
  const walked = await done;
  if (walked === undefined) throw new SnapError('io', `${root} cannot be read`);
  const order = (a: { path: string }, b: { path: string }): number => (a.path < b.path ? -1 : 1);
  return {
    tree: walked.tree,
    totals: walked.totals,
    counts,
    differs,
    skipped: context.skipped.sort(order),
    unsteady: context.unsteady.sort(),
    silent: context.silent.sort(),
    records,
    bytesRead: reader.bytes.read,
    folder: { mode: Number(stat.mode & 0o7777n), uid: Number(stat.uid), gid: Number(stat.gid), mtime: stat.mtimeNs },
  };
}

/** `sink`, and whenever it took something `tell` is called. */
function telling(sink: ChunkSink, tell: () => void): ChunkSink {
  const take: ChunkSink['take'] = (...read) => {
    sink.take(...read);
    tell();
  };
  return { ...sink, take };
}
