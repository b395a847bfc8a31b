/**
 * Trees that no writer of this project makes, put into a real store by hand and checked out for real: names that lead
 * elsewhere, names that come twice, links in the place of folders, sizes and contents that do not fit. A canary lies
 * beside the target, and whatever happens to the target, nothing beside it may change.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { checkout } from '../../../src/api/checkout.ts';
import { commit } from '../../../src/api/commit.ts';
import type { Workspace } from '../../../src/api/workspace.ts';
import { initWorkspace, openWorkspaceIn } from '../../../src/api/workspace.ts';
import { ByteWriter } from '../../../src/bytes/byte-writer.ts';
import { decodeName } from '../../../src/bytes/names.ts';
import { loadZstd } from '../../../src/compress/zstd.ts';
import { realDisk } from '../../../src/disk/disk.ts';
import { processEnvironment } from '../../../src/environment.ts';
import { hasCode } from '../../../src/errors.ts';
import type { BlobId, BlobKind } from '../../../src/object/blob-id.ts';
import { BLOB_KIND, blobIdOf } from '../../../src/object/blob-id.ts';
import type { PackId } from '../../../src/object/pack-id.ts';
import { snapshotRef } from '../../../src/object/ref-name.ts';
import type { Snapshot } from '../../../src/object/snapshot.ts';
import { encodeSnapshot } from '../../../src/object/snapshot.ts';
import { sealBlock } from '../../../src/pack/block.ts';
import { encodeFooter, encodePackHeader, PACK_HEADER_BYTES } from '../../../src/pack/pack-format.ts';
import { packName } from '../../../src/repo/layout.ts';
import { inlineWorkers } from '../crash/inline-workers.ts';
import { fingerprint } from '../folder.ts';
import { Mutator } from './mutate.ts';

const NAMES = [
  'a',
  'b',
  'c',
  'd',
  'd',
  'e',
  'link',
  'canary',
  '.snapignore',
  'x'.repeat(255),
  'a\\b',
  'CON',
  '\n',
  'é',
];
const BAD_NAMES = [
  ...['', '.', '..', '/', 'a/b', '../canary/secret', '/etc/passwd', 'd/../../canary/secret', 'nul\0', '.snap', '.SNAP'],
  ...['.snap.', '.snap ', 'snap~1', '.\u200csnap', '.\u017fnap', '.snap:x', 'x'.repeat(256), 'x'.repeat(4097)],
];

interface Blob {
  readonly kind: BlobKind;
  readonly bytes: Buffer;
}

export interface HostileResult {
  readonly refused: boolean;
  readonly written: number;
}

/** A workspace at `<root>/work`, the canary at `<root>/canary`, targets at `<root>/out`. */
export class HostileStore {
  readonly root: string;
  readonly workspace: Workspace;
  readonly #good: BlobId;
  readonly #base: Snapshot;
  readonly #contents = [Buffer.from('harmless'), Buffer.alloc(70_000, 7)];

  static async open(root: string): Promise<HostileStore> {
    mkdirSync(`${root}/canary/d`, { recursive: true });
    for (const name of ['secret', 'x', 'a', 'd/x']) writeFileSync(`${root}/canary/${name}`, `untouched ${name}`);
    await initWorkspace(`${root}/work`);
    writeFileSync(`${root}/work/a`, 'mine');
    mkdirSync(`${root}/work/d`);
    writeFileSync(`${root}/work/d/x`, 'mine too');
    const workspace = await openWorkspaceIn(processEnvironment('snap test'), inlineWorkers(realDisk), `${root}/work`);
    const { id } = await commit(workspace, { message: 'good' });
    if (id === undefined) throw new Error('nothing to commit');
    return new HostileStore(root, workspace, id, await workspace.repository.trees.snapshot(id));
  }

  private constructor(root: string, workspace: Workspace, good: BlobId, base: Snapshot) {
    this.root = root;
    this.workspace = workspace;
    this.#good = good;
    this.#base = base;
  }

  async close(): Promise<void> {
    await this.workspace.close();
    makeRemovable(this.root);
    rmSync(this.root, { recursive: true, force: true });
  }

