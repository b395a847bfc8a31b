/** Repair: what is mended, and what is whole stays untouched. Kinds of damage are in test/danger/repair.test.ts. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { repair } from '../../src/api/repair.ts';
import { openWorkspaceIn } from '../../src/api/workspace.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { processEnvironment } from '../../src/environment.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import { flipBit, verifyAll } from '../kit/damage.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { makeSmallWorkspace, scratchFolder } from '../kit/small-workspace.ts';
import { storeHashes } from '../kit/store-damage.ts';
import { makeTwoSnapshots, twoSnapshots } from './two-snapshots.ts';

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

const { store, expectAll, chunkOf, placeOf, spoil } = twoSnapshots(() => made);

describe('a store that is whole', () => {
  test('keeps every byte', async () => {
    const before = storeHashes(store());
    for (const dryRun of [true, false, false]) {
      const result = await repair(made.workspace, { dryRun, dropDamaged: !dryRun });
      expect(result).toMatchObject({ packs: [], recoveredCount: 0, lostBlobs: 0, dropped: [], remains: false });
      expect(result.entry).toBeUndefined();
      expect(storeHashes(store())).toEqual(before);
    }
  });

  test('even when it has no snapshot yet', async () => {
    await using empty = await makeSmallWorkspace(join(folder, 'empty'));
    expect(await repair(empty.workspace)).toMatchObject({ packs: [], remains: false });
  });
});

test('a disk that cannot read some sectors of a pack: the rest is read, and nothing is asked of them again', async () => {
  const { path, start } = await placeOf(1, await chunkOf(first, 'long'));
  // What the same block holds and only the first snapshot has.
  made.write('old notes', 'text\n'.repeat(100));
  await made.workspace.close();
  const paths = new Map<number, string>();
  const disk = {
    ...realDisk,
    open: (name: string, flags: number, mode?: number): number => {
      const fd = realDisk.open(name, flags, mode);
      paths.set(fd, name);
      return fd;
    },
    read: (fd: number, buffer: Uint8Array, offset: number, length: number, position: number | null): number => {
      if (paths.get(fd) === path && position !== null && position <= start + 50 && position + length > start)
        throw Object.assign(new Error('EIO: bad sector'), { code: 'EIO' });
      return realDisk.read(fd, buffer, offset, length, position);
    },
  };
  const environment = { ...processEnvironment('snap test'), disk };
  const workspace = await openWorkspaceIn(environment, inlineWorkers(disk), made.root);
  const result = await repair(workspace);
  expect(result).toMatchObject({ remains: false, packs: [{ state: 'damaged', fate: 'replaced' }] });
  expect(existsSync(join(store(), result.packs[0]?.quarantine ?? 'none'))).toBe(true);
  expect((await verifyAll(workspace)).faults).toEqual([]);
  await workspace.close();
  await made.reopen();
  await expectAll([first, second]);
});

describe('the journal', () => {
  test('damaged, and a pack too: both are mended in one run', async () => {
    await spoil(first, 'data/a');
    flipBit(join(store(), 'journal/000000000002.json'), 30);
    const before = storeHashes(store());
    const plan = await repair(made.workspace, { dryRun: true });
    expect(plan).toMatchObject({
      journal: [{ what: 'journal', entry: 2 }],
      packs: [{ state: 'damaged' }],
      remains: true,
    });
    expect(plan.mend).toMatchObject({ source: 'index', base: 3, isExact: true });
    expect(storeHashes(store())).toEqual(before);
    const result = await repair(made.workspace);
    expect(result).toMatchObject({ mend: { base: 3, entry: 4 }, lostBlobs: 0, remains: false, entry: 5 });
    expect(result.mend?.quarantined).toEqual(['quarantine/000000000002.json']);
    await made.reopen();
    expect((await verifyAll(made.workspace)).faults).toEqual([]);
    await expectAll([first, second]);
  });

  test('a damaged checkpoint is written anew, and so is a missing one', async () => {
    const { repository } = made.workspace;
    while (repository.state().number < 258) {
      const draft = { operation: 'tag', note: 'to fill the journal' } as const;
      await repository.publish(draft, {}, () => draft);
    }
    const path = join(store(), 'checkpoints/000000000256.state');
    const right = readFileSync(path);
    flipBit(path, 300);
    expect(await repair(made.workspace, { dryRun: true })).toMatchObject({ checkpoints: [256], remains: true });
    expect(readFileSync(path).equals(right)).toBe(false);
    expect(await repair(made.workspace)).toMatchObject({ checkpoints: [256], remains: false });
    expect(readFileSync(path).equals(right)).toBe(true);
    expect(existsSync(join(store(), 'quarantine/000000000256.state'))).toBe(true);
    rmSync(path);
    expect(await repair(made.workspace)).toMatchObject({ checkpoints: [256], remains: false });
    expect(readFileSync(path).equals(right)).toBe(true);
    expect(await repair(made.workspace)).toMatchObject({ checkpoints: [], remains: false });
  }, 30_000);
});

test('an index that misplaces blobs is told better', async () => {
  const { repository } = made.workspace;
  const id = await chunkOf(first, 'data/a');
  const { pack } = await repository.blobs.locate(1, id);
  const footer = await repository.blobs.footer(pack);
  const wrong = { blocks: footer.blocks.map((block) => ({ ...block, offset: block.offset + 7 })) };
  await repository.index.write({ packs: [{ id: pack, footer: wrong }] });
  expect((await verifyAll(made.workspace)).faultCount).toBeGreaterThan(0);
  const before = storeHashes(store());
  expect((await repair(made.workspace)).indexBlobs).toBeGreaterThan(0);
  expect(storeHashes(store())).toEqual(before);
  expect((await verifyAll(made.workspace)).faults).toEqual([]);
  await expectAll([first, second]);
});
