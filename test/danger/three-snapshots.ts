/** Three snapshots in several packs, and what must hold when they were damaged and repaired. */
import { expect } from 'vitest';
import { repair } from '../../src/api/repair.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { readPicture, samePicture } from '../kit/crash/stage.ts';
import { noise } from '../kit/folder.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { makeSmallWorkspace } from '../kit/small-workspace.ts';
import type { Needs } from '../kit/store-damage.ts';
import { needsOf, storeHashes } from '../kit/store-damage.ts';

/** Raw and compressed blocks, chunk lists, a large folder tree; and what each path of each snapshot needs. */
export async function makeThreeSnapshots(root: string): Promise<{ base: SmallWorkspace; ids: BlobId[]; needs: Needs }> {
  const base = await makeSmallWorkspace(root);
  base.write('data/a', noise(6_000, 1));
  base.write('data/deep/text', 'some text\n'.repeat(500));
  base.write('notes', 'text\n'.repeat(100));
  base.write('long', noise(80_000, 7));
  const ids = [await base.commit('first', 'v1')];
  base.write('data/b', noise(20_000, 5));
  base.write('notes', 'other\n'.repeat(100));
  ids.push(await base.commit('second'));
  base.write('data/b', 'compressed '.repeat(3000));
  base.write('data/deep/deeper/c', noise(9_000, 6));
  ids.push(await base.commit('third'));
  return { base, ids, needs: await needsOf(base.workspace, ids) };
}

/** All of these come back as they were committed. */
export async function expectSnapshots(made: SmallWorkspace, ids: readonly BlobId[]): Promise<void> {
  for (const id of ids)
    expect(samePicture(await readPicture(made.workspace.repository, id), made.pictures.get(id) ?? new Map()), id).toBe(
      true,
    );
}

/** Every byte of a pack that was there is still somewhere in the store. */
export function expectKept(before: ReadonlyMap<string, string>, store: string): void {
  const after = new Set(storeHashes(store).values());
  for (const [name, hash] of before) if (/^(packs|quarantine)\//.test(name)) expect(after.has(hash), name).toBe(true);
}

/** A second repair finds nothing to do. */
export async function expectSettled(made: SmallWorkspace, remains: boolean): Promise<void> {
  const before = storeHashes(made.store);
  expect((await repair(made.workspace)).remains).toBe(remains);
  expect(storeHashes(made.store)).toEqual(before);
}
