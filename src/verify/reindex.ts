/**
 * Reindex: throws the LevelDB index of a workspace away and fills a new one from journal and packs: blob locations when
 * it is opened, then every tree and snapshot, each block read once. What files looked like at the last commit is not in
 * the store: the next commit reads every file again.
 */
import type { Holder } from '../disk/lock-file.ts';
import { isAlive, isInOtherContainer, readHolder } from '../disk/lock-file.ts';
import { describing, SnapError } from '../errors.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import { BLOB_KIND } from '../object/blob-id.ts';
import type { Environment } from '../repo/environment.ts';
import { takeMarker } from '../repo/index-marker.ts';
import { WORKSPACE } from '../repo/layout.ts';
import { lockedBy } from '../repo/lock-holder.ts';
import { Marker } from '../repo/mark.ts';
import { removeIndex } from '../repo/open-index.ts';
import { readPackTable } from '../repo/read-pack-table.ts';
import type { Repository } from '../repo/repository.ts';

export interface ReindexResult {
  readonly packs: number;
  readonly blobs: number;
  readonly trees: number;
  readonly snapshots: number;
  /** Packs and blobs that could not be read; `snap verify` says what they hit. */
  readonly damaged: number;
  readonly milliseconds: number;
}

/** Trees and snapshots are written in portions of this size. */
const FLUSH_BYTES = 4 * 1024 * 1024;

/**
 * Throws `locked` if a command uses the index in `.snap` (`folder`). Of one in another container only LevelDB can tell:
 * an opening that finds it free takes its mark away.
 */
export function requireUnusedIndex(environment: Environment, folder: string): void {
  const { disk, holder } = environment;
  const other = readHolder(disk, `${folder}/${WORKSPACE.indexInUse}`);
  if (other !== undefined && isAlive(disk, other, holder) && !isInOtherContainer(other, holder))
    throw inUse(environment, folder, other);
}

/**
 * Removes the index in `.snap` (`folder`), so that the next open builds it again; it was open before. Throws `locked` if a
 * command uses it.
 */
export function discardIndex(environment: Environment, folder: string): void {
  const { disk, holder } = environment;
  describing('removing', `${folder}/${WORKSPACE.index}`, () => {
    const marker = takeMarker(environment, folder);
    if (!('release' in marker)) throw inUse(environment, folder, marker);
    const { left } = marker;
    try {
      if (left !== undefined && isAlive(disk, left, holder)) throw inUse(environment, folder, left);
      removeIndex(environment, folder);
    } catch (error) {
      marker.giveBack();
      throw error;
    }
    marker.release();
  });
}

function inUse(environment: Environment, folder: string, holder: Holder): SnapError {
  const marker = `${folder}/${WORKSPACE.indexInUse}`;
  const hint = 'Wait until it is done, and run `snap reindex` again.';
  return lockedBy(environment, marker, holder, 'the index is in use by', hint);
}

const ATTEMPTS_MAX = 5;

/** Fills the trees and snapshots of a freshly opened index. */
export async function refillIndex(
  repository: Repository,
  signal: AbortSignal | undefined,
): Promise<Omit<ReindexResult, 'milliseconds'>> {
  for (let attempt = 1; ; attempt++) {
    const filled = await fill(repository, signal);
    if (filled.damaged === 0 || attempt >= ATTEMPTS_MAX || repository.damage !== undefined) return filled;
    // What a gc has taken away meanwhile is no damage.
    if ((await repository.refresh()).length === 0) return filled;
  }
}

async function fill(
  repository: Repository,
  signal: AbortSignal | undefined,
): Promise<Omit<ReindexResult, 'milliseconds'>> {
  const { backend, index } = repository;
  if (index.kind !== 'level')
    throw new SnapError('locked', 'another command took the index meanwhile', { hint: 'Run `snap reindex` again.' });
  const state = repository.state();
  let damaged = 0;
  const table = await readPackTable(backend, state, () => damaged++);
  const counts = { trees: 0, snapshots: 0 };
  let objects: { kind: BlobKind; id: BlobId; bytes: Uint8Array }[] = [];
  let bytesHeld = 0;
  let writing = Promise.resolve();
  const flush = (): void => {
    const portion = objects;
    objects = [];
    bytesHeld = 0;
    writing = writing.then(() => index.write({ objects: portion }));
    writing.catch(() => undefined);
  };
  const marker = new Marker({
    backend,
    table,
    signal,
    fault: () => damaged++,
    visit: (kind, number, bytes) => {
      if (kind === BLOB_KIND.chunkList) return;
      if (kind === BLOB_KIND.tree) counts.trees++;
      else counts.snapshots++;
      objects.push({ kind, id: table.idOf(number), bytes: new Uint8Array(bytes) });
      bytesHeld += bytes.length;
      if (bytesHeld >= FLUSH_BYTES) flush();
    },
  });
  for (const id of new Set(state.refs.values())) {
    await marker.mark([id]);
    await writing;
  }
  flush();
  await writing;
  return { packs: table.packs.length, blobs: table.size, ...counts, damaged };
}
