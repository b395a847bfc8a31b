/** Kinds of damage to packs, and a picture of a store, byte for byte. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Workspace } from '../../src/api/workspace.ts';
import type { BlobId, BlobKind } from '../../src/object/blob-id.ts';
import { BLOB_KIND } from '../../src/object/blob-id.ts';
import { ENTRY_KIND } from '../../src/object/tree-entry.ts';
import { flipBit, packPaths } from './damage.ts';

/** Every file of a store with the hash of its bytes; locks are left out. */
export function storeHashes(store: string): Map<string, string> {
  const hashes = new Map<string, string>();
  for (const name of readdirSync(store, { recursive: true, encoding: 'utf8' }).sort()) {
    if (name.startsWith('locks') || statSync(join(store, name)).isDirectory()) continue;
    hashes.set(
      name,
      createHash('sha256')
        .update(readFileSync(join(store, name)))
        .digest('hex'),
    );
  }
  return hashes;
}

export interface Damage {
  readonly name: string;
  /** `packs`: paths, the largest first; the largest is harmed. */
  readonly harm: (packs: readonly string[]) => void;
  /** True if everything can be read from the damaged packs alone. */
  readonly salvaged: boolean;
}

const sizeOf = (path: string | undefined): number => statSync(path ?? '').size;
const change = (path: string | undefined, work: (bytes: Buffer) => Buffer): void =>
  writeFileSync(path ?? '', work(readFileSync(path ?? '')));
const footerStart = (path: string | undefined): number => {
  const bytes = readFileSync(path ?? '');
  return bytes.length - 48 - bytes.readUInt32LE(bytes.length - 48);
};

export const DAMAGES: readonly Damage[] = [
  { name: "a byte of the pack's header", harm: ([p]) => flipBit(p ?? '', 3), salvaged: true },
  { name: "a byte of the pack's id", harm: ([p]) => flipBit(p ?? '', 20), salvaged: true },
  { name: "the mark of a block's header", harm: ([p]) => flipBit(p ?? '', 33), salvaged: true },
  { name: "a length in a block's header", harm: ([p]) => flipBit(p ?? '', 32 + 13), salvaged: true },
  { name: "the CRC of a block's header", harm: ([p]) => flipBit(p ?? '', 32 + 22), salvaged: true },
  { name: 'a byte of a blob', harm: ([p]) => flipBit(p ?? '', 32 + 24 + 1000), salvaged: false },
  { name: 'a byte of the footer', harm: ([p]) => flipBit(p ?? '', footerStart(p) + 5), salvaged: true },
  { name: 'the length in the trailer', harm: ([p]) => flipBit(p ?? '', sizeOf(p) - 48), salvaged: true },
  { name: 'the hash in the trailer', harm: ([p]) => flipBit(p ?? '', sizeOf(p) - 30), salvaged: true },
  { name: 'the mark of the trailer', harm: ([p]) => flipBit(p ?? '', sizeOf(p) - 1), salvaged: true },
  { name: 'the trailer cut off', harm: ([p]) => truncateSync(p ?? '', sizeOf(p) - 48), salvaged: true },
  { name: 'the footer cut off', harm: ([p]) => truncateSync(p ?? '', footerStart(p)), salvaged: true },
  {
    name: 'half of the pack cut off',
    harm: ([p]) => truncateSync(p ?? '', Math.floor(sizeOf(p) / 2)),
    salvaged: false,
  },
  { name: 'nothing but a byte left', harm: ([p]) => truncateSync(p ?? '', 1), salvaged: false },
  { name: 'an empty file', harm: ([p]) => truncateSync(p ?? '', 0), salvaged: false },
  { name: 'a pack of zeros', harm: ([p]) => change(p, (bytes) => Buffer.alloc(bytes.length)), salvaged: false },
  {
    name: 'a sector of zeros',
    harm: ([p]) => change(p, (bytes) => bytes.fill(0, 512 * 40, 512 * 41)),
    salvaged: false,
  },
  { name: 'a lost pack', harm: ([p]) => rmSync(p ?? ''), salvaged: false },
  {
    name: 'bytes appended',
    harm: ([p]) => change(p, (bytes) => Buffer.concat([bytes, Buffer.from('SNAPFOOT and more')])),
    salvaged: true,
  },
  { name: 'the front cut off', harm: ([p]) => change(p, (bytes) => bytes.subarray(32)), salvaged: true },
  {
    name: 'two packs swapped',
    harm: ([a = '', b = '']) => {
      renameSync(a, `${a}.x`);
      renameSync(b, a);
      renameSync(`${a}.x`, b);
    },
    salvaged: true,
  },
  {
    name: 'one pack in the place of another',
    harm: ([a, b]) => writeFileSync(a ?? '', readFileSync(b ?? '')),
    salvaged: false,
  },
  {
    name: 'header and footer of every pack',
    harm: (packs) => {
      for (const path of packs) {
        flipBit(path, 9);
        flipBit(path, footerStart(path) + 1);
      }
    },
    salvaged: true,
  },
];

/** What happened to packs: by id, the ranges of bytes that are not what they were; null for all of it. */
export interface Harmed {
  readonly packs: ReadonlyMap<string, readonly (readonly [from: number, to: number])[] | null>;
  readonly told: string;
}

