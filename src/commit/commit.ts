/**
 * Commit: scan the folder, store what is new, publish one journal entry. The entry is the commit point; nothing before
 * it is visible, and everything after it is caught up at the next open if the process dies. SPEC.md "Commit".
 */

import { clampInt64 } from '../bytes/int64.ts';
import type { CompressionLevel } from '../compress/block-codec.ts';
import { hasCode, SnapError } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import { BLOB_KIND, blobIdOf } from '../object/blob-id.ts';
import type { PackId } from '../object/pack-id.ts';
import type { RefName } from '../object/ref-name.ts';
import { snapshotRef, tagRef } from '../object/ref-name.ts';
import type { Snapshot } from '../object/snapshot.ts';
import { encodeSnapshot } from '../object/snapshot.ts';
import { hasSnapshot } from '../object/store-state.ts';
import { BlobWriter, knownInIndex } from '../repo/blob-writer.ts';
import { zonedTime } from '../repo/environment.ts';
import { gitInfo } from '../repo/git-info.ts';
import { followWithHead } from '../repo/head.ts';
import type { EntryDraft, NumberedEntry } from '../repo/journal.ts';
import { readEntry } from '../repo/journal.ts';
import { missingPacks } from '../repo/pack-presence.ts';
import type { Repository } from '../repo/repository.ts';
import { beginSession } from '../repo/session.ts';
import { textSetting } from '../repo/settings.ts';
import { livingHead } from '../repo/snapshot-list.ts';
import type { ScanProgress, ScanResult } from '../scan/scan.ts';
import { scanWorkspace } from '../scan/scan.ts';
import type { Selection } from '../scan/selection.ts';
import { everything } from '../scan/selection.ts';
import type { Workers } from '../work/start-workers.ts';
import { IndexFeed } from './index-feed.ts';
import { storingSink } from './storing-sink.ts';

export interface CommitOptions {
  readonly message: string;
  readonly origin: Snapshot['origin'];
  readonly selection: Selection;
  readonly exclude: readonly string[];
  readonly meta: Readonly<Record<string, string>>;
  readonly tag: string | undefined;
  readonly allowEmpty: boolean;
  /** Read every file again, whatever its stat says. */
  readonly rescan: boolean;
  readonly compression: CompressionLevel | undefined;
  readonly signal: AbortSignal | undefined;
  readonly progress: (progress: CommitProgress) => void;
}

export interface CommitProgress extends ScanProgress {
  readonly newBytes: number;
}

export interface CommitResult {
  /** Undefined if nothing changed and nothing was recorded. */
  readonly id: BlobId | undefined;
  readonly snapshot: Snapshot | undefined;
  readonly scan: Pick<ScanResult, 'differs' | 'counts' | 'totals' | 'skipped' | 'unsteady' | 'silent' | 'bytesRead'>;
  readonly newBytes: number;
  readonly storedBytes: number;
  /** Packs that the store should have and has not: what the folder has of them was stored again. */
  readonly missingPacks: readonly PackId[];
  readonly milliseconds: number;
}

/** A gc swept packs that this attempt may rely on: do it again, with those blobs unknown. */
class Swept extends Error {}

const ATTEMPTS_MAX = 5;

function sweptTooOften(times: number): SnapError {
  return new SnapError('conflict', `gc removed packs of the store ${times} times while this commit was made`, {
    hint: 'Nothing was recorded. Commit again when gc is done.',
  });
}

/** Commits the workspace, whose lock the caller holds. */
export async function commit(repository: Repository, workers: Workers, options: CommitOptions): Promise<CommitResult> {
  // Checked again when it is published; a commit of hours is not made in vain for a name.
  if (options.tag !== undefined) newTag(repository, options.tag);
  const session = beginSession(repository.environment, repository.backend);
  try {
    let trustsTrees = true;
    for (let attempt = 1; ; attempt++) {
      try {
        return await attemptCommit(repository, workers, options, trustsTrees);
      } catch (error) {
        if (attempt >= ATTEMPTS_MAX) throw error instanceof Swept ? sweptTooOften(attempt) : error;
        // The last snapshot or a tree of it cannot be read: what is in the folder can be stored all the same.
        if (trustsTrees && hasCode(error, 'corrupt-data') && options.selection === everything) trustsTrees = false;
        else if (!(error instanceof Swept)) throw error;
      }
    }
  } finally {
    session.end();
  }
}

