import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { commit } from '../../src/api/commit.ts';
import { gc } from '../../src/api/gc.ts';
import { verify } from '../../src/api/verify.ts';
import { processEnvironment } from '../../src/environment.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { encodeCheckpoint } from '../../src/repo/journal.ts';
import type { Repository } from '../../src/repo/repository.ts';
import { beginSession } from '../../src/repo/session.ts';
import { verify as verifyIn } from '../../src/verify/verify.ts';
import { flipBit, packPaths, verifyAll } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;
let first: BlobId;
let second: BlobId;
const store = (): string => join(made.root, '.snap/store');
const packOf = async (kind: 1 | 2 | 3 | 4, id: BlobId): Promise<{ path: string; offset: number; length: number }> => {
  const { pack, blockOffset, storedLength } = await made.workspace.repository.blobs.locate(kind, id);
  return {
    path: join(store(), 'packs', pack.slice(0, 2), `${pack}.pack`),
    offset: blockOffset + 24,
    length: storedLength,
  };
};

/** Two snapshots: `data/a` is in both, `data/b` in the second only. `long` has a chunk list. */
beforeEach(async () => {
  made = await makeWorkspace();
  made.write('data/a', noise(200_000, 1));
  made.write('notes', 'text\n'.repeat(100));
  made.write('long', noise(4_000_000, 7));
  first = await made.commit('first');
  made.write('data/b', noise(300_000, 5));
  second = await made.commit('second');
});
afterEach(() => made.cleanup());

describe('a store that is whole', () => {
  test('has no faults, and every byte of it was read', async () => {
    const result = await verifyAll(made.workspace);
    const size = packPaths(store()).reduce((sum, path) => sum + statSync(path).size, 0);
    expect(result).toMatchObject({ faults: [], faultCount: 0, hits: undefined });
    expect(result.data).toMatchObject({ packs: 2, bytes: size, transient: 0 });
    expect(result.structure).toMatchObject({ packs: 2, packBytes: size, index: { missing: 0, wrong: 0 } });
    expect(result.structure.needed).toMatchObject({ snapshots: 2, lists: 1 });
    expect(result.data?.blobs).toBe(result.structure.blobs);
  });

  test('the second implementation of SHA-256 agrees', async () => {
    const result = await verify(made.workspace, { paranoid: true });
    expect(result.faultCount).toBe(0);
    expect(result.data?.packs).toBe(2);
  });

  test('reading does not change the store', async () => {
    const before = readdirSync(store(), { recursive: true }).sort();
    await verifyAll(made.workspace);
    expect(readdirSync(store(), { recursive: true }).sort()).toEqual(before);
  });

  test('a sample reads a part', async () => {
    const { data } = await verify(made.workspace, { sample: '50%' });
    expect(data?.packs).toBe(1);
    expect((await verify(made.workspace, { sample: '1 B' })).data?.packs).toBe(1);
    expect((await verify(made.workspace, { sample: '5m' })).data?.packs).toBe(2);
    await expect(verify(made.workspace, { sample: 'some' })).rejects.toMatchObject({ code: 'usage' });
  });
});

