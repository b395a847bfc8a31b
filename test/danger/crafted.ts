/**
 * What no command of snap would make: snapshots of any trees, published as a commit would, and commits over a disk that
 * counts, breaks or spies on operations.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import type { Workspace } from '../../src/api/workspace.ts';
import type { CommitResult } from '../../src/commit/commit.ts';
import { commit } from '../../src/commit/commit.ts';
import type { Disk } from '../../src/disk/disk.ts';
import { processEnvironment } from '../../src/environment.ts';
import type { BlobId, BlobKind } from '../../src/object/blob-id.ts';
import { BLOB_KIND, blobIdOf } from '../../src/object/blob-id.ts';
import { snapshotRef } from '../../src/object/ref-name.ts';
import type { Snapshot } from '../../src/object/snapshot.ts';
import { encodeSnapshot } from '../../src/object/snapshot.ts';
import { encodeTree } from '../../src/object/tree.ts';
import type { FileEntry, FolderEntry, SymlinkEntry } from '../../src/object/tree-entry.ts';
import { ENTRY_KIND } from '../../src/object/tree-entry.ts';
import { BlobWriter } from '../../src/repo/blob-writer.ts';
import type { EntryDraft } from '../../src/repo/journal.ts';
import { openRepository } from '../../src/repo/repository.ts';
import { everything } from '../../src/scan/selection.ts';
import type { Workers } from '../../src/work/start-workers.ts';
import { startWorkers } from '../../src/work/start-workers.ts';

export interface CraftedBlob {
  readonly kind: BlobKind;
  readonly bytes: Buffer;
}

const BASE = { mode: 0o755, mtime: 1_700_000_000_000_000_000n, uid: process.getuid?.() ?? 0, gid: 0 };

export function folderEntry(name: string, tree: BlobId): FolderEntry {
  return { kind: ENTRY_KIND.folder, name, ...BASE, tree };
}

export function symlinkEntry(name: string, target: string): SymlinkEntry {
  return { kind: ENTRY_KIND.symlink, name, ...BASE, target };
}

/** A file of one chunk. */
export function fileEntry(name: string, bytes: Buffer): FileEntry {
  const chunks = [{ id: blobIdOf(bytes), length: bytes.length }];
  const flags = { linkKey: undefined, sparse: false, unsteady: false };
  return { kind: ENTRY_KIND.file, name, ...BASE, mode: 0o644, ...flags, size: bytes.length, content: { chunks } };
}

/** One tree as bytes that the decoder has not seen: `encodeTree` of each entry, laid together without looking. */
export function looseTree(entries: readonly (FileEntry | FolderEntry | SymlinkEntry)[]): Buffer {
  const bodies = entries.map((entry) => encodeTree([entry]).subarray(3));
  return Buffer.concat([Buffer.of(1, 0, entries.length), ...bodies]);
}

/** Publishes a snapshot of `tree`, a copy of HEAD's in all else but `change`. */
export async function publishTree(
  { repository, workers }: Workspace,
  blobs: readonly CraftedBlob[],
  tree: BlobId,
  change: Partial<Snapshot> = {},
): Promise<BlobId> {
  const head = repository.head().snapshot;
  if (head === null) throw new Error('commit something first');
  const { environment, backend, config } = repository;
  const { packBytes } = config;
  const isKnown = (): boolean => false;
  const level = 'off';
  const placed = (): void => undefined;
  const writer = new BlobWriter({ environment, backend, workers, isKnown, level, packBytes, placed });
  for (const { kind, bytes } of blobs) writer.store(kind, blobIdOf(bytes), bytes);
  const snapshot = encodeSnapshot({ ...(await repository.trees.snapshot(head)), parent: head, tree, ...change });
  const id = blobIdOf(snapshot);
  writer.store(BLOB_KIND.snapshot, id, snapshot);
  const packs = await writer.finish();
  const draft: EntryDraft = {
    operation: 'commit',
    note: 'crafted',
    workspace: repository.workspaceId,
    head: null,
    refs: [{ name: snapshotRef(id), from: null, to: id }],
    packs,
  };
  await repository.publish(draft, {}, () => draft);
  // The index has the pack's places from its footer.
  return id;
}

/** A commit of everything over a disk of the test's own, by a process of its own as far as locks can tell. */
export async function commitOver(
  root: string,
  disk: Disk,
  settings: { readonly signal?: AbortSignal; readonly message?: string; readonly workers?: Workers } = {},
): Promise<CommitResult> {
  const repository = await openRepository({ ...processEnvironment('test'), disk }, root);
  const workers = settings.workers ?? startWorkers(1);
  try {
    const lock = await repository.lock(1000);
    try {
      return await commit(repository, workers, {
        message: settings.message ?? 'over a disk',
        origin: 'commit',
        selection: everything,
        exclude: [],
        meta: {},
        tag: undefined,
        allowEmpty: false,
        rescan: false,
        compression: undefined,
        signal: settings.signal,
        progress: () => undefined,
      });
    } finally {
      lock.release();
    }
  } finally {
    await workers.close();
    await repository.close();
  }
}

/** The path of what a call to a disk is about, also where it goes by an open descriptor of the folder. */
export function plainPath(path: string): string {
  return path.replace(/^\/proc\/self\/fd\/\d+/, (descriptor) => {
    try {
      return fs.readlinkSync(descriptor);
    } catch {
      return descriptor;
    }
  });
}

/** Removes what is too deep for Node. */
export function removeDeep(path: string): void {
  execFileSync('rm', ['-rf', '--', path]);
}
