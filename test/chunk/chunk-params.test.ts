/**
 * Danger: a store with sizes that the cutter, or a block, cannot hold.
 */
import { describe, expect, it } from 'vitest';
import { checkChunkParams, chunkMasks, defaultChunkParams } from '../../src/chunk/chunk-params.ts';
import { createCutter } from '../../src/chunk/cutter.ts';
import { gearTable } from '../../src/chunk/gear-table.ts';
import { hasCode } from '../../src/errors.ts';

const KiB = 1024;

describe('chunk params', () => {
  it('accept the defaults and the limits', () => {
    expect(checkChunkParams(defaultChunkParams)).toBe(defaultChunkParams);
    checkChunkParams({ minBytes: 64, averageBytes: 128, maxBytes: 129 });
    checkChunkParams({ minBytes: 64 * KiB, averageBytes: 1024 * KiB, maxBytes: 2048 * KiB });
  });

  it.each([
    [63, 256, 1024],
    [0, 256, 1024],
    [256, 256, 1024],
    [64, 1024, 1024],
    [64, 300, 1024],
    [64.5, 256, 1024],
    [64, 256, Number.NaN],
    [64, 256, 2 ** 21 + 1],
    [-64, 256, 1024],
    [64, 256, Number.POSITIVE_INFINITY],
  ])('refuse %d / %d / %d', (minBytes, averageBytes, maxBytes) => {
    const params = { minBytes, averageBytes, maxBytes };
    expect(codeOf(() => checkChunkParams(params))).toBe('unsupported-format');
    expect(codeOf(() => createCutter(params, gearTable()))).toBe('unsupported-format');
  });

  it('give masks of the top 20 and 16 bits for 256 KiB', () => {
    const { strict, loose } = chunkMasks(defaultChunkParams);
    expect([(strict >>> 0).toString(16), (loose >>> 0).toString(16)]).toEqual(['fffff000', 'ffff0000']);
  });
});

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return hasCode(error, 'unsupported-format') ? error.code : String(error);
  }
  return 'no error';
}