describe('damaged packs', () => {
  test('one bit in the bytes of a file: the structure is well, --data names blob, pack, offset, path and snapshots', async () => {
    const chunks = await made.workspace.repository.trees.entryAt(
      (await made.workspace.repository.trees.snapshot(second)).tree,
      ['data', 'a'],
    );
    const id = chunks?.kind === 1 && 'chunks' in chunks.content ? chunks.content.chunks[0]?.id : undefined;
    if (id === undefined) throw new Error('no chunk');
    const place = await packOf(1, id);
    const bytes = readFileSync(place.path);
    const at = bytes.indexOf(noise(200_000, 1).subarray(500, 532));
    expect(at).toBeGreaterThan(0);
    flipBit(place.path, at);
    expect((await verify(made.workspace)).faultCount).toBe(0);
    const result = await verifyAll(made.workspace);
    const blobFault = result.faults.find(({ what }) => what === 'blob');
    expect(blobFault).toMatchObject({ blob: { kind: 1, id }, offset: place.offset - 24 });
    expect(place.path).toContain(blobFault?.pack);
    expect(result.hits?.listed).toEqual([{ path: 'data/a', snapshots: [second, first] }]);
    expect(result.hits).toMatchObject({ paths: 1, snapshots: [second, first] });
  });

  test('every one of 60 flipped bits anywhere is found', async () => {
    const [, small = ''] = packPaths(store());
    const [large = ''] = packPaths(store());
    for (const path of [small, large]) {
      const { size } = statSync(path);
      for (let i = 0; i < 30; i++) {
        // Both ends closely, the middle at a stride.
        const offset = i < 8 ? i * 4 : i < 18 ? size - 1 - (i - 8) * 7 : Math.floor((size * (i - 17)) / 14);
        flipBit(path, offset, i % 8);
        const { faultCount } = await verifyAll(made.workspace);
        expect(faultCount, `bit ${i % 8} of byte ${offset} of ${size}`).toBeGreaterThan(0);
        flipBit(path, offset, i % 8);
      }
    }
    expect((await verifyAll(made.workspace)).faultCount).toBe(0);
  }, 120_000);

  test('a damaged tree hits the folder and all in it', async () => {
    const { repository } = made.workspace;
    const root = (await repository.trees.snapshot(second)).tree;
    const { path, offset } = await packOf(3, root);
    flipBit(path, offset + 2);
    const result = await verify(made.workspace);
    expect(result.faults.some(({ what }) => what === 'blob')).toBe(true);
    expect(result.hits?.listed.some((hit) => ['', 'data/'].includes(hit.path) && hit.snapshots.includes(second))).toBe(
      true,
    );
  });

  test('a lost pack', async () => {
    const [large = '', small = ''] = packPaths(store());
    renameSync(large, join(made.root, '../aside'));
    const result = await verify(made.workspace);
    expect(result.faults[0]).toMatchObject({ what: 'pack', reason: 'it is missing from the store' });
    expect(result.missingBlobs).toBeGreaterThan(0);
    expect(result.hits?.snapshots).toContain(first);
    renameSync(join(made.root, '../aside'), large);
    expect((await verify(made.workspace)).faultCount).toBe(0);
    expect(existsSync(small)).toBe(true);
  });

  test.each([0, 1, 100, 0.5, -1])('a pack cut off at %s', async (at) => {
    const [large = ''] = packPaths(store());
    const { size } = statSync(large);
    truncateSync(large, at < 0 ? size + at : at > 0 && at < 1 ? Math.floor(size * at) : at);
    expect((await verify(made.workspace)).faults[0]).toMatchObject({ what: 'pack' });
  });

  test('a pack with another one’s bytes, and one with bytes behind its end', async () => {
    const [large = '', small = ''] = packPaths(store());
    const bytes = readFileSync(small);
    writeFileSync(small, readFileSync(large));
    expect((await verify(made.workspace)).faultCount).toBeGreaterThan(0);
    writeFileSync(small, Buffer.concat([bytes, Buffer.alloc(1)]));
    expect((await verify(made.workspace)).faultCount).toBeGreaterThan(0);
    writeFileSync(small, bytes);
    expect((await verify(made.workspace)).faultCount).toBe(0);
  });

  test('what is damaged and needed by nobody hits nothing', async () => {
    const tree = (await made.workspace.repository.trees.snapshot(second)).tree;
    const entry = await made.workspace.repository.trees.entryAt(tree, ['data', 'b']);
    const id = entry?.kind === 1 && 'chunks' in entry.content ? entry.content.chunks[0]?.id : undefined;
    if (id === undefined) throw new Error('no chunk');
    made.write('data/b', 'small now');
    await made.commit('third');
    const reader = beginSession(processEnvironment('a reader'), made.workspace.repository.backend);
    await gc(made.workspace, { rules: { keepLast: 1 } });
    reader.end();
    const { path } = await packOf(1, id);
    flipBit(path, readFileSync(path).indexOf(noise(300_000, 5).subarray(500, 532)));
    const result = await verifyAll(made.workspace);
    expect(result.faultCount).toBeGreaterThan(0);
    expect(result.hits).toMatchObject({ paths: 0, snapshots: [] });
  });
});

