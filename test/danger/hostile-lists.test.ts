/** Danger: chunk lists of a few kilobytes that name each other so often that whoever follows each name is never done. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { diff, readFile } from '../../src/api/diff.ts';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import { BlobTable } from '../../src/index/blob-table.ts';
import type { BlobId, BlobKind } from '../../src/object/blob-id.ts';
import { BLOB_KIND, blobIdOf } from '../../src/object/blob-id.ts';
import { encodeTree } from '../../src/object/tree.ts';
import type { FileEntry } from '../../src/object/tree-entry.ts';
import { planDrop } from '../../src/repair/drop-damaged.ts';
import { TableReader } from '../../src/repair/source.ts';
import { readPackTable } from '../../src/repo/read-pack-table.ts';
import { incompleteSnapshots } from '../../src/repo/snapshot-completeness.ts';
import { findHits } from '../../src/verify/hits.ts';
import { collect } from '../history/collect.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { makeSmallWorkspace, scratchFolder } from '../kit/small-workspace.ts';
import type { CraftedBlob } from './crafted.ts';
import { fileEntry, publishTree } from './crafted.ts';

const scratch = scratchFolder();
let made: SmallWorkspace;
beforeAll(async () => {
  made = await makeSmallWorkspace(join(scratch, 'work'));
  made.write('f', 'something');
  await made.commit('something');
});
afterAll(async () => {
  await made.close();
  rmSync(scratch, { recursive: true, force: true });
});

const X = Buffer.from('x');

/** A list of `width` times the same, `length` bytes each. */
function list(level: number, width: number, length: number, id: BlobId): CraftedBlob {
  const writer = new ByteWriter();
  writer.u8(1);
  writer.u8(level);
  writer.uvarint(width);
  for (let i = 0; i < width; i++) {
    writer.uvarint(length);
    writer.id(id);
  }
  return { kind: BLOB_KIND.chunkList, bytes: writer.finish() };
}

/** Lists of `levels` levels, the last one the top, over chunks of one byte. */
function pyramid(levels: number, width: number, byte = X): { blobs: CraftedBlob[]; top: BlobId; size: number } {
  const blobs: CraftedBlob[] = [{ kind: BLOB_KIND.data, bytes: byte }];
  let id = blobIdOf(byte);
  let size = 1;
  for (let level = 0; level < levels; level++) {
    const above = list(level, width, size, id);
    blobs.push(above);
    id = blobIdOf(above.bytes);
    size *= width;
  }
  return { blobs, top: id, size };
}

function listed(name: string, top: BlobId, size: number): FileEntry {
  return { ...fileEntry(name, X), size, content: { list: top } };
}

async function publish(files: readonly FileEntry[], blobs: readonly CraftedBlob[]): Promise<BlobId> {
  const tree = encodeTree(files);
  return publishTree(made.workspace, [...blobs, { kind: BLOB_KIND.tree, bytes: tree }], blobIdOf(tree));
}

/** As `reader`, counting what is read. */
function counting<T extends { read(kind: BlobKind, id: BlobId): Promise<Buffer> }>(
  reader: T,
): { of: T; reads: number } {
  const counted = { of: Object.create(reader) as T, reads: 0 };
  counted.of.read = (kind, id) => {
    counted.reads++;
    return reader.read(kind, id);
  };
  return counted;
}