  /** Makes a tree of `random`, checks it out, and looks at the canary. Throws an Error naming what was broken. */
  async attack(random: () => number): Promise<HostileResult> {
    const mutator = new Mutator(random, []);
    const blobs: Blob[] = this.#contents.map((bytes) => ({ kind: BLOB_KIND.data, bytes }));
    const tree = this.#folder(mutator, blobs, 3);
    const id = await this.publish(blobs, tree);
    const before = this.#outside();
    const inPlace = mutator.below(3) === 0;
    let written = 0;
    let refused = false;
    try {
      const result = await checkout(
        this.workspace,
        inPlace ? { revision: id } : { revision: id, ...this.#target(mutator) },
      );
      written = result.written;
    } catch (error) {
      if (!hasCode(error, 'corrupt-data', 'unsupported-format', 'refused', 'io', 'permission')) throw error;
      refused = true;
    }
    const after = this.#outside();
    if (after !== before)
      throw new Error(`outside of the target ${inPlace ? 'in place' : 'out'}\n${before}\nbecame\n${after}`);
    await this.#clear(inPlace);
    return { refused, written };
  }

  /** A new target, or one with things in it, links to the canary among them. */
  #target(mutator: Mutator): { to: string; force?: boolean } {
    const to = `${this.root}/out`;
    if (mutator.below(2) === 0) return { to };
    mkdirSync(to);
    for (const name of ['a', 'd', 'e', 'link'])
      if (mutator.below(2) === 0)
        symlinkSync(mutator.pick(['../canary', '../canary/secret', `${this.root}/canary/d`]), `${to}/${name}`);
    return { to, force: true };
  }

