/**
 * The contract of the index: what a workspace knows of its store without reading packs. All of it is derived; losing
 * it costs time, never data. Two implementations: LevelDB on disk (level-index.ts), memory (memory-index.ts).
 *
 * - An answer is right or absent: values that fail their checksum count as absent.
 * - "Absent" never means "does not exist in the store": before an error is raised, pack footers are asked.
 * - `state` is the journal's fold up to the last entry whose blobs are all in this index.
 */
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import type { PackId } from '../object/pack-id.ts';
import type { StoreState } from '../object/store-state.ts';
import type { FooterBlock, PackFooter } from '../pack/pack-format.ts';

/** Where a blob lies: its block in a pack, and its bytes in the decoded block. */
export interface BlobLocation {
  readonly pack: PackId;
  /** Where the block's header begins in the pack, and the bytes of its payload. */
  readonly blockOffset: number;
  readonly storedLength: number;
  readonly rawLength: number;
  /** Within the decoded block. */
  readonly offset: number;
  readonly length: number;
}

/** A block and the pack it lies in. */
export interface PlacedBlock {
  readonly pack: PackId;
  readonly block: FooterBlock;
}

/** One write; afterwards `state` is the new one. Parts are optional. */
export interface IndexChanges {
  /** Packs whose blobs are now in the store. */
  readonly packs?: readonly { readonly id: PackId; readonly footer: PackFooter }[];
  /** Packs whose blobs must not be answered any more. */
  readonly removedPacks?: readonly PackId[];
  /** Trees and snapshots, kept whole so that history needs no packs. */
  readonly objects?: readonly { readonly kind: BlobKind; readonly id: BlobId; readonly bytes: Uint8Array }[];
  readonly folderRecords?: readonly { readonly path: string; readonly record: Uint8Array }[];
  readonly state?: StoreState;
}

export interface BlobIndex {
  readonly kind: 'level' | 'memory';
  readonly state: StoreState;
  find(kind: BlobKind, id: BlobId): BlobLocation | undefined;
  object(kind: BlobKind, id: BlobId): Buffer | undefined;
  /** The record of a folder of the workspace, by its path; '' is the workspace itself. */
  folderRecord(path: string): Buffer | undefined;
  write(changes: IndexChanges): Promise<void>;
  /** Takes blobs of packs that a journal entry may name soon; none is answered before `state` has its pack. */
  prepare(blocks: readonly PlacedBlock[]): Promise<void>;
  close(): Promise<void>;
}

/** Each blob of a block with its location. */
export function* locationsOf({
  pack,
  block,
}: PlacedBlock): Generator<{ kind: BlobKind; id: BlobId; location: BlobLocation }> {
  let offset = 0;
  for (const blob of block.blobs) {
    const location = {
      pack,
      blockOffset: block.offset,
      storedLength: block.storedLength,
      rawLength: block.rawLength,
      offset,
      length: blob.length,
    };
    yield { kind: blob.kind, id: blob.id, location };
    offset += blob.length;
  }
}
