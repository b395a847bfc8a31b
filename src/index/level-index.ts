/**
 * The index in LevelDB, in the workspace. LevelDB under Node checks no checksums (measured: DESIGN.md section 3), so
 * every value carries its own; any doubt marks the index, and it is removed at close and built again at the next open.
 * A whole index that was not closed is looked through in a child process first: a damaged table can abort a process.
 */
import { Level } from 'level';
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import type { PackId } from '../object/pack-id.ts';
import type { StoreState } from '../object/store-state.ts';
import { decodeState, EMPTY_STATE, encodeState } from '../object/store-state.ts';
import type { BlobIndex, BlobLocation, IndexChanges, PlacedBlock } from './blob-index.ts';
import { locationsOf } from './blob-index.ts';
import {
  BLOB_RANGE,
  blobKey,
  decodeLocation,
  encodeLocation,
  folderKey,
  INDEX_FORMAT,
  META_KEY,
  objectKey,
  openValue,
  STATE_KEY,
  sealValue,
} from './index-keys.ts';
import { isTaken } from './index-sound.ts';

const BATCH_OPERATIONS_MAX = 8192;
const BATCH_BYTES_MAX = 2 * 1024 * 1024;

type Database = Level<Uint8Array, Uint8Array>;

/** Opens (or creates) the index of store `storeId` at `path`; 'locked' if another process has it. Throws if it cannot be opened. */
export async function openLevelIndex(path: string, storeId: string): Promise<LevelIndex | 'locked'> {
  const database: Database = new Level(path, { keyEncoding: 'view', valueEncoding: 'view', compression: false });
  try {
    await database.open();
  } catch (error) {
    if (isTaken(error)) return 'locked';
    throw error;
  }
  try {
    return new LevelIndex(database, storeId);
  } catch (error) {
    await database.close();
    throw error;
  }
}

export class LevelIndex implements BlobIndex {
  readonly kind = 'level';
  readonly #database: Database;
  readonly #meta: Buffer;
  #state: StoreState;
  #suspect = false;
  /** A write failed: what it should have brought is not all there. */
  #failed = false;

  constructor(database: Database, storeId: string) {
    this.#database = database;
    this.#meta = Buffer.from(`${INDEX_FORMAT} ${storeId}`);
    this.#state = EMPTY_STATE;
    const meta = this.#get(META_KEY);
    const state = this.#get(STATE_KEY);
    if (meta?.equals(this.#meta) === true && state !== undefined) this.#state = decodeState(state);
    else if (meta !== undefined || state !== undefined) this.#suspect = true;
  }

  get state(): StoreState {
    return this.#state;
  }

  /** True if something in it failed its check: it should be removed and built again. */
  get suspect(): boolean {
    return this.#suspect;
  }

  find(kind: BlobKind, id: BlobId): BlobLocation | undefined {
    const payload = this.#get(blobKey(kind, id));
    const location = payload === undefined ? undefined : decodeLocation(payload);
    return location !== undefined && this.#state.packs.has(location.pack) ? location : undefined;
  }

  object(kind: BlobKind, id: BlobId): Buffer | undefined {
    return this.#get(objectKey(kind, id));
  }

  folderRecord(path: string): Buffer | undefined {
    return this.#get(folderKey(path));
  }

  /** A table that LevelDB cannot read makes its writes fail too; the index is given up then, not the command. */
  async write(changes: IndexChanges): Promise<void> {
    await this.#attempt(() => this.#write(changes));
    if (changes.state !== undefined) this.#state = changes.state;
  }

  async prepare(blocks: readonly PlacedBlock[]): Promise<void> {
    await this.#attempt(async () => {
      const batch = new Batches(this.#database);
      for (const placed of blocks) await putBlobs(batch, placed);
      await batch.flush();
    });
  }

  async close(): Promise<void> {
    try {
      await this.#database.close();
    } catch {
      this.#suspect = true;
    }
  }

  /** An index that cannot be read or written costs time, never the command: it is given up at the end. */
  async #attempt(work: () => Promise<void>): Promise<void> {
    if (this.#failed) return;
    try {
      await work();
    } catch {
      this.#failed = true;
      this.#suspect = true;
    }
  }

  async #write(changes: IndexChanges): Promise<void> {
    if (changes.removedPacks !== undefined && changes.removedPacks.length > 0)
      await this.#removeBlobsOf(new Set(changes.removedPacks));
    const batch = new Batches(this.#database);
    for (const { id: pack, footer } of changes.packs ?? [])
      for (const block of footer.blocks) await putBlobs(batch, { pack, block });
    for (const { kind, id, bytes } of changes.objects ?? []) await batch.put(objectKey(kind, id), bytes);
    for (const { path, record } of changes.folderRecords ?? []) await batch.put(folderKey(path), record);
    if (changes.state !== undefined) {
      await batch.put(META_KEY, this.#meta);
      await batch.put(STATE_KEY, encodeState(changes.state));
    }
    await batch.flush();
  }

  #get(key: Buffer): Buffer | undefined {
    let value: Uint8Array | undefined;
    try {
      value = this.#database.getSync(key);
    } catch {
      this.#suspect = true;
      return undefined;
    }
    if (value === undefined) return undefined;
    const payload = openValue(key, value);
    if (payload === undefined) this.#suspect = true;
    return payload;
  }

  async #removeBlobsOf(packs: ReadonlySet<PackId>): Promise<void> {
    const batch = new Batches(this.#database);
    for await (const [key, value] of this.#database.iterator(BLOB_RANGE)) {
      const payload = openValue(key, value);
      const location = payload === undefined ? undefined : decodeLocation(payload);
      if (location === undefined || packs.has(location.pack)) await batch.remove(key);
    }
    await batch.flush();
  }
}

async function putBlobs(batch: Batches, placed: PlacedBlock): Promise<void> {
  for (const { kind, id, location } of locationsOf(placed)) {
    const full = batch.put(blobKey(kind, id), encodeLocation(location));
    if (full !== undefined) await full;
  }
}

type Operation = { type: 'put'; key: Uint8Array; value: Uint8Array } | { type: 'del'; key: Uint8Array };

/** Collects operations into batches of bounded size; one batch is one record of LevelDB's log. */
class Batches {
  readonly #database: Database;
  #operations: Operation[] = [];
  #bytes = 0;

  constructor(database: Database) {
    this.#database = database;
  }

  put(key: Uint8Array, payload: Uint8Array): Promise<void> | undefined {
    this.#operations.push({ type: 'put', key, value: sealValue(key, payload) });
    this.#bytes += payload.length;
    return this.#full() ? this.flush() : undefined;
  }

  remove(key: Uint8Array): Promise<void> | undefined {
    this.#operations.push({ type: 'del', key });
    return this.#full() ? this.flush() : undefined;
  }

  async flush(): Promise<void> {
    const operations = this.#operations;
    this.#operations = [];
    this.#bytes = 0;
    if (operations.length > 0) await this.#database.batch(operations);
  }

  #full(): boolean {
    return this.#operations.length >= BATCH_OPERATIONS_MAX || this.#bytes >= BATCH_BYTES_MAX;
  }
}
