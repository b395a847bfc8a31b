/** A repair beside others: who publish meanwhile, who share the store, and a gc after it. */
import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { gc } from '../../src/api/gc.ts';
import { repair } from '../../src/api/repair.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import { initWorkspace, openWorkspaceIn } from '../../src/api/workspace.ts';
import { commit as commitIn } from '../../src/commit/commit.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { processEnvironment } from '../../src/environment.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { everything } from '../../src/scan/selection.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import { verifyAll } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { scratchFolder } from '../kit/small-workspace.ts';
import { storeHashes } from '../kit/store-damage.ts';
import { makeTwoSnapshots, twoSnapshots } from './two-snapshots.ts';

const COMMIT = {
  message: 'meanwhile',
  origin: 'commit',
  selection: everything,
  exclude: [],
  meta: {},
  tag: undefined,
  allowEmpty: false,
  rescan: false,
  compression: undefined,
  signal: undefined,
  progress: () => undefined,
} as const;

const folder = scratchFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let base: SmallWorkspace;
let made: SmallWorkspace;
let first: BlobId;
let second: BlobId;

beforeAll(async () => {
  ({ base, first, second } = await makeTwoSnapshots(join(folder, 'base')));
});
beforeEach(async () => {
  made = await base.copy();
});
afterEach(() => made.close());

const { store, expectAll, spoil } = twoSnapshots(() => made);

test('others who publish meanwhile are taken into account', async () => {
  await spoil(first, 'data/a');
  rmSync(join(made.root, 'data/a'));
  const { repository } = made.workspace;
  const beside = await openWorkspaceIn(processEnvironment('snap test'), inlineWorkers(realDisk), made.root);
  const { publish } = repository;
  let calls = 0;
  Object.assign(repository, {
    publish: async (...args: Parameters<typeof publish>) => {
      // Another command stores the lost bytes at the last moment.
      if (calls++ === 0) {
        made.write('again', noise(6_000, 1));
        await commitIn(beside.repository, beside.workers, COMMIT);
      }
      return publish(...args);
    },
  });
  const result = await repair(made.workspace);
  await beside.close();
  expect(calls).toBe(2);
  expect(result).toMatchObject({ lostBlobs: 0, remains: false });
  await made.reopen();
  expect((await verifyAll(made.workspace)).faults).toEqual([]);
  await expectAll([first, second]);
});

test('in a shared store, the HEAD of another workspace follows to the snapshot that was written anew', async () => {
  const beside = join(folder, 'beside');
  await initWorkspace(beside, { store: store() });
  const open = (): Promise<Workspace> =>
    openWorkspaceIn(processEnvironment('snap test'), inlineWorkers(realDisk), beside);
  const other = await open();
  await checkout(other, { revision: second });
  await other.close();
  rmSync(join(beside, 'data/a'));
  await spoil(first, 'data/a');
  rmSync(join(made.root, 'data/a'));
  const { dropped } = await repair(made.workspace, { dropDamaged: true });
  const again = await open();
  const { id } = await commit(again, { message: 'nothing has changed' });
  const head = again.repository.head().snapshot;
  await again.close();
  expect(head).toBe(dropped.find(({ from }) => from === second)?.to);
  expect(id).toBeUndefined();
});

test('gc after a repair leaves the quarantine alone', async () => {
  const path = await spoil(first, 'data/a');
  await repair(made.workspace);
  const kept = storeHashes(store()).get(`quarantine/${basename(path)}`);
  expect(kept).toBeDefined();
  await gc(made.workspace, { now: true });
  expect(storeHashes(store()).get(`quarantine/${basename(path)}`)).toBe(kept);
  expect((await verifyAll(made.workspace)).faults).toEqual([]);
});
