import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { BlobId, BlobKind } from '../../src/object/blob-id.ts';
import { BLOB_KIND } from '../../src/object/blob-id.ts';
import { decodeChunkList, encodeChunkLists } from '../../src/object/chunk-list.ts';
import type { PackId } from '../../src/object/pack-id.ts';
import { encodeTree } from '../../src/object/tree.ts';
import { encodeFolder } from '../../src/object/tree-parts.ts';
import { BitSet } from '../../src/repo/bit-set.ts';
import { Marker } from '../../src/repo/mark.ts';
import { PackTable } from '../../src/repo/pack-table.ts';
import { readPackTable } from '../../src/repo/read-pack-table.ts';
import { findReferences } from '../../src/repo/references.ts';
import { walkTree } from '../../src/repo/tree-diff.ts';
import { blobIds, chunkRefs, folders } from '../kit/arbitrary.ts';
import { noise } from '../kit/folder.ts';
import { makeWorkspace, type TestWorkspace } from '../kit/workspace.ts';

const found = (kind: BlobKind, bytes: Buffer): string[] => {
  const list: string[] = [];
  findReferences(kind, bytes, (childKind, holder, offset) =>
    list.push(`${childKind} ${holder.toString('hex', offset, offset + 32)}`),
  );
  return list;
};

describe('references', () => {
  test('of a tree are those of its entries', () => {
    fc.assert(
      fc.property(folders, (entries) => {
        const expected = entries.flatMap((entry) =>
          entry.kind === 2
            ? [`3 ${entry.tree}`]
            : entry.kind === 1
              ? 'list' in entry.content
                ? [`2 ${entry.content.list}`]
                : entry.content.chunks.map(({ id }) => `1 ${id}`)
              : [],
        );
        expect(found(BLOB_KIND.tree, encodeTree(entries))).toEqual(expected);
      }),
    );
  });

  test('of a list of parts are the parts', () => {
    const entries = Array.from({ length: 6000 }, (_, i) => ({
      kind: 3 as const,
      name: String(i).padStart(6, '0'),
      mode: 0o777,
      mtime: 0n,
      uid: 0,
      gid: 0,
      target: 'x',
    }));
    const trees = encodeFolder(entries);
    const top = trees.at(-1);
    expect(found(BLOB_KIND.tree, top?.bytes ?? Buffer.alloc(0))).toEqual(trees.slice(0, -1).map(({ id }) => `3 ${id}`));
  });

  test('of a chunk list are its chunks, or the lists below it', () => {
    fc.assert(
      fc.property(fc.array(chunkRefs, { minLength: 1, maxLength: 40 }), (chunks) => {
        for (const { bytes } of encodeChunkLists(chunks)) {
          const { level, refs } = decodeChunkList(bytes);
          expect(found(BLOB_KIND.chunkList, bytes)).toEqual(refs.map(({ id }) => `${level === 0 ? 1 : 2} ${id}`));
        }
      }),
    );
  });

  test('a record that is cut off or longer is refused', () => {
    fc.assert(
      fc.property(folders, fc.nat(), (entries, cut) => {
        const bytes = encodeTree(entries);
        expect(() => found(BLOB_KIND.tree, bytes.subarray(0, cut % bytes.length))).toThrow(
          expect.objectContaining({ code: 'corrupt-data' }),
        );
        expect(() => found(BLOB_KIND.tree, Buffer.concat([bytes, Buffer.of(0)]))).toThrow(
          expect.objectContaining({ code: 'corrupt-data' }),
        );
      }),
    );
  });
});

test('a bit set is a set', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 5000 })), fc.array(fc.nat({ max: 5000 })), (numbers, others) => {
      const bits = new BitSet(1);
      const model = new Set<number>();
      for (const number of numbers) {
        expect(bits.add(number)).toBe(!model.has(number));
        model.add(number);
      }
      for (const number of [...numbers, ...others]) expect(bits.has(number)).toBe(model.has(number));
      expect(bits.count).toBe(model.size);
    }),
  );
});

