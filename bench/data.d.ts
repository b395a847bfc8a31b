import type { Runner } from './measure.ts';
export declare const linuxPackage = '/usr/src/linux-source-6.1.tar.xz';
/** Sum of the lengths of all files below `path`, or of the file itself; 0 when there is none. */
export declare function sizeOf(path: string): Promise<number>;
/** Regular files below `root`, relative, in a stable order, without what snap keeps there. */
export declare function listFiles(root: string, below?: string): Promise<string[]>;
/**
 * Fills `dest` with the Linux source and says what it is: a copy of `origin` when given, else Debian's package,
 * else a generated tree. `quick` takes only a few of its folders.
 */
export declare function makeSourceTree(
  runner: Runner,
  dest: string,
  options: {
    origin?: string | undefined;
    quick: boolean;
  },
): Promise<string>;
/** `count` distinct text files of up to `bytesMax` bytes, in folders two deep. */
export declare function makeTextTree(
  runner: Runner,
  dest: string,
  options: {
    count: number;
    filesPerFolder: number;
    bytesMax: number;
    seed: number;
  },
): Promise<void>;
/** A folder with the first `tarBytes` of a tar of `source` and `weightBytes` of gaussian float32 numbers. */
export declare function makeBinaryFolder(
  runner: Runner,
  dest: string,
  options: {
    source: string;
    tarBytes: number;
    weightBytes: number;
  },
): Promise<void>;
/** Appends a line to `count` files spread over the whole tree; `turn` picks others each time. */
export declare function editFiles(
  root: string,
  files: readonly string[],
  edit: {
    count: number;
    turn: number;
  },
): Promise<void>;
/** Rewrites `file` with `bytes` inserted at each of the ascending `offsets`. */
export declare function insertBytes(file: string, offsets: readonly number[], bytes: string): Promise<void>;
