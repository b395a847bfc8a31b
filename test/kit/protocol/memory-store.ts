/**
 * A store in memory, on no machine: no local paths, hence no sessions and no locks, only the journal's numbers. Beside
 * it an oracle, which looks at every change: whatever a ref names is whole, in packs that the state has and that exist.
 */
import { readFileSync, unlinkSync } from 'node:fs';
import type { Zstd } from '../../../src/compress/zstd.ts';
import { SnapError } from '../../../src/errors.ts';
import type { BlobId, BlobKind } from '../../../src/object/blob-id.ts';
import { BLOB_KIND } from '../../../src/object/blob-id.ts';
import { decodeChunkList } from '../../../src/object/chunk-list.ts';
import type { JournalEntry } from '../../../src/object/journal-entry.ts';
import { decodeJournalEntry, journalEntryHash } from '../../../src/object/journal-entry.ts';
import type { PackId } from '../../../src/object/pack-id.ts';
import { snapshotRef } from '../../../src/object/ref-name.ts';
import { decodeSnapshot } from '../../../src/object/snapshot.ts';
import type { StoreState } from '../../../src/object/store-state.ts';
import { applyEntry, EMPTY_STATE } from '../../../src/object/store-state.ts';
import { decodeTree } from '../../../src/object/tree.ts';
import { ENTRY_KIND } from '../../../src/object/tree-entry.ts';
import { decodeParts } from '../../../src/object/tree-parts.ts';
import { scanPack } from '../../../src/pack/pack-reader.ts';
import { numberOfName, packName } from '../../../src/repo/layout.ts';
import type { Backend } from '../../../src/storage/backend.ts';

const PACK_NAME = /^packs\/..\/([0-9a-f]{32})\.pack$/;

export class MemoryStore {
  readonly objects: Map<string, Buffer>;
  /** What broke a promise, and when: in number of changes. */
  readonly faults: string[] = [];
  /** Snapshots whose refs an entry removed, with the number of the last that did. */
  readonly unnamed: Map<BlobId, number>;
  /** Where each workspace's HEAD is, as the journal says. */
  readonly #heads: Map<string, BlobId>;
  state: StoreState;
  /** Packs that are gone for good. */
  readonly removed = new Set<string>();
  /** Every blob that ever was, by kind and id; where each pack's blobs are; what each snapshot needs. */
  readonly #blobs: Map<string, Buffer>;
  readonly #packs: Map<PackId, ReadonlySet<string>>;
  readonly #needs: Map<BlobId, ReadonlySet<string>>;

  constructor(template?: MemoryStore) {
    this.objects = new Map(template?.objects);
    this.unnamed = new Map(template?.unnamed);
    this.state = template?.state ?? EMPTY_STATE;
    this.#heads = new Map(template === undefined ? [] : template.#heads);
    this.#blobs = new Map(template === undefined ? [] : template.#blobs);
    this.#packs = new Map(template === undefined ? [] : template.#packs);
    this.#needs = new Map(template === undefined ? [] : template.#needs);
  }

  /** Takes an object in; false if there is one of this name. `blobs`: of a pack. */
  put(name: string, bytes: Buffer, blobs?: ReadonlyMap<string, Buffer>): boolean {
    if (this.objects.has(name)) return false;
    if (this.removed.has(name)) this.faults.push(`${name} is used a second time`);
    this.objects.set(name, bytes);
    const pack = PACK_NAME.exec(name)?.[1] as PackId | undefined;
    if (pack !== undefined && blobs !== undefined) {
      this.#packs.set(pack, new Set(blobs.keys()));
      for (const [key, content] of blobs) this.#blobs.set(key, content);
    }
    const number = name.startsWith('journal/') ? numberOfName(name) : undefined;
    if (number !== undefined) this.#follow(number, bytes);
    return true;
  }

  remove(name: string): void {
    if (!this.objects.delete(name)) return;
    this.removed.add(name);
    if (name.startsWith('packs/')) this.#check(`${name} was removed`);
  }

