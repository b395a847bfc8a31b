/**
 * One folder as the file system shows it now, in the form of a folder record: names sorted by bytes and a packed stat
 * for each. Two listings are the same folder state if names and stats are equal, byte for byte.
 */
import { clampInt64, INT64_MAX } from '../bytes/int64.ts';
import { compareNames } from '../bytes/names.ts';
import type { Disk, FileStat } from '../disk/disk.ts';
import { errnoOf } from '../errors.ts';
import { CTIME_OFFSET, IGNORED_BIT, STAT_BYTES } from '../index/folder-record.ts';
import type { EntryKind } from '../object/tree-entry.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';

export interface Listing {
  readonly names: readonly string[];
  readonly stats: Buffer;
  /** Device and inode of files with several names, by position. */
  readonly linked: ReadonlyMap<number, string>;
  /** Positions of files that occupy less space than their size. */
  readonly sparse: ReadonlySet<number>;
  /** Entries that could not even be looked at. */
  readonly failed: readonly { readonly name: string; readonly reason: string }[];
}

/** How long after a change another one may leave the same times: one tick of the kernel's clock, doubled. */
const RACY_NS = 20_000_000n;
/** Where times come in whole seconds or coarser, as on FAT. */
const RACY_COARSE_NS = 2_000_000_000n;
/** Smaller gaps come from compression and from data kept in inodes. */
const SPARSE_BYTES_MIN = 32_768n;

/** Lists a folder. Names that vanish between listing and looking are left out. */
export function listFolder(disk: Disk, path: string): Listing {
  const sorted = disk.list(path).sort(compareNames);
  const names: string[] = [];
  const stats = Buffer.alloc(sorted.length * STAT_BYTES);
  const linked = new Map<number, string>();
  const sparse = new Set<number>();
  const failed: { name: string; reason: string }[] = [];
  const prefix = path === '/' ? '/' : `${path}/`;
  for (const name of sorted) {
    let stat: FileStat | undefined;
    try {
      stat = disk.lstat(prefix + name);
    } catch (error) {
      const errno = errnoOf(error);
      // Without the right to enter the folder none can be looked at: that is said once, of the folder.
      if (errno === undefined || errno === 'EACCES') throw error;
      failed.push({ name, reason: errno });
    }
    if (stat === undefined) continue;
    const position = names.push(name) - 1;
    writeStat(stats, position, stat);
    if (!stat.isFile()) continue;
    if (stat.nlink > 1n) linked.set(position, `${stat.dev}:${stat.ino}`);
    if (stat.blocks * 512n + SPARSE_BYTES_MIN <= stat.size) sparse.add(position);
  }
  return { names, stats: stats.subarray(0, names.length * STAT_BYTES), linked, sparse, failed };
}

/** Packs one stat. Of folders only what trees keep: their size, links, ctime and inode change by themselves. */
export function writeStat(stats: Buffer, position: number, stat: FileStat): void {
  const at = position * STAT_BYTES;
  const kind = kindOf(stat);
  const folder = kind === ENTRY_KIND.folder;
  stats.writeUInt8(kind, at);
  stats.writeUInt16LE(Number(stat.mode & 0o7777n), at + 2);
  stats.writeUInt32LE(folder ? 0 : Number(stat.nlink & 0xffffffffn), at + 4);
  stats.writeUInt32LE(Number(stat.uid & 0xffffffffn), at + 8);
  stats.writeUInt32LE(Number(stat.gid & 0xffffffffn), at + 12);
  if (kind === ENTRY_KIND.charDevice || kind === ENTRY_KIND.blockDevice)
    stats.writeBigInt64LE(clampInt64(stat.rdev), at + 16);
  else stats.writeBigInt64LE(folder ? 0n : clampInt64(stat.size), at + 16);
  stats.writeBigInt64LE(clampInt64(stat.mtimeNs), at + 24);
  stats.writeBigInt64LE(folder ? 0n : clampInt64(stat.ctimeNs), at + CTIME_OFFSET);
  stats.writeBigUInt64LE(folder ? 0n : BigInt.asUintN(64, stat.ino), at + 40);
}

/** What the packed stat says; the number fields of a regular entry. */
export interface ListedStat {
  readonly kind: EntryKind;
  readonly ignored: boolean;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes; for devices their number. */
  readonly size: number;
  readonly mtime: bigint;
  readonly ctime: bigint;
  readonly inode: bigint;
}