/** `trustsTrees`: false to compare with nothing, and to store every tree and list again. */
async function attemptCommit(
  repository: Repository,
  workers: Workers,
  options: CommitOptions,
  trustsTrees: boolean,
): Promise<CommitResult> {
  const { environment, backend, index } = repository;
  const [started, began] = [environment.elapsed(), repository.state().number];
  const parent = await readParent(repository, trustsTrees);
  const missing = await missingPacks(backend, repository.state());
  const feed = new IndexFeed(index);
  const isKnown = knownInIndex(index, missing);
  const writer = new BlobWriter({
    environment,
    backend,
    workers,
    isKnown: (kind, id) => (trustsTrees || kind === BLOB_KIND.data) && isKnown(kind, id),
    level: levelOf(repository, options),
    packBytes: repository.config.packBytes,
    placed: (pack, block) => feed.addBlock(pack, block),
  });
  try {
    const scan = await scanWorkspace({
      repository,
      workers,
      base: parent?.tree,
      selection: options.selection,
      useRecords: !options.rescan && missing.size === 0 && trustsTrees,
      exclude: options.exclude,
      keep: (kind, id, bytes) => {
        writer.store(kind, id, bytes);
        if (kind === BLOB_KIND.tree) feed.addObject(kind, id, bytes);
      },
      // Without a parent there are no records that this commit, if it came to nothing, would have spoilt.
      remember: parent === undefined ? (path, record) => feed.addRecord(path, record) : undefined,
      sink: storingSink(writer, feed),
      signal: options.signal,
      progress: (scan) => options.progress({ ...scan, newBytes: writer.newBytes }),
    });
    const heals = missing.size > 0 && writer.hasNew;
    if (parent !== undefined && !scan.differs && !options.allowEmpty && options.tag === undefined && !heals) {
      await writer.abandon();
      await rememberUnchanged(repository, scan);
      return { ...nothingRecorded(scan, environment.elapsed() - started), missingPacks: [...missing] };
    }
    const { newBytes, storedBytes } = await flushData(writer);
    const snapshot = describe(repository, options, parent?.id ?? null, scan, newBytes, storedBytes);
    const bytes = encodeSnapshot(snapshot);
    const id = blobIdOf(bytes);
    writer.store(BLOB_KIND.snapshot, id, bytes);
    const packs = await writer.finish();
    options.signal?.throwIfAborted();
    feed.addObject(BLOB_KIND.snapshot, id, bytes);
    await feed.flush();
    const draft = (): EntryDraft => draftEntry(repository, options, id, parent?.id ?? null, packs);
    await recheckPassed(repository, parent?.id, began, draft);
    await repository.publish(draft(), { folderRecords: scan.records }, (others) =>
      recheck(repository, parent?.id, others, draft),
    );
    if (movesHead(options)) followWithHead(`the snapshot ${id}`, () => repository.setHead(id));
    const milliseconds = environment.elapsed() - started;
    return { id, snapshot, scan, newBytes, storedBytes, missingPacks: [...missing], milliseconds };
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

function levelOf({ settings }: Repository, { compression }: CommitOptions): CompressionLevel {
  return compression ?? (textSetting(settings, 'commit.compression') as CompressionLevel | undefined) ?? 'balanced';
}

/** An autosave lies beside the line: if the checkout it was made for is cut off, HEAD is where it was. */
function movesHead({ origin }: CommitOptions): boolean {
  return origin !== 'autosave';
}

function nothingRecorded(scan: ScanResult, milliseconds: number): Omit<CommitResult, 'missingPacks'> {
  return { id: undefined, snapshot: undefined, scan, newBytes: 0, storedBytes: 0, milliseconds };
}

/** Nothing is recorded, but what was read again need not be read once more: records of trees that are stored are kept. */
async function rememberUnchanged({ index }: Repository, scan: ScanResult): Promise<void> {
  const folderRecords = scan.records.filter((record) => index.find(BLOB_KIND.tree, record.tree) !== undefined);
  await index.write({ folderRecords });
}

/** What was stored so far; the last blocks may still be on their way, so this is a floor for the snapshot's own record. */
async function flushData(writer: BlobWriter): Promise<{ newBytes: number; storedBytes: number }> {
  await writer.drain();
  return { newBytes: writer.newBytes, storedBytes: writer.storedBytes };
}

/** The snapshot that the folder is compared with; `tree` is undefined if it is not to be trusted. */
async function readParent(
  repository: Repository,
  trustsTrees: boolean,
): Promise<{ id: BlobId; tree: BlobId | undefined } | undefined> {
  const id = livingHead(repository);
  if (id === undefined) return undefined;
  return { id, tree: trustsTrees ? (await repository.trees.snapshot(id)).tree : undefined };
}

function describe(
  repository: Repository,
  options: CommitOptions,
  parent: BlobId | null,
  scan: ScanResult,
  newBytes: number,
  storedBytes: number,
): Snapshot {
  const { environment } = repository;
  return {
    tree: scan.tree,
    parent,
    time: zonedTime(environment, environment.now()),
    message: options.message,
    origin: options.origin,
    host: environment.host,
    user: environment.user,
    workspace: { id: repository.workspaceId, name: repository.workspaceName },
    folder: { ...scan.folder, mtime: String(clampInt64(scan.folder.mtime)) },
    totals: scan.totals,
    changes: { ...scan.counts, newBytes, storedBytes },
    skipped: scan.skipped,
    unsteady: scan.unsteady,
    git: gitInfo(environment.disk, repository.root),
    meta: options.meta,
    program: environment.program,
  };
}

function draftEntry(
  repository: Repository,
  options: CommitOptions,
  id: BlobId,
  parent: BlobId | null,
  packs: NonNullable<EntryDraft['packs']>,
): EntryDraft {
  const refs: { name: RefName; from: BlobId | null; to: BlobId | null }[] = [];
  const name = snapshotRef(id);
  if (!repository.state().refs.has(name)) refs.push({ name, from: null, to: id });
  if (options.tag !== undefined) refs.push({ name: newTag(repository, options.tag), from: null, to: id });
  const firstLine = options.message.split('\n')[0] ?? '';
  return {
    operation: 'commit',
    note: firstLine,
    workspace: repository.workspaceId,
    head: movesHead(options) ? { from: repository.head().snapshot ?? parent, to: id } : null,
    refs,
    packs,
  };
}

/** Throws `exists` if the tag is taken. */
function newTag(repository: Repository, tag: string): RefName {
  const ref = tagRef(tag);
  if (repository.state().refs.has(ref))
    throw new SnapError('exists', `there is a tag "${tag}" already`, {
      hint: `Choose another name, or remove it first: snap tag -d ${tag}`,
    });
  return ref;
}

/** Something else in this process may have read on in the journal since: no conflict will tell of those entries. */
async function recheckPassed(
  repository: Repository,
  parent: BlobId | undefined,
  began: number,
  draft: () => EntryDraft,
): Promise<void> {
  for (let number = began + 1; number <= repository.state().number; number++) {
    const passed = await readEntry(repository.backend, number);
    if (passed !== undefined) recheck(repository, parent, [passed], draft);
  }
}

/** Others published first: is what this commit relies on still there? */
function recheck(
  repository: Repository,
  parent: BlobId | undefined,
  others: readonly NumberedEntry[],
  draft: () => EntryDraft,
): EntryDraft {
  if (others.some(({ entry }) => entry.swept.length > 0)) throw new Swept();
  if (parent !== undefined && !hasSnapshot(repository.state(), parent)) throw new Swept();
  // By chance, or by a clock that stands still, others may have published the very same snapshot, or pruned it.
  return draft();
}
