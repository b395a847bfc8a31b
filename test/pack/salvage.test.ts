/** Danger: salvage that leaves what is readable, or gives bytes under an id that is not theirs. */
import { describe, expect, test } from 'vitest';
import { blobIdOf } from '../../src/object/blob-id.ts';
import type { FooterBlock } from '../../src/pack/pack-format.ts';
import { BLOCK_HEADER_BYTES, encodeFooter } from '../../src/pack/pack-format.ts';
import { salvagePack } from '../../src/pack/salvage.ts';
import { data, PACK, packOf, reader, zstd } from './packs.ts';

const contents = [[data('first'), data('second')], [data('third')], [data('fourth'), data('fifth')]];
const made = packOf(...contents);
const at = (i: number): FooterBlock => made.blocks[i] as FooterBlock;
const salvage = (bytes: Buffer) => salvagePack(zstd, PACK, bytes.length, reader(bytes));
const flipped = (...places: number[]): Buffer => {
  const copy = Buffer.from(made.bytes);
  for (const place of places) copy[place] = (copy[place] ?? 0) ^ 1;
  return copy;
};
/** A byte of the content of block `i`. */
const inside = (i: number, byte = 0): number => at(i).offset + BLOCK_HEADER_BYTES + byte;

test('a whole pack: all its blocks, as its footer lists them', async () => {
  const { blocks, headers, spoilt } = await salvage(made.bytes);
  expect(blocks).toEqual(made.blocks);
  expect([...headers]).toEqual([]);
  expect([...spoilt]).toEqual([]);
});

describe('without a footer', () => {
  test('all blocks are found by their marks', async () => {
    expect((await salvage(made.bytes.subarray(0, made.footerAt))).blocks).toEqual(made.blocks);
  });

  test('a trailer that is damaged is no footer', async () => {
    for (let place = made.footerAt; place < made.bytes.length; place++)
      expect((await salvage(flipped(place))).blocks, `byte ${place}`).toEqual(made.blocks);
  });

  test('a block with a damaged header is lost, the others are not', async () => {
    const { blocks } = await salvage(flipped(at(1).offset).subarray(0, made.footerAt));
    expect(blocks).toEqual([at(0), at(2)]);
  });

  test('the front may be cut off', async () => {
    const cut = made.bytes.subarray(at(1).offset, made.footerAt);
    const moved = [at(1), at(2)].map((block) => ({ ...block, offset: block.offset - at(1).offset }));
    expect((await salvage(cut)).blocks).toEqual(moved);
  });

  test('nothing at all', async () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from('SNAPFOOT'), Buffer.from('x SNAPFOOT y'), Buffer.alloc(1000)])
      expect(await salvage(bytes)).toEqual({ blocks: [], headers: new Map(), spoilt: new Set(), listed: new Set() });
  });
});

describe('with a footer', () => {
  test('a damaged header is made again', async () => {
    const { blocks, headers } = await salvage(flipped(at(1).offset));
    expect(blocks).toEqual(made.blocks);
    const right = made.bytes.subarray(at(1).offset, at(1).offset + BLOCK_HEADER_BYTES);
    expect([...headers]).toEqual([[at(1).offset, Buffer.from(right)]]);
  });

  test('bytes behind it do not hide it', async () => {
    const longer = Buffer.concat([flipped(at(1).offset), Buffer.from('appended SNAPFOOT')]);
    expect((await salvage(longer)).blocks).toEqual(made.blocks);
  });

  test('it is found wherever its mark lies to the stretches in which the file is read', async () => {
    for (let bytes = 2 ** 20 - 9; bytes <= 2 ** 20 + 1; bytes++) {
      const longer = Buffer.concat([flipped(at(1).offset), Buffer.alloc(bytes)]);
      expect((await salvage(longer)).blocks, `${bytes} bytes behind it`).toEqual(made.blocks);
    }
  });

  test('it is found behind 15 false marks, and not searched for behind 16', async () => {
    const damaged = flipped(at(1).offset);
    const marks = (count: number): Buffer => Buffer.concat([damaged, Buffer.from('SNAPFOOT'.repeat(count))]);
    expect((await salvage(marks(15))).blocks).toHaveLength(3);
    expect((await salvage(marks(16))).blocks).toHaveLength(2);
  });

  test('a blob that is damaged is spoilt, the one beside it is not', async () => {
    const { blocks, spoilt, listed } = await salvage(flipped(inside(0)));
    expect(listed.has(data('second').blob.id)).toBe(true);
    expect(listed.has(data('first').blob.id)).toBe(false);
    const now = blobIdOf(Buffer.from('girst'));
    expect(blocks[0]?.blobs.map(({ id }) => id)).toEqual([now, data('second').blob.id]);
    expect([...spoilt]).toEqual([now]);
    expect(listed.has(now)).toBe(false);
    // Without the footer every id is what the bytes say now.
    const { listed: none } = await salvage(made.bytes.subarray(0, -5) as Buffer);
    expect([...none]).toEqual([]);
    expect(blocks.slice(1)).toEqual(made.blocks.slice(1));
  });

  test('a block of which no blob is right is as good as none, unless its own directory says otherwise', async () => {
    const gone = flipped(inside(1), at(1).offset);
    const { blocks, headers, spoilt } = await salvage(gone);
    expect(blocks).toEqual([at(0), at(2)]);
    expect([...headers]).toEqual([]);
    expect([...spoilt]).toEqual([]);
    const found = (await salvage(flipped(inside(1)))).blocks;
    expect(found[1]?.blobs).toEqual([{ ...data('uhird').blob }]);
  });

  test('a block is taken once, in the order of places', async () => {
    const { blocks } = await salvage(flipped(inside(0), inside(2)));
    expect(blocks.map(({ offset }) => offset)).toEqual(made.blocks.map(({ offset }) => offset));
  });

  test('a footer of later blocks does not keep earlier ones from being found', async () => {
    // A front of two blocks, then a whole pack whose places are no longer right.
    const moved = Buffer.concat([made.bytes.subarray(at(0).offset, at(2).offset), made.bytes]);
    const { blocks } = await salvage(moved);
    expect(blocks).toHaveLength(5);
    expect(blocks.map(({ offset }) => offset)).toEqual(blocks.map(({ offset }) => offset).sort((a, b) => a - b));
  });

  test('content that looks like a footer is not one', async () => {
    const inner = packOf([data(encodeFooter({ blocks: made.blocks })), data('beside')]);
    expect((await salvage(inner.bytes)).blocks).toEqual(inner.blocks);
    expect((await salvage(inner.bytes.subarray(0, inner.footerAt))).blocks).toEqual(inner.blocks);
  });
});