  /** Of every pack that is there: does any snapshot need something of it? */
  uselessPacks(): PackId[] {
    const needed = new Set<string>();
    for (const id of this.state.refs.values()) for (const key of this.#needsOf(id)) needed.add(key);
    return [...this.#packs]
      .filter(([id, blobs]) => this.objects.has(packName(id)) && ![...blobs].some((key) => needed.has(key)))
      .map(([id]) => id);
  }

  #follow(number: number, bytes: Buffer): void {
    try {
      const entry = decodeJournalEntry(bytes, number);
      if (entry.operation === 'prune') this.#checkPrune(entry);
      if (entry.operation === 'commit') this.#checkParent(entry);
      if (entry.workspace !== null && entry.head?.to != null) this.#heads.set(entry.workspace, entry.head.to);
      this.state = applyEntry(this.state, entry, journalEntryHash(bytes));
      for (const { name, from, to } of entry.refs)
        if (to === null && from !== null && name.startsWith('snapshots/')) this.unnamed.set(from, number);
      this.#check(`entry ${number} (${entry.operation}) was published`);
    } catch (error) {
      this.faults.push(`entry ${number} does not follow: ${String(error)}`);
    }
  }

  /** Whatever the clocks say: what a HEAD is at, and what has a tag, stays. */
  #checkPrune({ number, refs }: JournalEntry): void {
    const kept = new Set(this.#heads.values());
    for (const [name, id] of this.state.refs) if (name.startsWith('tags/')) kept.add(id);
    for (const { from } of refs)
      if (from !== null && kept.has(from))
        this.faults.push(`entry ${number} prunes ${from.slice(0, 10)}, a HEAD or tagged`);
  }

  /** A snapshot is compared with its parent, and says what changed since: so that is one which is there. */
  #checkParent({ number, refs }: JournalEntry): void {
    for (const { name, to } of refs) {
      if (to === null || !name.startsWith('snapshots/')) continue;
      const { parent } = decodeSnapshot(this.#take(BLOB_KIND.snapshot, to, new Set()));
      if (parent !== null && !this.state.refs.has(snapshotRef(parent)))
        this.faults.push(`entry ${number} commits ${to.slice(0, 10)} upon ${parent.slice(0, 10)}, which has no ref`);
    }
  }

  #check(when: string): void {
    const there = new Set<string>();
    for (const id of this.state.packs.keys())
      if (this.objects.has(packName(id))) for (const key of this.#packs.get(id) ?? []) there.add(key);
    for (const [ref, id] of this.state.refs) {
      try {
        for (const key of this.#needsOf(id))
          if (!there.has(key)) {
            this.faults.push(`${when}: ${ref} lacks the blob ${key.slice(0, 12)}`);
            break;
          }
      } catch (error) {
        this.faults.push(`${when}: ${ref} is no snapshot: ${String(error)}`);
      }
    }
  }

  #needsOf(id: BlobId): ReadonlySet<string> {
    const known = this.#needs.get(id);
    if (known !== undefined) return known;
    const needs = new Set<string>();
    this.#addTree(decodeSnapshot(this.#take(BLOB_KIND.snapshot, id, needs)).tree, needs);
    this.#needs.set(id, needs);
    return needs;
  }

  #addTree(tree: BlobId, needs: Set<string>): void {
    const bytes = this.#take(BLOB_KIND.tree, tree, needs);
    for (const part of decodeParts(bytes) ?? []) this.#addTree(part.tree, needs);
    if (decodeParts(bytes) !== undefined) return;
    for (const entry of decodeTree(bytes)) {
      if (entry.kind === ENTRY_KIND.folder) this.#addTree(entry.tree, needs);
      if (entry.kind !== ENTRY_KIND.file) continue;
      const chunks =
        'list' in entry.content
          ? decodeChunkList(this.#take(BLOB_KIND.chunkList, entry.content.list, needs)).refs
          : entry.content.chunks;
      for (const { id } of chunks) this.#take(BLOB_KIND.data, id, needs);
    }
  }

  #take(kind: BlobKind, id: BlobId, needs: Set<string>): Buffer {
    needs.add(keyOf(kind, id));
    const bytes = this.#blobs.get(keyOf(kind, id));
    if (bytes === undefined) throw new Error(`the blob ${keyOf(kind, id).slice(0, 12)} never was`);
    return bytes;
  }
}

/** One actor's way to the store; `gate` is passed before each call takes place, at once and as a whole. */
export function memoryBackend(
  store: MemoryStore,
  staging: string,
  zstd: Zstd,
  gate: (what: string) => Promise<void>,
): Backend {
  return {
    location: 'memory',
    get: async (name, range) => {
      await gate(`get ${name}`);
      const bytes = store.objects.get(name);
      if (bytes === undefined) return undefined;
      return Buffer.from(range === undefined ? bytes : bytes.subarray(range.offset, range.offset + range.length));
    },
    size: async (name) => {
      await gate(`size ${name}`);
      return store.objects.get(name)?.length;
    },
    putIfAbsent: async (name, bytes) => {
      const copy = Buffer.from(bytes);
      await gate(`put ${name}`);
      return store.put(name, copy);
    },
    publish: async (stagedPath, name) => {
      const bytes = readFileSync(stagedPath);
      const blobs = new Map<string, Buffer>();
      const id = (PACK_NAME.exec(name)?.[1] ?? '') as PackId;
      const read = async (offset: number, length: number): Promise<Buffer> => bytes.subarray(offset, offset + length);
      for await (const { parts } of scanPack(zstd, id, bytes.length, read))
        for (const { blob, bytes: content } of parts) blobs.set(keyOf(blob.kind, blob.id), Buffer.from(content));
      await gate(`publish ${name}`);
      if (!store.put(name, bytes, blobs)) throw new SnapError('exists', `${name} exists already`);
      unlinkSync(stagedPath);
    },
    list: async function* (folder) {
      await gate(`list ${folder}`);
      for (const [name, bytes] of [...store.objects].sort(([a], [b]) => (a < b ? -1 : 1)))
        if (name.startsWith(`${folder}/`)) yield { name, size: bytes.length };
    },
    remove: async (name) => {
      await gate(`remove ${name}`);
      store.remove(name);
    },
    stagingFolder: () => staging,
    localPath: () => undefined,
    changeablePath: () => undefined,
    freeBytes: () => undefined,
  };
}

function keyOf(kind: BlobKind, id: BlobId): string {
  return `${kind} ${id}`;
}
