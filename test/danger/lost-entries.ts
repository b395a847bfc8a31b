/** Entries of a journal that are lost or altered: what everybody must notice, and what a repair must make of it. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { commit } from '../../src/api/commit.ts';
import { gc } from '../../src/api/gc.ts';
import { repair } from '../../src/api/repair.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import { initWorkspace, openWorkspaceIn } from '../../src/api/workspace.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { processEnvironment } from '../../src/environment.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { snapshotRef } from '../../src/object/ref-name.ts';
import { encodeState } from '../../src/object/store-state.ts';
import { pastOperations } from '../../src/repo/operation-history.ts';
import { checkStore } from '../kit/checker/check-store.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import { readPicture, samePicture } from '../kit/crash/stage.ts';
import { flipBit, verifyAll } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { storeHashes } from '../kit/store-damage.ts';

export const open = (root: string): Promise<Workspace> =>
  openWorkspaceIn(processEnvironment('snap test'), inlineWorkers(realDisk), root);

/** Reading goes on, nothing is published, and every command says so by its exit code. */
export async function expectDamage(workspace: Workspace, what: RegExp): Promise<void> {
  expect(workspace.repository.damage?.message).toMatch(what);
  const before = storeHashes(workspace.repository.backend.location);
  await expect(commit(workspace, { message: 'on top' })).rejects.toMatchObject({ code: 'corrupt-data' });
  await expect(gc(workspace, { now: true })).rejects.toMatchObject({ code: 'corrupt-data' });
  expect((await verifyAll(workspace)).faults[0]).toMatchObject({ what: 'journal' });
  expect(storeHashes(workspace.repository.backend.location)).toEqual(before);
}

export const otherNote = (text: string): string => text.replace('"note":"', '"note":"x');

export interface Entries {
  /** The path of an entry. */
  entry(number: number): string;
  withoutIndex(): Promise<void>;
  flipNote(number: number): void;
  expectMended(expected: readonly BlobId[], remains?: boolean): Promise<void>;
}

/** The journal of the workspace that `current` gives by then. */
export function entriesOf(current: () => SmallWorkspace): Entries {
  const entry = (number: number): string =>
    join(current().store, 'journal', `${String(number).padStart(12, '0')}.json`);
  const withoutIndex = async (): Promise<void> => {
    await current().workspace.close();
    rmSync(join(current().root, '.snap/index'), { recursive: true });
  };
  const flipNote = (number: number): void =>
    flipBit(entry(number), readFileSync(entry(number)).indexOf('"note":"') + 9);
  return {
    entry,
    withoutIndex,
    flipNote,
    expectMended: (expected, remains) => expectMended(current(), expected, remains),
  };
}

/** Everything that was acknowledged is there, the store is sound for everybody, and a second repair changes nothing. */
async function expectMended(made: SmallWorkspace, expected: readonly BlobId[], remains = false): Promise<void> {
  await made.reopen();
  const { repository } = made.workspace;
  expect(repository.damage).toBeUndefined();
  for (const id of expected)
    expect(samePicture(await readPicture(repository, id), made.pictures.get(id) ?? new Map()), id).toBe(true);
  for (const id of expected) expect(repository.state().refs.has(snapshotRef(id)), id).toBe(true);
  expect((await verifyAll(made.workspace)).faults).toEqual([]);
  expect(checkStore(made.store)).toEqual([]);
  const before = storeHashes(made.store);
  expect((await repair(made.workspace)).remains).toBe(remains);
  expect(storeHashes(made.store)).toEqual(before);
  for await (const operation of pastOperations(repository)) expect(operation.id).toBeDefined();
  made.write('on top', noise(500, 77));
  const top = await made.commit('on top');
  await gc(made.workspace, { now: true });
  expect((await verifyAll(made.workspace)).faults).toEqual([]);
  expect(checkStore(made.store)).toEqual([]);
  for (const id of [...expected, top])
    expect(samePicture(await readPicture(repository, id), made.pictures.get(id) ?? new Map()), id).toBe(true);
  // Somebody who knows nothing of it.
  const fresh = `${made.root}-fresh`;
  await initWorkspace(fresh, { store: made.store });
  const other = await open(fresh);
  expect(other.repository.damage).toBeUndefined();
  expect(encodeState(other.repository.state())).toEqual(encodeState(repository.state()));
  await other.close();
}
