/** Fuzz targets: packs, blocks and zstd frames, with checksums that fit in most inputs, so that the checks behind them are met. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { loadZstd } from '../../../src/compress/zstd.ts';
import { readZstdFrame } from '../../../src/compress/zstd-frame.ts';
import { hasCode } from '../../../src/errors.ts';
import type { BlobKind } from '../../../src/object/blob-id.ts';
import { blobIdOf } from '../../../src/object/blob-id.ts';
import type { PackId } from '../../../src/object/pack-id.ts';
import type { SealedBlock } from '../../../src/pack/block.ts';
import { openBlock, scanBlock, sealBlock } from '../../../src/pack/block.ts';
import {
  BLOCK_HEADER_BYTES,
  checkPackHeader,
  decodeBlockDirectory,
  decodeBlockHeader,
  encodeBlockDirectory,
  encodeBlockHeader,
  encodeFooter,
  encodePackHeader,
  footerLength,
  PACK_HEADER_BYTES,
  TRAILER_BYTES,
} from '../../../src/pack/pack-format.ts';
import { readFooter, scanPack } from '../../../src/pack/pack-reader.ts';
import { blobKinds } from '../arbitrary.ts';
import type { Target } from './engine.ts';

const DAMAGED = ['corrupt-data', 'unsupported-format'] as const;
const ID = '0f1e2d3c4b5a69788796a5b4c3d2e1f0' as PackId;
const zstd = await loadZstd();
const portable = await loadZstd({ backend: 'wasm' });

const contents = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 9 }), fc.nat(3000))
    .map(([part, length]) => Buffer.alloc(length, part)),
);
const blocks: fc.Arbitrary<SealedBlock> = fc
  .tuple(fc.array(fc.tuple(blobKinds, contents), { maxLength: 5 }), fc.constantFrom('off' as const, 'fast' as const))
  .map(([blobs, level]) =>
    sealBlock(
      zstd,
      blobs.map(([kind, bytes]: [BlobKind, Uint8Array]) => ({
        blob: { kind, id: blobIdOf(bytes), length: bytes.length },
        bytes,
      })),
      level,
    ),
  );
const packs = fc.array(blocks, { maxLength: 4 }).map((sealed) => {
  let offset = PACK_HEADER_BYTES;
  const listed = sealed.map((block) => {
    const at = { ...block.header, offset, blobs: block.blobs };
    offset += block.bytes.length;
    return at;
  });
  return Buffer.concat([encodePackHeader(ID), ...sealed.map(({ bytes }) => bytes), encodeFooter({ blocks: listed })]);
});

const reading =
  (input: Buffer) =>
  async (offset: number, length: number): Promise<Buffer> =>
    input.subarray(offset, offset + length);

/** The checksum of a block header at `at`, made to fit. */
function mendBlock(input: Buffer, at: number): void {
  if (at + BLOCK_HEADER_BYTES > input.length) return;
  input.write('SBLK', at, 'latin1');
  input.writeUInt32LE(crc32(input.subarray(at, at + 20)), at + 20);
}

/** The trailer's hash and, most often, its length and its marks. */
function mendPack(input: Buffer): Buffer {
  if (input.length < PACK_HEADER_BYTES + TRAILER_BYTES) return input;
  const trailer = input.length - TRAILER_BYTES;
  const length = input.readUInt32LE(trailer);
  if (length > trailer - PACK_HEADER_BYTES) return input;
  createHash('sha256')
    .update(input.subarray(trailer - length, trailer))
    .digest()
    .copy(input, trailer + 4);
  return input;
}

const packHeaders: Target = {
  name: 'pack-header',
  seeds: fc.constant(encodePackHeader(ID)),
  codes: DAMAGED,
  run: (input) => {
    checkPackHeader(input, ID);
    return Buffer.concat([encodePackHeader(ID), input.subarray(PACK_HEADER_BYTES)]);
  },
};

const blockHeaders: Target = {
  name: 'block-header',
  seeds: blocks.map(({ header }) => encodeBlockHeader(header)),
  codes: DAMAGED,
  mend: (input) => {
    mendBlock(input, 0);
    return input;
  },
  run: (input) =>
    Buffer.concat([encodeBlockHeader(decodeBlockHeader(input, 'block')), input.subarray(BLOCK_HEADER_BYTES)]),
};