  #outside(): string {
    const names = readdirSync(this.root)
      .filter((name) => name !== 'out')
      .sort();
    const { mode, uid, mtimeMs } = lstatSync(`${this.root}/canary`);
    return [names.join(' '), `${mode} ${uid} ${mtimeMs}`, ...fingerprint(`${this.root}/canary`)].join('\n');
  }

  async #clear(inPlace: boolean): Promise<void> {
    makeRemovable(`${this.root}/out`);
    rmSync(`${this.root}/out`, { recursive: true, force: true });
    if (!inPlace) return;
    // By hand: the next attack shall begin with the same folder, whatever this one did to it.
    const work = `${this.root}/work`;
    for (const name of readdirSync(work, { encoding: 'buffer' })) {
      if (name.toString() === '.snap') continue;
      const path = Buffer.concat([Buffer.from(`${work}/`), name]);
      makeRemovable(path.toString());
      rmSync(path, { recursive: true, force: true });
    }
    await checkout(this.workspace, { revision: this.#good });
  }

  /** Puts blobs and a snapshot of `tree` into the store. */
  async publish(blobs: readonly Blob[], tree: BlobId): Promise<BlobId> {
    const { repository } = this.workspace;
    const bytes = encodeSnapshot({ ...this.#base, tree, parent: null, message: repository.environment.uniqueName() });
    const id = blobIdOf(bytes);
    const parts = [...blobs, { kind: BLOB_KIND.snapshot, bytes }].map((blob) => ({
      blob: { kind: blob.kind, id: blobIdOf(blob.bytes), length: blob.bytes.length },
      bytes: blob.bytes,
    }));
    const block = sealBlock(await loadZstd(), parts, 'off');
    const pack = repository.environment.uniqueName() as PackId;
    const footer = { blocks: [{ ...block.header, offset: PACK_HEADER_BYTES, blobs: block.blobs }] };
    const file = Buffer.concat([encodePackHeader(pack), block.bytes, encodeFooter(footer)]);
    const path = `${repository.backend.location}/${packName(pack)}`;
    mkdirSync(path.slice(0, path.lastIndexOf('/')), { recursive: true });
    writeFileSync(path, file);
    const draft = {
      operation: 'commit' as const,
      note: 'by hand',
      refs: [{ name: snapshotRef(id), from: null, to: id }],
      packs: [
        { id: pack, size: file.length, sha256: createHash('sha256').update(file).digest('hex'), blobs: parts.length },
      ],
    };
    await repository.publish(draft, { packs: [{ id: pack, footer }] }, () => draft);
    return id;
  }

  /** Adds a folder and all below it to `blobs`; returns its tree. Half of them follow the rules of names and order. */
  #folder(mutator: Mutator, blobs: Blob[], depth: number): BlobId {
    const lawful = mutator.below(3) > 0;
    const leaf = (): Buffer => {
      let names = Array.from({ length: mutator.below(6) }, () =>
        lawful || mutator.below(3) > 0 ? mutator.pick(NAMES) : mutator.pick(BAD_NAMES),
      );
      if (lawful) names = [...new Set(names)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      const writer = new ByteWriter();
      writer.u8(1);
      writer.u8(0);
      writer.uvarint(names.length);
      for (const name of names) this.#entry(mutator, writer, blobs, name, depth);
      return writer.finish();
    };
    const add = (bytes: Buffer): BlobId => {
      blobs.push({ kind: BLOB_KIND.tree, bytes });
      return blobIdOf(bytes);
    };
    if (mutator.below(4) > 0) return add(leaf());
    // Parts that are each in order, and together perhaps not: a link in one, a folder of the same name in the next.
    const writer = new ByteWriter();
    const count = 2 + mutator.below(2);
    writer.u8(1);
    writer.u8(1);
    writer.uvarint(count);
    for (let i = 0; i < count; i++) {
      name(writer, mutator.pick(['a', 'd', 'e', String(i)]));
      writer.id(add(leaf()));
    }
    return add(writer.finish());
  }

  #entry(mutator: Mutator, writer: ByteWriter, blobs: Blob[], called: string, depth: number): void {
    const kind = mutator.pick([1, 1, 1, 2, 2, 2, 3, 3, 4, 7, 9]);
    writer.u8(kind);
    name(writer, called);
    writer.uvarint(mutator.pick([0o644, 0o755, 0, 0o4777, 0o7777]));
    writer.i64(mutator.pick([0n, 1_700_000_000_000_000_000n, -(2n ** 63n), 2n ** 63n - 1n]));
    const owner = mutator.pick([process.getuid?.() ?? 0, 0, 65_534, 0xffffffff]);
    writer.uvarint(owner);
    writer.uvarint(owner);
    if (kind === 1) this.#file(mutator, writer);
    else if (kind === 2)
      writer.id(
        depth > 0
          ? this.#folder(mutator, blobs, depth - 1)
          : mutator.pick(['00'.repeat(32), blobIdOf(Buffer.from('harmless'))]),
      );
    else if (kind === 3) {
      const targets = [
        '../canary',
        `${this.root}/canary`,
        '..',
        '/',
        '.',
        'd',
        '../../canary/secret',
        '',
        'nul\0',
        't'.repeat(5000),
      ];
      name(writer, mutator.pick(targets));
    } else {
      writer.uvarint(0);
      writer.uvarint(0);
    }
  }

  #file(mutator: Mutator, writer: ByteWriter): void {
    const content = mutator.pick(this.#contents);
    const flags = mutator.pick([0, 0, 2, 2, 4, 1, 15]);
    const lie = mutator.below(8) === 0;
    const size = lie ? mutator.pick([1, content.length + 1, 2 ** 32, 2 ** 53 - 1]) : content.length;
    writer.u8(flags);
    writer.uvarint(size);
    if (flags & 2) writer.bytes(Buffer.alloc(8, mutator.below(2)));
    if (flags & 1) {
      writer.id(blobIdOf(content));
      return;
    }
    writer.uvarint(1);
    writer.uvarint(size);
    writer.id(blobIdOf(content));
  }
}

function name(writer: ByteWriter, text: string): void {
  const bytes = text === 'é' ? Buffer.of(0xff, 0xc3, 0xa9) : Buffer.from(decodeName(Buffer.from(text)));
  writer.uvarint(bytes.length);
  writer.bytes(bytes);
}

/** A folder of mode 0 keeps anybody but the superuser from removing what is in it. */
function makeRemovable(path: string): void {
  if (process.getuid?.() !== 0 && lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
    execFileSync('chmod', ['-R', 'u+rwX', path]);
}