describe('the table of packs', () => {
  const packs = fc.array(
    fc.array(
      fc.array(
        fc.record({
          kind: fc.constantFrom<BlobKind>(1, 3),
          id: fc.nat({ max: 60 }),
          length: fc.integer({ min: 1, max: 1000 }),
        }),
        { minLength: 1, maxLength: 6 },
      ),
      { minLength: 1, maxLength: 4 },
    ),
    { minLength: 1, maxLength: 8 },
  );
  const idOf = (number: number): BlobId => number.toString(16).padStart(2, '0').repeat(32) as BlobId;

  test('answers as a map does, the copy added first; copies are chained; shares add up to the packs', () => {
    fc.assert(
      fc.property(packs, (given) => {
        const table = new PackTable(1);
        const model = new Map<string, { pack: PackId; length: number }[]>();
        let bytes = 0;
        for (const [p, blocks] of given.entries()) {
          const id = p.toString(16).padStart(32, '0') as PackId;
          const footer = blocks.map((blobs, b) => ({
            offset: 32 + b * 5000,
            codec: 1,
            rawLength: 0,
            storedLength: 500 + b,
            directoryLength: 0,
            blobs: blobs.map((blob) => ({ ...blob, id: idOf(blob.id) })),
          }));
          const size = 5000 + 500 * blocks.length;
          bytes += size;
          table.addPack(id, size, { blocks: footer });
          for (const { kind, id: blob, length } of blocks.flat())
            model.set(`${kind} ${blob}`, [...(model.get(`${kind} ${blob}`) ?? []), { pack: id, length }]);
        }
        for (let i = 0; i <= 60; i++) {
          for (const kind of [1, 3] as const) {
            const copies = model.get(`${kind} ${i}`);
            const number = table.findId(kind, idOf(i));
            expect(number >= 0).toBe(copies !== undefined);
            if (copies === undefined) continue;
            expect(table.idOf(number)).toBe(idOf(i));
            expect(table.packOf(number).id).toBe(copies[0]?.pack);
            expect(table.lengthOf(number)).toBe(copies[0]?.length);
            const chain: PackId[] = [];
            for (let copy = number; copy >= 0; copy = table.nextCopy(copy)) {
              chain.push(table.packOf(copy).id);
              expect(table.chosenOf(copy)).toBe(number);
              expect(table.isChosen(copy)).toBe(copy === number);
            }
            expect(chain.sort()).toEqual(copies.map(({ pack }) => pack).sort());
          }
        }
        let shares = 0;
        for (let number = 0; number < table.size; number++) shares += table.storedShare(number);
        expect(shares).toBeCloseTo(bytes, 3);
        const ordered = [...table.inIdOrder(1), ...table.inIdOrder(3)];
        expect(new Set(ordered).size).toBe(model.size);
        for (const kind of [1, 3] as const) {
          const prefixes = [...table.inIdOrder(kind)].map((number) => table.idOf(number).slice(0, 4));
          expect(prefixes).toEqual([...prefixes].sort());
        }
      }),
      { numRuns: 60 },
    );
  });

  test('does not find what it does not have', () => {
    fc.assert(
      fc.property(blobIds, (id) => {
        expect(new PackTable().findId(1, id)).toBe(-1);
      }),
    );
  });
});

describe('marks', () => {
  let made: TestWorkspace;
  beforeEach(async () => {
    made = await makeWorkspace();
  });
  afterEach(() => made.cleanup());

  /** What a snapshot needs, by reading it as a checkout would. */
  const needs = async (id: BlobId): Promise<Set<string>> => {
    const { trees } = made.workspace.repository;
    const { tree } = await trees.snapshot(id);
    const all = new Set([`4 ${id}`, `3 ${tree}`]);
    for await (const { entry } of walkTree(trees, tree)) {
      if (entry.kind === 2) all.add(`3 ${entry.tree}`);
      if (entry.kind !== 1) continue;
      if ('list' in entry.content) all.add(`2 ${entry.content.list}`);
      for await (const { id: chunk } of trees.chunks(entry)) all.add(`1 ${chunk}`);
    }
    return all;
  };
  const marker = async (): Promise<Marker> => {
    const { repository } = made.workspace;
    return new Marker({
      backend: repository.backend,
      table: await readPackTable(repository.backend, repository.state(), (_pack, error) => {
        throw error;
      }),
    });
  };
  const markedIn = ({ table, marked }: Marker): Set<string> => {
    const all = new Set<string>();
    for (let number = 0; number < table.size; number++)
      if (marked.has(number)) all.add(`${table.kindOf(number)} ${table.idOf(number)}`);
    return all;
  };

  test('are what snapshots need, also long files and folders of thousands; and add up', async () => {
    for (let i = 0; i < 5000; i++) made.write(`many/${i}`, i % 7 === 0 ? `${i}` : 'same');
    made.write('long', noise(5_000_000, 3));
    const one = await made.commit('one');
    made.remove('many/17');
    made.write('long', Buffer.concat([noise(5_000_000, 3), noise(700_000, 5)]));
    made.write('new/file', 'new');
    const two = await made.commit('two');
    const [ofOne, ofTwo] = [await needs(one), await needs(two)];
    const first = await marker();
    const alone = await first.mark([one]);
    expect(alone.blobs).toBe(first.marked.count);
    const missing = [...ofOne].filter((blob) => !markedIn(first).has(blob));
    expect(missing).toEqual([]);
    // Parts of large folders are trees that `needs` does not see.
    expect([...markedIn(first)].filter((blob) => !ofOne.has(blob) && !blob.startsWith('3 '))).toEqual([]);
    const added = await first.mark([two]);
    expect([...ofTwo].filter((blob) => !markedIn(first).has(blob))).toEqual([]);
    const second = await marker();
    const both = await second.mark([two, one]);
    expect(both.blobs).toBe(alone.blobs + added.blobs);
    expect(both.rawBytes).toBe(alone.rawBytes + added.rawBytes);
    expect(both.storedBytes).toBeCloseTo(alone.storedBytes + added.storedBytes, 3);
    expect((await first.mark([one, two])).blobs).toBe(0);
  });

  test('the walk decodes each block once', async () => {
    for (let i = 0; i < 300; i++) made.write(`d${i % 20}/e${i}/f`, `${i}`);
    const id = await made.commit('one');
    const { repository } = made.workspace;
    const reads: string[] = [];
    const backend: typeof repository.backend = {
      ...repository.backend,
      get: (name, range) => {
        reads.push(`${name} ${range?.offset}`);
        return repository.backend.get(name, range);
      },
    };
    const table = (await marker()).table;
    await new Marker({ backend, table }).mark([id]);
    expect(new Set(reads).size).toBe(reads.length);
    expect(reads.length).toBeLessThanOrEqual(table.blocks.length);
  });
});
