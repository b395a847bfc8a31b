/**
 * The contract of storage: named immutable bytes. Every driver and every wrapper keeps it and runs the same suite
 * (test/storage/). Names are relative paths of the store (src/repo/layout.ts).
 */

/** In bytes. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/**
 * - Whole or absent: a reader sees all bytes of an object or none.
 * - Durable: when a write returns, it survives power loss; so does what was there already.
 * - Written once: no write replaces an object. `putIfAbsent` is atomic among all processes and hosts.
 * - A missing object is undefined; every other failure throws: `no-space`, `permission`, `io`. An empty list is only
 *   ever an empty folder, never an error in disguise.
 * - `remove` of a missing object is done already.
 */
export interface Backend {
  /** For messages: where this is. */
  readonly location: string;
  /** `length` bytes from `offset` (fewer at the end), or all: of an object beyond 512 MiB, as no record is, no more. */
  get(name: string, range?: ByteRange): Promise<Buffer | undefined>;
  /** Bytes of the object. */
  size(name: string): Promise<number | undefined>;
  /** Creates an object; false if one with this name exists, which stays as it is. After an error it may be there. */
  putIfAbsent(name: string, bytes: Uint8Array): Promise<boolean>;
  /** Takes over a staged file, whole and synced, as an object. Throws `exists` if the name is taken. */
  publish(stagedPath: string, name: string): Promise<void>;
  /** Names of the objects in a folder (below it too), with sizes. */
  list(folder: string): AsyncIterable<StoredObject>;
  remove(name: string): Promise<void>;
  /** A local folder for staging files, on the same file system where that matters. Created if missing. */
  stagingFolder(): string;
  /** The local path of an object where it is a file of this machine: readers in worker threads open it themselves. */
  localPath(name: string): string | undefined;
  /** As `localPath`, for who changes what lies there beside these calls. Throws `refused` if a folder on the way is a link. */
  changeablePath(name: string): string | undefined;
  /** Free bytes for new objects, if known. */
  freeBytes(): number | undefined;
}

export interface StoredObject {
  readonly name: string;
  readonly size: number;
}
