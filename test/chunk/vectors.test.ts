/**
 * Danger: cut points that drift from one version to the next, so that nothing deduplicates with what is stored.
 * test/vectors/chunking.json is frozen: a failure here means the code is wrong, not the file.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ChunkParams } from '../../src/chunk/chunk-params.ts';
import { createCutter } from '../../src/chunk/cutter.ts';
import { gearTable } from '../../src/chunk/gear-table.ts';
import { repeatedBytes, xorshiftBytes } from './sample-data.ts';

interface Vectors {
  readonly tables: readonly { readonly seedHex: string; readonly firstEntriesHex: readonly string[] }[];
  readonly files: readonly {
    readonly name: string;
    readonly seedHex: string;
    readonly params: ChunkParams;
    readonly source: { readonly xorshift32: number } | { readonly repeatHex: string };
    readonly fileBytes: number;
    readonly chunkLengths: readonly number[];
  }[];
}

const vectors: Vectors = JSON.parse(readFileSync(new URL('../vectors/chunking.json', import.meta.url), 'utf8'));

describe('chunking vectors', () => {
  it.each(vectors.tables)('gear table of seed "$seedHex"', ({ seedHex, firstEntriesHex }) => {
    const entries = [...gearTable(Buffer.from(seedHex, 'hex')).subarray(0, firstEntriesHex.length)];
    expect(entries.map((entry) => (entry >>> 0).toString(16).padStart(8, '0'))).toEqual(firstEntriesHex);
  });

  it.each(vectors.files)('$name', ({ seedHex, params, source, fileBytes, chunkLengths }) => {
    const cutter = createCutter(params, gearTable(Buffer.from(seedHex, 'hex')));
    const file =
      'xorshift32' in source
        ? xorshiftBytes(source.xorshift32, fileBytes)
        : repeatedBytes(Buffer.from(source.repeatHex, 'hex'), fileBytes);
    const lengths: number[] = [];
    for (let start = 0; start < fileBytes; start += lengths.at(-1) ?? fileBytes) {
      lengths.push(cutter.cut(file, start, fileBytes, true));
    }
    expect(lengths).toEqual(chunkLengths);
  });
});
