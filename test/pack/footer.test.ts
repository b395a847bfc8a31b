/** Danger: footers and directories that place a blob elsewhere than it is. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PackId } from '../../src/object/pack-id.ts';
import {
  decodeBlockDirectory,
  decodeBlockHeader,
  decodeFooter,
  encodeBlockDirectory,
  encodeBlockHeader,
  encodeFooter,
  footerLength,
  TRAILER_BYTES,
} from '../../src/pack/pack-format.ts';
import { blobKinds, footers } from '../kit/arbitrary.ts';
import { attempt, tamper } from '../kit/tamper.ts';

const ID = '00112233445566778899aabbccddeeff' as PackId;

describe('footers', () => {
  test('decode what was encoded', () => {
    fc.assert(
      fc.property(footers, ({ footer, blockBytes }) => {
        const bytes = encodeFooter(footer);
        const trailer = bytes.subarray(bytes.length - TRAILER_BYTES);
        const size = blockBytes + bytes.length;
        expect(footerLength(trailer, ID, size)).toBe(bytes.length - TRAILER_BYTES);
        expect(decodeFooter(bytes.subarray(0, -TRAILER_BYTES), trailer, ID, size)).toEqual(footer);
        expect(() => decodeFooter(bytes.subarray(0, -TRAILER_BYTES), trailer, ID, size + 1)).toThrow(
          'do not fill the pack',
        );
      }),
    );
  });

  test('no change of one bit passes', () => {
    fc.assert(
      fc.property(footers, ({ footer, blockBytes }) => {
        const { other } = tamper(encodeFooter(footer), (bytes) => {
          const trailer = bytes.subarray(Math.max(0, bytes.length - TRAILER_BYTES));
          const size = blockBytes + bytes.length;
          const length = footerLength(trailer, ID, size);
          const body = bytes.subarray(0, bytes.length - TRAILER_BYTES);
          // A footer said to be longer begins in the blocks before it, of which any part will do.
          const taken =
            length > body.length
              ? Buffer.concat([Buffer.alloc(Math.min(4096, length - body.length)), body])
              : body.subarray(body.length - length);
          return encodeFooter(decodeFooter(taken, trailer, ID, size));
        });
        expect(other).toBe(0);
      }),
      { numRuns: 5 },
    );
  });
});

describe('blocks', () => {
  test('headers', () => {
    const lengths = fc.integer({ min: 0, max: 64 * 1024 * 1024 });
    fc.assert(
      fc.property(
        fc.record({
          codec: fc.integer({ min: 0, max: 255 }),
          rawLength: lengths,
          storedLength: fc.integer({ min: 0, max: 64 * 1024 * 1024 }),
          directoryLength: lengths,
        }),
        (header) => {
          const bytes = encodeBlockHeader(header);
          if (header.directoryLength > header.rawLength)
            expect(() => decodeBlockHeader(bytes, 'block')).toThrow('impossible lengths');
          else expect(decodeBlockHeader(bytes, 'block')).toEqual(header);
        },
      ),
    );
  });

  test('directories', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ kind: blobKinds, length: fc.maxSafeNat() }), { maxLength: 20 }), (blobs) => {
        const bytes = encodeBlockDirectory(blobs);
        expect(decodeBlockDirectory(bytes, 'block')).toEqual(blobs);
        tamper(bytes, (damaged) => encodeBlockDirectory(decodeBlockDirectory(damaged, 'block')));
      }),
      { numRuns: 50 },
    );
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        (noise) =>
          attempt(Buffer.from(noise), (bytes) => encodeBlockDirectory(decodeBlockDirectory(bytes, 'block')))?.equals(
            noise,
          ) ?? true,
      ),
    );
  });
});
