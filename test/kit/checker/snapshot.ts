/**
 * A snapshot and a folder as the same kind of map, from path to what is there, and what differs between two such maps.
 * `readSnapshot` takes the store by SPEC.md alone and throws `Unsound` at the first thing that is not as it must be.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { must } from './bytes.ts';
import { Store } from './store.ts';
import { chunksOf, walkTree } from './walk.ts';

export interface SnapshotEntry {
  readonly kind: (typeof KINDS)[number];
  /** The twelve permission bits. */
  readonly mode: number;
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
  readonly uid: number;
  readonly gid: number;
  /** Of a file: its bytes and their SHA-256, in hex. */
  readonly size: number | undefined;
  readonly sha256: string | undefined;
  /** Of a symbolic link: bytes as latin1. */
  readonly target: string | undefined;
  /** Equal for names of one file. */
  readonly linkKey: string | undefined;
}

/** Keys are path bytes as latin1, such as `src/a.txt`; sorted by bytes within a folder. */
export type Entries = Map<string, SnapshotEntry>;

const KINDS = ['file', 'folder', 'link', 'fifo', 'character device', 'block device', 'socket'] as const;

export function readSnapshot(storeFolder: string, id: string): Entries {
  return snapshotOf(new Store(storeFolder), id);
}

/** Of a store that is open already: for many snapshots of one store. */
export function snapshotOf(store: Store, id: string): Entries {
  must(store.state.refs.get(`snapshots/${id}`) === id, `no snapshot ${id}`);
  const entries: Entries = new Map();
  for (const { path, entry } of walkTree(store, store.snapshot(id).tree)) {
    const { mode, mtime, uid, gid, target, linkKey } = entry;
    const kind = KINDS[entry.kind - 1];
    must(kind !== undefined && !entries.has(path), `twice in one snapshot: ${path}`);
    const base = { kind, mode, mtime, uid, gid, target, linkKey, size: undefined, sha256: undefined };
    if (kind !== 'file') {
      entries.set(path, base);
      continue;
    }
    const hash = createHash('sha256');
    let size = 0;
    for (const chunk of chunksOf(store, entry)) {
      hash.update(store.chunk(chunk));
      size += chunk.length;
    }
    must(size === entry.size, `a file of another size: ${path}`);
    entries.set(path, { ...base, size, sha256: hash.digest('hex') });
  }
  return entries;
}

/** Paths of the files that can be read although the store is damaged. */
export function readableFiles(storeFolder: string, id: string): Set<string> {
  const paths = new Set<string>();
  const attempt = (_where: string, work: () => void): boolean => {
    try {
      work();
      return true;
    } catch {
      return false;
    }
  };
  const store = new Store(storeFolder, attempt);
  attempt(id, () => {
    for (const { path, entry } of walkTree(store, store.snapshot(id).tree, () => undefined)) {
      if (entry.kind !== 1) continue;
      const read = (): void => [...chunksOf(store, entry)].forEach((chunk) => void store.chunk(chunk));
      if (attempt(path, read)) paths.add(path);
    }
  });
  return paths;
}

/** The same of a folder on disk; `.snap` at its top is left out. */
export function readFolder(root: string): Entries {
  const entries: Entries = new Map();
  const visit = (folder: Buffer, prefix: string): void => {
    for (const name of fs.readdirSync(folder, { encoding: 'buffer' }).sort(Buffer.compare)) {
      if (prefix === '' && name.toString() === '.snap') continue;
      const at = Buffer.concat([folder, Buffer.from('/'), name]);
      const path = prefix + name.toString('latin1');
      const found = readEntry(at);
      entries.set(path, found);
      if (found.kind === 'folder') visit(at, `${path}/`);
    }
  };
  visit(Buffer.from(root), '');
  return entries;
}

function readEntry(path: Buffer): SnapshotEntry {
  const stat = fs.lstatSync(path, { bigint: true });
  const kind = KINDS[[0o10, 0o04, 0o12, 0o01, 0o02, 0o06, 0o14].indexOf(Number(stat.mode >> 12n))];
  must(kind !== undefined, `an entry of an unknown kind: ${path}`);
  const isFile = kind === 'file';
  return {
    kind,
    mode: Number(stat.mode & 0o7777n),
    mtime: stat.mtimeNs,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: isFile ? Number(stat.size) : undefined,
    sha256: isFile ? createHash('sha256').update(fs.readFileSync(path)).digest('hex') : undefined,
    target: kind === 'link' ? fs.readlinkSync(path, 'buffer').toString('latin1') : undefined,
    linkKey: isFile && stat.nlink > 1n ? `inode ${stat.dev}:${stat.ino}` : undefined,
  };
}

export interface Compared {
  /** Do not compare the times of folders: for a folder that was worked in after the snapshot. */
  readonly folderTimes?: boolean;
  /** Do not compare which files are one: for folders with links to the outside. */
  readonly hardLinks?: boolean;
  /** Leave out FIFOs, devices and sockets, which a checkout does not make. */
  readonly specials?: boolean;
}

/**
 * What differs, one line each; empty if nothing does. Times are equal within a microsecond (SPEC.md "Trees"), owners are
 * not compared, and the mode and time of a symbolic link neither: what a system makes of them is its own affair.
 */
export function differences(expected: Entries, found: Entries, options: Compared = {}): string[] {
  const isCompared = ({ kind }: SnapshotEntry): boolean =>
    (options.specials ?? true) || ['file', 'folder', 'link'].includes(kind);
  const lines: string[] = [];
  const twins = new Map<string, string>();
  for (const [path, entry] of expected) {
    if (!isCompared(entry)) continue;
    const other = found.get(path);
    if (other === undefined) lines.push(`${path}: missing`);
    else lines.push(...entryDifferences(path, entry, other, options, twins));
  }
  for (const [path, entry] of found) if (isCompared(entry) && !expected.has(path)) lines.push(`${path}: not expected`);
  return lines;
}

function entryDifferences(
  path: string,
  a: SnapshotEntry,
  b: SnapshotEntry,
  options: Compared,
  twins: Map<string, string>,
): string[] {
  const lines: string[] = [];
  for (const field of ['kind', 'mode', 'size', 'sha256', 'target'] as const) {
    if (field === 'mode' && a.kind === 'link') continue;
    if (a[field] !== b[field]) lines.push(`${path}: ${field} is ${b[field]} instead of ${a[field]}`);
  }
  const apart = a.mtime > b.mtime ? a.mtime - b.mtime : b.mtime - a.mtime;
  const isTimeCompared = a.kind !== 'link' && ((options.folderTimes ?? true) || a.kind !== 'folder');
  if (isTimeCompared && apart >= 1000n) lines.push(`${path}: mtime is ${b.mtime} instead of ${a.mtime}`);
  if ((options.hardLinks ?? true) && a.linkKey !== undefined) {
    // Names that are one file must be one file on the other side as well.
    const twin = twins.get(a.linkKey);
    const own = b.linkKey ?? `alone: ${path}`;
    if (twin !== undefined && twin !== own) lines.push(`${path}: no name of the file that it was`);
    twins.set(a.linkKey, twin ?? own);
  }
  return lines;
}