const directories: Target = {
  name: 'block-directory',
  seeds: blocks.map(({ blobs }) => encodeBlockDirectory(blobs)),
  codes: DAMAGED,
  run: (input) => encodeBlockDirectory(decodeBlockDirectory(input, 'block')),
};

const wholeBlocks: Target = {
  name: 'block',
  seeds: blocks.map(({ bytes }) => bytes),
  codes: DAMAGED,
  mend: (input) => {
    // The length in the header follows the bytes: else hardly an input would be decoded.
    if (input.length >= BLOCK_HEADER_BYTES) input.writeUInt32LE(input.length - BLOCK_HEADER_BYTES, 12);
    mendBlock(input, 0);
    return input;
  },
  run: (input) => {
    const { header, raw } = openBlock(zstd, input, 'block');
    const parts = scanBlock(header, raw, 'block');
    if (header.codec !== 0) return undefined;
    return Buffer.concat([
      input.subarray(0, BLOCK_HEADER_BYTES),
      ...parts.map(({ bytes }) => bytes),
      encodeBlockDirectory(parts.map(({ blob }) => blob)),
    ]);
  },
};

/** Both decoders must say the same of a frame: a store is read by either. */
const frames: Target = {
  name: 'zstd-frame',
  seeds: contents.map((bytes) => zstd.compress(bytes, 'fast')),
  codes: DAMAGED,
  run: (input) => {
    const { contentBytes } = readZstdFrame(input);
    const one = decoded(() => zstd.decompress(input, contentBytes));
    const other = decoded(() => portable.decompress(input, contentBytes));
    if (one !== undefined && other !== undefined && !Buffer.from(one).equals(other))
      throw new Error('the two decoders differ');
    return undefined;
  },
};

function decoded(work: () => Uint8Array): Uint8Array | undefined {
  try {
    return work();
  } catch (error) {
    if (!hasCode(error, ...DAMAGED)) throw error;
    return undefined;
  }
}

const trailers: Target = {
  name: 'trailer',
  seeds: packs.map((pack) => pack.subarray(-TRAILER_BYTES)),
  codes: DAMAGED,
  run: (input) => {
    const length = footerLength(input, ID, 2 ** 20);
    if (length > 2 ** 20) throw new Error(`a footer of ${length} bytes in a pack of ${2 ** 20}`);
    return undefined;
  },
};

const footers: Target = {
  name: 'footer',
  seeds: packs,
  codes: DAMAGED,
  mend: mendPack,
  run: async (input) => {
    const footer = await readFooter(ID, input.length, reading(input));
    const last = footer.blocks.at(-1);
    const end = last === undefined ? PACK_HEADER_BYTES : last.offset + BLOCK_HEADER_BYTES + last.storedLength;
    return Buffer.concat([encodePackHeader(ID), input.subarray(PACK_HEADER_BYTES, end), encodeFooter(footer)]);
  },
};

const scans: Target = {
  name: 'pack-scan',
  // A MiB of whole blocks of 70 bytes each decodes to 47 MB, all of it hashed: 2.4 s were measured, more than is wished.
  millisecondsMax: 10_000,
  seeds: packs,
  words: ['SBLK', 'SNAPPACK', 'SNAPFOOT'],
  codes: [],
  mend: (input) => {
    for (let at = input.indexOf('SBLK'); at >= 0; at = input.indexOf('SBLK', at + 1)) mendBlock(input, at);
    return input;
  },
  run: async (input) => {
    let found = 0;
    for await (const { parts } of scanPack(zstd, ID, input.length, reading(input)))
      for (const { blob, bytes } of parts) {
        if (blobIdOf(bytes) !== blob.id) throw new Error('a scan gives bytes under a wrong id');
        found += bytes.length;
      }
    return found < 0 ? input : undefined;
  },
};

export const PACK_TARGETS: readonly Target[] = [
  packHeaders,
  blockHeaders,
  directories,
  wholeBlocks,
  frames,
  trailers,
  footers,
  scans,
];