describe('nine lists that name each other four times each', () => {
  const { blobs, top, size } = pyramid(9, 4);
  const gone = fileEntry('gone', Buffer.from('gone'));
  const lost = new BlobTable();
  lost.add(BLOB_KIND.data, blobIdOf(Buffer.from('gone')));
  let id: BlobId;
  beforeAll(async () => {
    id = await publish(
      [listed('bomb', top, size), gone],
      [...blobs, { kind: BLOB_KIND.data, bytes: Buffer.from('gone') }],
    );
  });

  test('are read once by who asks whether a snapshot is whole', async () => {
    const { repository } = made.workspace;
    const { blobs: real, state, backend } = repository;
    const counted = counting({
      read: (kind: BlobKind, blob: BlobId) => real.read(kind, blob),
      locate: (kind: BlobKind, blob: BlobId) => real.locate(kind, blob),
    });
    expect(await incompleteSnapshots({ backend, state, blobs: counted.of } as never, [id])).toEqual([]);
    expect(counted.reads).toBe(11);
  });

  test('are read once by who looks for what damage hits', async () => {
    const { blobs: real, trees } = made.workspace.repository;
    const counted = counting({ read: (kind: BlobKind, blob: BlobId) => real.read(kind, blob) });
    const { listed: hits } = await findHits({ blobs: counted.of, trees }, lost, new Set(), [id], undefined);
    expect(hits).toEqual([{ path: 'gone', snapshots: [id] }]);
    expect(counted.reads).toBe(10);
  });

  test('are read once by who drops what is lost', async () => {
    const { backend, state } = made.workspace.repository;
    const table = await readPackTable(backend, state(), () => undefined);
    const counted = counting(new TableReader(backend, table));
    const reader = { read: counted.of.read } as TableReader;
    const { snapshots } = await planDrop(state(), [id], lost, reader);
    expect(snapshots).toMatchObject([{ from: id, paths: ['gone'] }]);
    expect(counted.reads).toBe(11);
  });
});

describe('a snapshot is not whole if a list of it', () => {
  const { blobs, top, size } = pyramid(2, 9);
  test.each<[string, CraftedBlob[], BlobId, number]>([
    ['holds other bytes than its file has', blobs, top, size + 1],
    (() => {
      const above = list(1, 2, 7, top);
      return ['is of another level than it must be', [...blobs, above], blobIdOf(above.bytes), 14];
    })(),
    (() => {
      const below = list(0, 9, 2, blobIdOf(X));
      return ['gives a chunk another length', [...blobs, below], blobIdOf(below.bytes), 18];
    })(),
    (() => {
      const none = { kind: BLOB_KIND.chunkList, bytes: Buffer.of(1, 0, 0) };
      return ['is none', [...blobs, none], blobIdOf(none.bytes), 5];
    })(),
  ])('%s', async (_what, all, id, bytes) => {
    const snapshot = await publish([listed('f', id, bytes)], all);
    const [gap] = await incompleteSnapshots(made.workspace.repository, [snapshot]);
    expect(gap).toContain('the bytes of f are gone');
  });
});

describe('a file of more chunks than memory holds', () => {
  const endless = pyramid(3, 4096);
  let from: BlobId;
  beforeAll(async () => {
    from = await publish([listed('bomb', endless.top, endless.size)], endless.blobs);
  });

  test('is read as far as somebody asks', async () => {
    const { content } = await readFile(made.workspace, `${from}:bomb`);
    for (let i = 0; i < 10; i++) expect((await content.next()).value).toEqual(X);
    await content.return(undefined);
  });

  test('is not written once a chunk of it is missing, and no list is read for it any more', async () => {
    const { blobs, top, size } = pyramid(2, 4096, Buffer.from('missing'));
    const id = await publish([listed('bomb', top, size)], blobs.slice(1));
    const to = join(scratch, 'out');
    const real = made.workspace.repository.blobs;
    const { read } = real;
    let lists = 0;
    real.read = (kind, blob) => {
      if (kind === BLOB_KIND.chunkList) lists++;
      return read.call(real, kind, blob);
    };
    const { failures } = await checkout(made.workspace, { revision: id, to });
    real.read = read;
    expect(failures).toMatchObject([{ path: 'bomb', code: 'corrupt-data' }]);
    expect(lists).toBe(2);
  });

  test('and a small one comes back, stretch by stretch', async () => {
    const { blobs, top, size } = pyramid(2, 64);
    const id = await publish([listed('small', top, size)], blobs);
    const to = join(scratch, 'small');
    expect(await checkout(made.workspace, { revision: id, to })).toMatchObject({ failures: [] });
    expect(readFileSync(join(to, 'small'), 'utf8')).toBe('x'.repeat(4096));
  });

  test('is compared with another one as far as there is time', async () => {
    const other = pyramid(3, 4096, Buffer.from('y'));
    const to = await publish([listed('other', other.top, other.size)], other.blobs);
    const { changes, close } = await diff(made.workspace, { from, to });
    const found = (await collect(changes)).map(({ kind, path }) => `${kind} ${path}`);
    close();
    expect(found.sort()).toEqual(['added other', 'removed bomb']);
  });
});
