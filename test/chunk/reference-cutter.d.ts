import type { ChunkParams } from '../../src/chunk/chunk-params.ts';
export declare function referenceTable(seed?: Uint8Array): bigint[];
/** Chunk lengths of a whole file. Slow: for files of some hundred KiB. */
export declare function referenceLengths(bytes: Uint8Array, params: ChunkParams, table: readonly bigint[]): number[];
