/**
 * The last steps of a repair: new packs are written and read back, damaged ones get their second names, one journal entry
 * is published on the very state that was walked, and only then the damaged packs lose their first names.
 */

import { counted } from '../bytes/quantity.ts';
import type { CompressionLevel } from '../compress/block-codec.ts';
import { SnapError } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import { BLOB_KIND } from '../object/blob-id.ts';
import type { PackRecord } from '../object/journal-entry.ts';
import type { PackId } from '../object/pack-id.ts';
import type { StoreState } from '../object/store-state.ts';
import { encodeState } from '../object/store-state.ts';
import type { FooterBlock } from '../pack/pack-format.ts';
import { BlobWriter } from '../repo/blob-writer.ts';
import { followWithHead } from '../repo/head.ts';
import type { EntryDraft } from '../repo/journal.ts';
import { packName } from '../repo/layout.ts';
import { readBack } from '../repo/read-back.ts';
import type { Repository } from '../repo/repository.ts';
import { textSetting } from '../repo/settings.ts';
import type { Workers } from '../work/start-workers.ts';
import type { Analysis } from './analysis.ts';
import { copyBlobs } from './copy.ts';
import type { DropPlan } from './drop-damaged.ts';
import { quarantine, removeFirstName } from './quarantine.ts';

export interface PublishOptions {
  readonly signal: AbortSignal | undefined;
  readonly progress: (step: 'copy', bytesDone: number, bytesTotal: number) => void;
}

/** Others published first: what was found out may no longer hold. */
export class Overtaken extends Error {}

/** New packs, and what lies where in them. */
export class Output {
  readonly writer: BlobWriter;
  readonly blocks = new Map<PackId, FooterBlock[]>();
  readonly taker: { take(id: BlobId, bytes: Uint8Array): void; ready(): Promise<void> };

  constructor(repository: Repository, workers: Workers) {
    const level = textSetting(repository.settings, 'commit.compression') as CompressionLevel | undefined;
    this.writer = new BlobWriter({
      environment: repository.environment,
      backend: repository.backend,
      workers,
      isKnown: () => false,
      level: level ?? 'balanced',
      packBytes: repository.config.packBytes,
      placed: (pack, block) => {
        const before = this.blocks.get(pack);
        if (before === undefined) this.blocks.set(pack, [block]);
        else before.push(block);
      },
    });
    this.taker = {
      take: (id, bytes) => void this.writer.store(BLOB_KIND.data, id, bytes),
      ready: () => this.writer.ready(),
    };
  }
}

/** Nothing is taken away before what takes its place was written, synced and read back. */
export async function publishRepair(
  options: PublishOptions,
  repository: Repository,
  analysis: Analysis,
  { writer, blocks }: Output,
  leaving: readonly PackId[],
  drop: DropPlan | undefined,
): Promise<{ entry: number | undefined; newPacks: number; quarantined: ReadonlyMap<PackId, string> }> {
  const { backend } = repository;
  await copyBlobs(analysis, writer, options);
  for (const { blob, bytes } of drop?.blobs ?? []) writer.store(blob.kind, blob.id, bytes);
  const records = await writer.finish();
  for (const record of records) await readBack(backend, record);
  const quarantined = new Map<PackId, string>();
  if (records.length === 0 && leaving.length === 0 && drop === undefined)
    return { entry: undefined, newPacks: 0, quarantined };
  options.signal?.throwIfAborted();
  requireSameState(repository, analysis.state);
  for (const id of leaving) {
    const second = quarantine(repository, packName(id));
    if (second !== undefined) quarantined.set(id, second);
  }
  const draft = draftEntry(repository, records, leaving, drop);
  const packs = records.map(({ id }) => ({ id, footer: { blocks: blocks.get(id) ?? [] } }));
  const { entry } = await repository.publish(draft, { packs, removedPacks: leaving }, () => {
    throw new Overtaken();
  });
  for (const id of quarantined.keys()) removeFirstName(repository, packName(id));
  const { head } = draft;
  if (head !== null && head !== undefined) followWithHead('the repair', () => repository.setHead(head.to));
  return { entry: entry.number, newPacks: records.length, quarantined };
}

function draftEntry(
  repository: Repository,
  records: readonly PackRecord[],
  leaving: readonly PackId[],
  drop: DropPlan | undefined,
): EntryDraft {
  const from = repository.head().snapshot;
  const head = drop?.snapshots.find((dropped) => dropped.from === from);
  const notes: string[] = [];
  if (leaving.length > 0) notes.push(`${counted(leaving.length, 'damaged pack')} out`);
  if (records.length > 0) notes.push(`${counted(records.length, 'new pack')} in`);
  if (drop !== undefined) notes.push(`${counted(drop.snapshots.length, 'snapshot')} without what is lost`);
  return {
    operation: 'repair',
    note: notes.join(', '),
    workspace: repository.workspaceId,
    head: head === undefined ? null : { from, to: head.to },
    refs: drop?.refs ?? [],
    grafts: drop?.grafts ?? {},
    packs: records,
    condemned: leaving,
    swept: leaving,
  };
}

/** Throws Overtaken if others published, `corrupt-data` if the index or a checkpoint has led to another state. */
export function requireSameState(repository: Repository, state: StoreState): void {
  const known = repository.state();
  if (known.number !== state.number || known.hash !== state.hash) throw new Overtaken();
  if (encodeState(known).equals(encodeState(state))) return;
  throw new SnapError('corrupt-data', 'the index or a checkpoint has another state than the journal gives', {
    hint: 'Run `snap reindex`, then `snap repair` again. Nothing was removed.',
  });
}
