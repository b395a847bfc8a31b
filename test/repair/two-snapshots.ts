/** A store of two snapshots in two packs, and damage to what is in it. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { BlobId } from '../../src/object/blob-id.ts';
import { ENTRY_KIND } from '../../src/object/tree-entry.ts';
import { collect } from '../history/collect.ts';
import { readPicture, samePicture } from '../kit/crash/stage.ts';
import { flipBit } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { makeSmallWorkspace } from '../kit/small-workspace.ts';

/** Raw and compressed blocks, a chunk list, folders. */
export async function makeTwoSnapshots(root: string): Promise<{ base: SmallWorkspace; first: BlobId; second: BlobId }> {
  const base = await makeSmallWorkspace(root);
  base.write('data/a', noise(6_000, 1));
  base.write('data/deep/text', 'some text\n'.repeat(500));
  base.write('notes', 'text\n'.repeat(100));
  base.write('long', noise(80_000, 7));
  const first = await base.commit('first', 'v1');
  base.write('data/b', noise(9_000, 5));
  base.write('notes', 'other\n'.repeat(100));
  const second = await base.commit('second');
  return { base, first, second };
}

export interface TwoSnapshots {
  /** The folder of the store. */
  store(): string;
  expectAll(ids: readonly BlobId[]): Promise<void>;
  emptyFolder(): void;
  chunkOf(snapshot: BlobId, path: string): Promise<BlobId>;
  /** Where the payload of the block of a blob lies. */
  placeOf(kind: 1 | 2 | 3 | 4, id: BlobId): Promise<{ path: string; payload: number; start: number }>;
  /** Flips a bit of the bytes of the first chunk of a file, which is stored raw. */
  spoil(snapshot: BlobId, path: string): Promise<string>;
}

/** A copy of them that `made` gives by then. */
export function twoSnapshots(made: () => SmallWorkspace): TwoSnapshots {
  const store = (): string => made().store;
  const expectAll = async (ids: readonly BlobId[]): Promise<void> => {
    for (const id of ids) {
      const picture = await readPicture(made().workspace.repository, id);
      expect(samePicture(picture, made().pictures.get(id) ?? new Map()), `snapshot ${id}`).toBe(true);
    }
  };
  const emptyFolder = (): void => {
    for (const name of readdirSync(made().root))
      if (name !== '.snap') rmSync(join(made().root, name), { recursive: true });
  };
  const chunkOf = async (snapshot: BlobId, path: string): Promise<BlobId> => {
    const { trees } = made().workspace.repository;
    const entry = await trees.entryAt((await trees.snapshot(snapshot)).tree, path.split('/'));
    if (entry?.kind !== ENTRY_KIND.file) throw new Error(`${path} is no file`);
    const [chunk] = await collect(trees.chunks(entry));
    if (chunk === undefined) throw new Error(`${path} is empty`);
    return chunk.id;
  };
  const placeOf = async (
    kind: 1 | 2 | 3 | 4,
    id: BlobId,
  ): Promise<{ path: string; payload: number; start: number }> => {
    const { pack, blockOffset, offset } = await made().workspace.repository.blobs.locate(kind, id);
    const path = join(store(), 'packs', pack.slice(0, 2), `${pack}.pack`);
    return { path, payload: blockOffset + 24, start: blockOffset + 24 + offset };
  };
  const spoil = async (snapshot: BlobId, path: string): Promise<string> => {
    const place = await placeOf(1, await chunkOf(snapshot, path));
    flipBit(place.path, place.start + 100);
    return place.path;
  };
  return { store, expectAll, emptyFolder, chunkOf, placeOf, spoil };
}