export function readStat(stats: Buffer, position: number): ListedStat {
  const at = position * STAT_BYTES;
  const kind = stats.readUInt8(at);
  return {
    kind: (kind & ~IGNORED_BIT) as EntryKind,
    ignored: (kind & IGNORED_BIT) !== 0,
    mode: stats.readUInt16LE(at + 2),
    uid: stats.readUInt32LE(at + 8),
    gid: stats.readUInt32LE(at + 12),
    size: Number(stats.readBigInt64LE(at + 16)),
    mtime: stats.readBigInt64LE(at + 24),
    ctime: stats.readBigInt64LE(at + CTIME_OFFSET),
    inode: stats.readBigInt64LE(at + 40),
  };
}

/** Notes an entry as left out by ignore rules: only its kind stays. */
export function markIgnored(stats: Buffer, position: number): void {
  const at = position * STAT_BYTES;
  const kind = stats.readUInt8(at);
  stats.fill(0, at, at + STAT_BYTES);
  stats.writeUInt8(kind | IGNORED_BIT, at);
}

export function kindAt(stats: Buffer, position: number): number {
  return stats.readUInt8(position * STAT_BYTES) & ~IGNORED_BIT;
}

/** Bytes of a file. */
export function sizeAt(stats: Buffer, position: number): number {
  return Number(stats.readBigInt64LE(numbersOffset(position)));
}

/** Size, mtime, ctime and inode. */
export const NUMBERS_BYTES = 32;

/** Where size, mtime, ctime and inode of an entry begin. */
export function numbersOffset(position: number): number {
  return position * STAT_BYTES + 16;
}

export function isIgnoredAt(stats: Buffer, position: number): boolean {
  return (stats.readUInt8(position * STAT_BYTES) & IGNORED_BIT) !== 0;
}

/** True if two packed stats are the same, byte for byte. */
export function sameStatAt(a: Buffer, positionA: number, b: Buffer, positionB: number): boolean {
  return (
    a.compare(
      b,
      positionB * STAT_BYTES,
      (positionB + 1) * STAT_BYTES,
      positionA * STAT_BYTES,
      (positionA + 1) * STAT_BYTES,
    ) === 0
  );
}

/** Makes the stat of an entry equal to none that can be seen, so that it is read again next time. */
export function smudge(stats: Buffer, position: number): void {
  stats.writeBigInt64LE(INT64_MAX, position * STAT_BYTES + CTIME_OFFSET);
}

/** Smudges the entries that may change once more without a new time: those changed just before `scannedNs`. */
export function smudgeRacy(stats: Buffer, scannedNs: bigint): void {
  for (let position = 0; position * STAT_BYTES < stats.length; position++) {
    const kind = stats.readUInt8(position * STAT_BYTES);
    if (kind !== ENTRY_KIND.file && kind !== ENTRY_KIND.symlink) continue;
    const ctime = stats.readBigInt64LE(position * STAT_BYTES + CTIME_OFFSET);
    const grain = ctime % 1_000_000_000n === 0n ? RACY_COARSE_NS : RACY_NS;
    if (ctime >= scannedNs - grain) smudge(stats, position);
  }
}

/** Puts the numbers of a later look (size, mtime, ctime, inode) in the place of those of the listing. */
export function updateStat(stats: Buffer, position: number, numbers: BigInt64Array): void {
  const at = position * STAT_BYTES;
  stats.writeBigInt64LE(clampInt64(numbers[0] ?? 0n), at + 16);
  stats.writeBigInt64LE(clampInt64(numbers[1] ?? 0n), at + 24);
  stats.writeBigInt64LE(clampInt64(numbers[2] ?? 0n), at + CTIME_OFFSET);
  stats.writeBigInt64LE(BigInt.asIntN(64, numbers[3] ?? 0n), at + 40);
}

function kindOf(stat: FileStat): EntryKind {
  if (stat.isFile()) return ENTRY_KIND.file;
  if (stat.isDirectory()) return ENTRY_KIND.folder;
  if (stat.isSymbolicLink()) return ENTRY_KIND.symlink;
  if (stat.isFIFO()) return ENTRY_KIND.fifo;
  if (stat.isCharacterDevice()) return ENTRY_KIND.charDevice;
  if (stat.isBlockDevice()) return ENTRY_KIND.blockDevice;
  return ENTRY_KIND.socket;
}
