import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commit } from '../../src/api/commit.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import type { BlobId, BlobKind } from '../../src/object/blob-id.ts';
import { BLOB_KIND } from '../../src/object/blob-id.ts';
import { decodeChunkList } from '../../src/object/chunk-list.ts';
import type { PackId } from '../../src/object/pack-id.ts';
import { snapshotRef } from '../../src/object/ref-name.ts';
import { ENTRY_KIND } from '../../src/object/tree-entry.ts';
import { decodeParts } from '../../src/object/tree-parts.ts';
import { packName } from '../../src/repo/layout.ts';
import { incompleteSnapshots } from '../../src/repo/snapshot-completeness.ts';
import { collect } from '../history/collect.ts';
import { flipBit } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import { FailingDisk, newRoots, openAt, shrink } from './failing-disk.ts';

const roots = newRoots();
const failing = new FailingDisk();
let root: string;
let workspace: Workspace;
/** The snapshots by name; none of them has a ref any more. */
const ids: Record<string, BlobId> = {};

const write = (path: string, content: string | Uint8Array): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
};
const save = async (name: string): Promise<void> => {
  ids[name] = (await commit(workspace, { message: name, allowEmpty: true })).id as BlobId;
};
const id = (name: string): BlobId => ids[name] ?? ('' as never);
const gaps = async (...names: string[]): Promise<string[]> => {
  const gone = await incompleteSnapshots(workspace.repository, names.map(id));
  return gone.map((line) => {
    const name = Object.keys(ids).find((one) => line.startsWith(`${id(one).slice(0, 10)}: `));
    return `${name}${line.slice(10)}`;
  });
};
const packOf = async (kind: BlobKind, blob: BlobId): Promise<PackId> =>
  (await workspace.repository.blobs.locate(kind, blob)).pack;
/** The pack that trees and lists which were new in a snapshot went to. */
const treesOf = async (name: string): Promise<PackId> =>
  packOf(BLOB_KIND.tree, (await workspace.repository.trees.snapshot(id(name))).tree);
const without = async <T>(pack: PackId, work: () => Promise<T>): Promise<T> => {
  const path = join(root, '.snap/store', packName(pack));
  renameSync(path, `${path}.away`);
  try {
    return await work();
  } finally {
    renameSync(`${path}.away`, path);
  }
};
const entry = async (name: string, path: string) => {
  const { trees } = workspace.repository;
  const found = await trees.entryAt((await trees.snapshot(id(name))).tree, path.split('/'));
  if (found?.kind !== ENTRY_KIND.file) throw new Error(`no file ${path}`);
  return found;
};

beforeAll(async () => {
  root = await roots.init();
  shrink(root, 128, 1024);
  workspace = await openAt(root, { disk: failing.disk });
  symlinkSync('nowhere', join(root, 'link'));
  const big = noise(300_000, 5);
  write('big', big);
  await save('long file');
  await save('same tree');
  write('big', Buffer.concat([big, Buffer.from('tail')]));
  await save('longer');
  write('a/deep/x', noise(3000, 7));
  await save('folder');
  write('z', '1');
  await save('folder again');
  for (let i = 0; i < 4500; i++) write(`many/${i}`, '');
  await save('large folder');
  write('many/4499', 'changed');
  await save('large folder again');
  const { repository } = workspace;
  const refs = Object.values(ids).map((one) => ({ name: snapshotRef(one), from: one, to: null }));
  const draft = { operation: 'prune', note: '', workspace: repository.workspaceId, refs } as const;
  await repository.publish(draft, {}, () => draft);
}, 60_000);
afterAll(() => workspace.close());

describe('a pruned snapshot', () => {
  test('is whole while its packs are there; what is asked for twice is answered once', async () => {
    const { list } = (await entry('long file', 'big')).content as { list: BlobId };
    const top = decodeChunkList(await workspace.repository.blobs.read(BLOB_KIND.chunkList, list));
    expect(top.level, 'lists of lists are among what is walked').toBe(1);
    const { trees, blobs } = workspace.repository;
    const { tree } = await trees.snapshot(id('large folder'));
    const many = (await trees.folder(tree)).find(({ name }) => name === 'many') as { tree?: BlobId };
    expect(decodeParts(await blobs.read(BLOB_KIND.tree, many.tree ?? ('' as never)))).toSatisfy(
      (parts: unknown[]) => parts.length > 1,
    );
    expect(await gaps(...Object.keys(ids))).toEqual([]);
  });

  test('lacks its record, its tree, or the lists of a long file', async () => {
    await without(await packOf(BLOB_KIND.snapshot, id('long file')), async () => {
      expect(await gaps('long file', 'same tree', 'longer', 'long file')).toEqual(['long file: its record is gone']);
    });
    await without(await treesOf('long file'), async () => {
      expect(await gaps('same tree', 'longer', 'folder')).toEqual([
        'same tree: the folder / is gone',
        'longer: the bytes of big are gone',
        'folder: the bytes of big are gone',
      ]);
    });
    await without(await treesOf('longer'), async () => {
      expect(await gaps('long file', 'folder')).toEqual(['folder: the bytes of big are gone']);
    });
  });

  test('lacks a folder, or a part of a large one', async () => {
    await without(await treesOf('folder'), async () => {
      expect(await gaps('folder again', 'longer')).toEqual(['folder again: the folder a is gone']);
    });
    await without(await treesOf('large folder'), async () => {
      expect(await gaps('large folder again', 'folder again')).toEqual(['large folder again: the folder many is gone']);
    });
  });

  test('lacks the bytes of a file: the first path is named, in every snapshot that has it', async () => {
    const { trees } = workspace.repository;
    const [chunk] = await collect(trees.chunks(await entry('folder', 'a/deep/x')));
    const pack = await packOf(BLOB_KIND.data, chunk?.id ?? ('' as never));
    await without(pack, async () => {
      expect(await gaps('longer', 'folder', 'folder again')).toEqual([
        'folder: the bytes of a/deep/x are gone',
        'folder again: the bytes of a/deep/x are gone',
      ]);
    });
    const path = join(root, '.snap/store', packName(pack));
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.subarray(0, bytes.length - 1));
    expect(await gaps('folder'), 'a pack of another size is none').toHaveLength(1);
    writeFileSync(path, bytes);
    expect(await gaps('folder')).toEqual([]);
  });

  test('has a list that is there and damaged', async () => {
    const { list } = (await entry('longer', 'big')).content as { list: BlobId };
    const { pack, blockOffset } = await workspace.repository.blobs.locate(BLOB_KIND.chunkList, list);
    const path = join(root, '.snap/store', packName(pack));
    flipBit(path, blockOffset + 60);
    await workspace.close();
    workspace = await openAt(root, { disk: failing.disk });
    expect(await gaps('longer')).toEqual(['longer: the bytes of big are gone']);
    flipBit(path, blockOffset + 60);
    expect(await gaps('longer')).toEqual([]);
  });
});

test('a disk that cannot be read now is no gap, and a signal stops the walk', async () => {
  const pack = join(root, '.snap/store', packName(await treesOf('longer')));
  await workspace.close();
  rmSync(join(root, '.snap/index'), { recursive: true });
  workspace = await openAt(root, { disk: failing.disk });
  failing.hook = (call, path) => (call === 'read' && path === pack ? 'ESTALE' : undefined);
  await expect(gaps('longer')).rejects.toMatchObject({ code: 'io' });
  failing.hook = undefined;
  const signal = AbortSignal.abort(new Error('enough'));
  await expect(incompleteSnapshots(workspace.repository, [id('folder')], signal)).rejects.toThrow('enough');
});
