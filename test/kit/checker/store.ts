/** A store opened by SPEC.md "How to read a store": config, journal, footers; and its blobs. */
import fs from 'node:fs';
import { join } from 'node:path';
import { must, sha256, Unsound } from './bytes.ts';
import type { JournalRecord, PackRecord, Report, SnapshotRecord, State } from './journal.ts';
import { checkConfig, readSnapshotRecord, replay } from './journal.ts';
import type { ListedBlob, ListedBlock } from './pack.ts';
import { blobOf, KIND, readBlock, readFooter } from './pack.ts';
import type { ChunkList, ChunkRef, Tree } from './tree.ts';
import { readChunkList, readTree } from './tree.ts';

interface Place {
  readonly pack: string;
  readonly block: ListedBlock;
  readonly blob: ListedBlob;
}

const BLOCKS_KEPT = 16;

export class Store {
  readonly state: State;
  readonly entries: JournalRecord[] = [];
  /** What was met on the way, to know that an exhibit has it. */
  readonly counts = { chunkLists: 0, partLists: 0 };
  readonly #folder: string;
  readonly #places = new Map<string, Place>();
  readonly #blocks = new Map<string, Buffer>();
  /** Trees, lists and snapshots, once read. */
  readonly #records = new Map<string, Buffer>();

  /** `report` gets every step; without it the first that fails throws. */
  constructor(folder: string, report: Report = strictly) {
    this.#folder = folder;
    report('config.json', () => checkConfig(fs.readFileSync(join(folder, 'config.json'))));
    this.state = replay(folder, report, (entry) => this.entries.push(entry));
    for (const pack of this.state.packs.values()) report(packName(pack.id), () => this.#addPack(pack));
  }

  /** Every byte of a pack: against the journal, its blocks against its footer, its blobs against their ids. */
  checkPack({ id, size, sha256: hash, blobs }: PackRecord, report: Report): void {
    const name = packName(id);
    const pack = fs.readFileSync(join(this.#folder, name));
    report(name, () => must(pack.length === size, `a pack of ${pack.length} bytes instead of ${size}`));
    report(name, () => must(sha256(pack) === hash, 'a pack with another hash than the journal says'));
    const blocks = readFooter(pack, id);
    const count = blocks.reduce((total, block) => total + block.blobs.length, 0);
    report(name, () => must(count === blobs, `a pack of ${count} blobs instead of ${blobs}`));
    for (const block of blocks) {
      report(`${name} at ${block.offset}`, () => {
        const raw = readBlock(pack, block);
        for (const blob of block.blobs)
          report(`${name} at ${block.offset}, blob ${blob.kind}:${blob.id}`, () => blobOf(raw, blob));
      });
    }
  }

  has(kind: number, { id, length }: ChunkRef): boolean {
    return this.#places.get(`${kind}:${id}`)?.blob.length === length;
  }

  chunk({ id, length }: ChunkRef): Buffer {
    const bytes = this.#blob(KIND.data, id);
    must(bytes.length === length, 'a chunk of another length');
    return bytes;
  }

  snapshot(id: string): SnapshotRecord {
    return readSnapshotRecord(this.#record(KIND.snapshot, id));
  }

  tree(id: string): Tree {
    const tree = readTree(this.#record(KIND.tree, id));
    if ('parts' in tree) this.counts.partLists++;
    return tree;
  }

  chunkList(id: string): ChunkList {
    this.counts.chunkLists++;
    return readChunkList(this.#record(KIND.chunkList, id));
  }

  #addPack({ id, size }: PackRecord): void {
    const pack = fs.readFileSync(join(this.#folder, packName(id)));
    must(pack.length === size, `a pack of ${pack.length} bytes instead of ${size}`);
    for (const block of readFooter(pack, id))
      for (const blob of block.blobs) this.#places.set(`${blob.kind}:${blob.id}`, { pack: id, block, blob });
  }

  #record(kind: number, id: string): Buffer {
    const known = this.#records.get(`${kind}:${id}`);
    if (known !== undefined) return known;
    const bytes = this.#blob(kind, id);
    this.#records.set(`${kind}:${id}`, bytes);
    return bytes;
  }

  #blob(kind: number, id: string): Buffer {
    const place = this.#places.get(`${kind}:${id}`);
    if (place === undefined) throw new Unsound(`no blob ${kind}:${id}`);
    return blobOf(this.#block(place), place.blob);
  }

  #block({ pack, block }: Place): Buffer {
    const key = `${pack}:${block.offset}`;
    const known = this.#blocks.get(key);
    if (known !== undefined) return known;
    const raw = readBlock(fs.readFileSync(join(this.#folder, packName(pack))), block);
    const oldest = this.#blocks.keys().next();
    if (this.#blocks.size >= BLOCKS_KEPT && !oldest.done) this.#blocks.delete(oldest.value);
    this.#blocks.set(key, raw);
    return raw;
  }
}

export function packName(id: string): string {
  return `packs/${id.slice(0, 2)}/${id}.pack`;
}

function strictly(where: string, work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    throw new Unsound(`${where}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