/** One to four harms to the packs of a store. */
export function harmAtRandom(store: string, random: () => number): Harmed {
  const packs = new Map<string, [number, number][] | null>();
  const told: string[] = [];
  const paths = packPaths(store);
  const below = (limit: number): number => Math.floor(random() * limit);
  for (let left = 1 + below(4); left > 0; left--) {
    const path = paths[below(paths.length)] ?? '';
    const id = basename(path, '.pack');
    const ranges = packs.get(id);
    if (ranges === null) continue;
    const known = ranges ?? [];
    packs.set(id, known);
    const bytes = readFileSync(path);
    const { length } = bytes;
    if (length === 0) continue;
    const kind = (['flip', 'flip', 'flips', 'zeros', 'cut', 'append', 'lost'] as const)[below(7)] ?? 'flip';
    told.push(`${kind} ${id.slice(0, 6)}`);
    if (kind === 'lost') {
      rmSync(path);
      packs.set(id, null);
    } else if (kind === 'cut') {
      const at = below(length);
      truncateSync(path, at);
      known.push([at, Number.POSITIVE_INFINITY]);
    } else if (kind === 'append') writeFileSync(path, Buffer.concat([bytes, Buffer.alloc(below(5000), 'SBLK')]));
    else if (kind === 'zeros') {
      const at = below(length);
      bytes.fill(0, at, Math.min(length, at + 4096));
      writeFileSync(path, bytes);
      known.push([at, at + 4096]);
    } else {
      for (let flips = kind === 'flip' ? 1 : 8; flips > 0; flips--) {
        const at = below(length);
        flipBit(path, at, below(8));
        known.push([at, at + 1]);
      }
    }
  }
  return { packs, told: told.join(', ') };
}

type Need = readonly [kind: BlobKind, id: BlobId];
interface FileOf {
  readonly snapshot: BlobId;
  readonly path: string;
}

/** Which files of a store need which blobs, and where these lay before any harm. */
export interface Needs {
  /** Files of all snapshots. */
  readonly count: number;
  /** Files of which each blob had a block without a changed byte, or is in the index or the folder. */
  intact(harmed: Harmed, still: { readonly index: boolean; readonly newest: boolean }): FileOf[];
  /** SHA-1 of a file as the store gives it now. */
  read(workspace: Workspace, snapshot: BlobId, path: string): Promise<string>;
}

export async function needsOf({ repository }: Workspace, ids: readonly BlobId[]): Promise<Needs> {
  const places = new Map<string, { readonly pack: string; readonly from: number; readonly to: number }[]>();
  for (const pack of repository.state().packs.keys()) {
    for (const { offset, storedLength, blobs } of (await repository.blobs.footer(pack)).blocks)
      for (const { kind, id } of blobs) {
        const key = `${kind}:${id}`;
        places.set(key, [...(places.get(key) ?? []), { pack, from: offset, to: offset + 24 + storedLength }]);
      }
  }
  const files: (FileOf & { readonly needs: readonly Need[] })[] = [];
  const inFolder = new Set<BlobId>();
  for (const snapshot of ids) {
    const { tree } = await repository.trees.snapshot(snapshot);
    const walk = async (folder: BlobId, prefix: string, above: readonly Need[]): Promise<void> => {
      const here = [...above, [BLOB_KIND.tree, folder] as const];
      for (const entry of await repository.trees.folder(folder)) {
        if (entry.kind === ENTRY_KIND.folder) await walk(entry.tree, `${prefix}${entry.name}/`, here);
        if (entry.kind !== ENTRY_KIND.file) continue;
        const own: Need[] = 'list' in entry.content ? [[BLOB_KIND.chunkList, entry.content.list]] : [];
        for await (const { id } of repository.trees.chunks(entry)) own.push([BLOB_KIND.data, id]);
        if (snapshot === ids.at(-1)) for (const [, id] of own) inFolder.add(id);
        files.push({ snapshot, path: `${prefix}${entry.name}`, needs: [...here, ...own] });
      }
    };
    await walk(tree, '', [[BLOB_KIND.snapshot, snapshot]]);
  }
  return {
    count: files.length,
    intact: ({ packs }, still) =>
      files.filter(({ needs }) =>
        needs.every(([kind, id]) => {
          if (still.index && (kind === BLOB_KIND.tree || kind === BLOB_KIND.snapshot)) return true;
          if (still.newest && inFolder.has(id)) return true;
          return (places.get(`${kind}:${id}`) ?? []).some(({ pack, from, to }) => {
            const ranges = packs.get(pack);
            return ranges === undefined || ranges?.every(([a, b]) => b <= from || a >= to) === true;
          });
        }),
      ),
    read: async ({ repository: now }, snapshot, path) => {
      const entry = await now.trees.entryAt((await now.trees.snapshot(snapshot)).tree, path.split('/'));
      if (entry?.kind !== ENTRY_KIND.file) return 'no file';
      const hash = createHash('sha1');
      for await (const { id } of now.trees.chunks(entry)) hash.update(await now.blobs.read(BLOB_KIND.data, id));
      return hash.digest('hex');
    },
  };
}
