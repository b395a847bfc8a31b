/**
 * Folder records: what the index remembers of each folder as the last commit saw it, so that the next one reads only
 * what changed. Machine-private (inode, ctime). A record is good only for the very tree that the last snapshot has at
 * its path, and an entry whose stat could have changed within the clock's grain is remembered as changed.
 * SPEC.md "Folder records".
 */
import { decodeName, encodeName } from '../bytes/names.ts';
import type { BlobId } from '../object/blob-id.ts';

const RECORD_VERSION = 1;
/** kind:u8 zero:u8 mode:u16 links:u32 uid:u32 gid:u32 size:i64 mtime:i64 ctime:i64 inode:u64 */
export const STAT_BYTES = 48;
export const CTIME_OFFSET = 32;
/** Set in `kind` for entries that ignore rules leave out; their other fields are zero. */
export const IGNORED_BIT = 0x80;
const HEADER_BYTES = 1 + 8 + 32 + 32 + 4;

/** What is below a folder, itself not counted. */
export interface FolderTotals {
  readonly files: number;
  readonly folders: number;
  readonly others: number;
  readonly bytes: number;
}

export interface FolderRecord {
  /** Of the ignore rules under which it was made: 16 hex digits. */
  readonly rulesDigest: string;
  readonly tree: BlobId;
  readonly totals: FolderTotals;
  /** STAT_BYTES for each name. */
  readonly stats: Buffer;
  /** Names joined by "/", sorted by bytes. */
  readonly names: string;
  /** The trees of the entries that are folders and not ignored, in order. */
  readonly folderTrees: readonly BlobId[];
}

export function encodeFolderRecord(record: FolderRecord): Buffer {
  const names = encodeName(record.names);
  const trees = Buffer.from(record.folderTrees.join(''), 'hex');
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + record.stats.length + 4 + trees.length + names.length);
  bytes.writeUInt8(RECORD_VERSION, 0);
  bytes.write(record.rulesDigest, 1, 'hex');
  bytes.write(record.tree, 9, 'hex');
  bytes.writeDoubleLE(record.totals.files, 41);
  bytes.writeDoubleLE(record.totals.folders, 49);
  bytes.writeDoubleLE(record.totals.others, 57);
  bytes.writeDoubleLE(record.totals.bytes, 65);
  bytes.writeUInt32LE(record.stats.length / STAT_BYTES, 73);
  let offset = HEADER_BYTES;
  offset += record.stats.copy(bytes, offset);
  offset = bytes.writeUInt32LE(record.folderTrees.length, offset);
  offset += trees.copy(bytes, offset);
  names.copy(bytes, offset);
  return bytes;
}

/** Undefined for bytes of another version or shape: the folder is then read afresh. */
export function decodeFolderRecord(bytes: Buffer): FolderRecord | undefined {
  if (bytes.length < HEADER_BYTES + 4 || bytes.readUInt8(0) !== RECORD_VERSION) return undefined;
  const count = bytes.readUInt32LE(73);
  const statsEnd = HEADER_BYTES + count * STAT_BYTES;
  if (statsEnd + 4 > bytes.length) return undefined;
  const treeCount = bytes.readUInt32LE(statsEnd);
  const treesEnd = statsEnd + 4 + treeCount * 32;
  if (treesEnd > bytes.length) return undefined;
  const folderTrees: BlobId[] = [];
  for (let offset = statsEnd + 4; offset < treesEnd; offset += 32)
    folderTrees.push(bytes.toString('hex', offset, offset + 32) as BlobId);
  return {
    rulesDigest: bytes.toString('hex', 1, 9),
    tree: bytes.toString('hex', 9, 41) as BlobId,
    totals: {
      files: bytes.readDoubleLE(41),
      folders: bytes.readDoubleLE(49),
      others: bytes.readDoubleLE(57),
      bytes: bytes.readDoubleLE(65),
    },
    stats: bytes.subarray(HEADER_BYTES, statsEnd),
    names: decodeName(bytes.subarray(treesEnd)),
    folderTrees,
  };
}