describe('a read that fails once', () => {
  /** The first read of every pack gives one wrong bit, or its tail cut off. */
  const shaky = (spoil: (bytes: Buffer) => Buffer): Repository => {
    const { repository } = made.workspace;
    const spoilt = new Set<string>();
    const get: Repository['backend']['get'] = async (name, range) => {
      const bytes = await repository.backend.get(name, range);
      const key = `${name} ${range === undefined}`;
      if (bytes === undefined || !name.startsWith('packs/') || spoilt.has(key)) return bytes;
      spoilt.add(key);
      return spoil(Buffer.from(bytes));
    };
    return { ...repository, backend: { ...repository.backend, get } };
  };

  test.each([
    [
      'one bit',
      (bytes: Buffer): Buffer => {
        bytes[100] = (bytes[100] ?? 0) ^ 1;
        return bytes;
      },
    ],
    ['half of it', (bytes: Buffer): Buffer => bytes.subarray(0, bytes.length / 2)],
  ])('is no damage: %s', async (_name, spoil) => {
    const result = await verifyIn(shaky(spoil), made.workspace.workers, {
      data: true,
      sample: undefined,
      paranoid: false,
      signal: undefined,
      progress: () => undefined,
    });
    expect(result.faults).toEqual([]);
    expect(result.data?.transient).toBe(2);
  });
});

describe('the journal', () => {
  const entry = (number: number): string => join(store(), 'journal', `${String(number).padStart(12, '0')}.json`);

  test('an entry that was changed, or is lost, is named', async () => {
    const bytes = readFileSync(entry(2));
    writeFileSync(entry(2), bytes.toString().replace('first', 'fIrst'));
    expect((await verify(made.workspace)).faults[0]).toMatchObject({ what: 'journal', entry: 2 });
    writeFileSync(entry(2), bytes.subarray(0, 50));
    expect((await verify(made.workspace)).faults[0]).toMatchObject({ what: 'journal', entry: 2 });
    rmSync(entry(2));
    const result = await verify(made.workspace);
    expect(result.faults[0]).toMatchObject({ what: 'journal', entry: 2 });
    // The packs are checked all the same, by what the index knows.
    expect(result.structure.packs).toBe(2);
    writeFileSync(entry(2), bytes);
    expect((await verify(made.workspace)).faultCount).toBe(0);
  });

  test('a checkpoint is compared with the fold of the journal', async () => {
    const state = encodeCheckpoint(made.workspace.repository.state());
    made.write('.snap/store/checkpoints/000000000003.state', state);
    expect(await verify(made.workspace)).toMatchObject({ faultCount: 0, journal: { checkpoints: 1 } });
    made.write('.snap/store/checkpoints/000000000003.state', state.toString().replace(first, second));
    expect((await verify(made.workspace)).faults[0]).toMatchObject({ what: 'checkpoint', entry: 3 });
  });
});

describe('the index', () => {
  test('what it lacks costs nothing; where it is wrong is a fault', async () => {
    const { repository } = made.workspace;
    const [pack] = [...repository.state().packs.keys()];
    if (pack === undefined) throw new Error('no pack');
    const footer = await repository.blobs.footer(pack);
    await repository.index.write({ removedPacks: [pack] });
    const lacking = await verify(made.workspace);
    expect(lacking.faultCount).toBe(0);
    expect(lacking.structure.index?.missing).toBeGreaterThan(0);
    const shifted = { blocks: footer.blocks.map((block) => ({ ...block, offset: block.offset + 1 })) };
    await repository.index.write({ packs: [{ id: pack, footer: shifted }] });
    const wrong = await verify(made.workspace);
    expect(wrong.structure.index?.wrong).toBeGreaterThan(0);
    expect(wrong.faults[0]).toMatchObject({ what: 'index' });
  });
});

test('a commit stores again what a lost pack held, as far as the folder has it', async () => {
  const [large = ''] = packPaths(store());
  rmSync(large);
  expect((await verify(made.workspace)).faultCount).toBeGreaterThan(0);
  await commit(made.workspace, { message: 'again', rescan: true, allowEmpty: true });
  const { hits } = await verify(made.workspace);
  expect(hits?.listed.filter(({ path }) => path === 'data/a') ?? []).toEqual([]);
});
