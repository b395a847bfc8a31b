/**
 * What the index remembers of the folder from the scan just before a checkout: to tell whether an entry is still the
 * one that was saved, and to write the records of the folders that the checkout changed, so that the next commit reads
 * only what really changed since.
 */
import { errnoOf, hasCode } from '../errors.ts';
import type { FolderRecord, FolderTotals } from '../index/folder-record.ts';
import { decodeFolderRecord, encodeFolderRecord } from '../index/folder-record.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import type { Repository } from '../repo/repository.ts';
import type { Listing } from '../scan/listing.ts';
import {
  isIgnoredAt,
  kindAt,
  listFolder,
  markIgnored,
  readStat,
  sameStatAt,
  smudge,
  smudgeRacy,
} from '../scan/listing.ts';
import type { Expected } from '../work/write-files.ts';
import type { ApplyResult } from './apply-options.ts';
import type { Target } from './target.ts';

interface Remembered {
  readonly record: FolderRecord;
  readonly positions: ReadonlyMap<string, number>;
}

export class SeenFolders {
  readonly #repository: Repository;
  readonly #folders = new Map<string, Remembered | undefined>();

  constructor(repository: Repository) {
    this.#repository = repository;
  }

  /** Size, mtime and inode that the last scan saw at `path`; null if it saw nothing there, or nobody knows. */
  expected(path: string): Expected {
    const slash = path.lastIndexOf('/');
    const remembered = this.folder(slash < 0 ? '' : path.slice(0, slash));
    const position = remembered?.positions.get(path.slice(slash + 1));
    if (remembered === undefined || position === undefined) return null;
    const seen = readStat(remembered.record.stats, position);
    // Of a device the record has its number there; its size is 0.
    const isDevice = seen.kind === ENTRY_KIND.charDevice || seen.kind === ENTRY_KIND.blockDevice;
    return [isDevice ? 0n : BigInt(seen.size), seen.mtime, BigInt.asUintN(64, seen.inode)];
  }

  folder(path: string): Remembered | undefined {
    if (this.#folders.has(path)) return this.#folders.get(path);
    const bytes = this.#repository.index.folderRecord(path);
    const record = bytes === undefined ? undefined : decodeFolderRecord(bytes);
    const remembered =
      record === undefined
        ? undefined
        : { record, positions: new Map(record.names.split('/').map((name, position) => [name, position])) };
    if (this.#folders.size > 4096) this.#folders.clear();
    this.#folders.set(path, remembered);
    return remembered;
  }
}

/** The records of the folders that a checkout changed, for the tree that each has now. */
export async function recordsAfter(
  repository: Repository,
  target: Target,
  seen: SeenFolders,
  result: ApplyResult,
): Promise<{ path: string; record: Uint8Array }[]> {
  const records: { path: string; record: Uint8Array }[] = [];
  const totals = new Map<string, FolderTotals>();
  // What the plan wanted changed and was not: the same stat as before says nothing about the new tree.
  const left = new Set([...result.kept, ...result.notMade, ...result.failures.map((failure) => failure.path)]);
  // Those in a folder come before it, as the plan has them.
  for (const { path, tree } of result.folders) {
    const made = await recordOf(repository, target, seen, result, left, totals, path, tree);
    if (made !== undefined) records.push({ path, record: made });
  }
  return records;
}

async function recordOf(
  repository: Repository,
  target: Target,
  seen: SeenFolders,
  result: ApplyResult,
  left: ReadonlySet<string>,
  totals: Map<string, FolderTotals>,
  path: string,
  tree: BlobId,
): Promise<Uint8Array | undefined> {
  const before = seen.folder(path);
  const digest = before?.record.rulesDigest ?? seen.folder(parentOf(path))?.record.rulesDigest;
  const scannedNs = BigInt(repository.environment.now().getTime()) * 1_000_000n;
  const entries = new Map((await repository.trees.folder(tree)).map((entry) => [entry.name, entry]));
  const sum = sumOf(seen, totals, path, entries.values());
  if (digest === undefined || sum === undefined) return undefined;
  totals.set(path, sum);
  const listing = listingAt(repository, target, path);
  if (listing === undefined) return undefined;
  // What could not be made is not there: a record would say that the folder is the tree.
  const names = new Set(listing.names);
  if ([...entries.keys()].some((name) => !names.has(name))) return undefined;
  const folderTrees: BlobId[] = [];
  for (const [position, name] of listing.names.entries()) {
    const entry = entries.get(name);
    const old = before?.positions.get(name);
    if (entry === undefined) {
      if (old !== undefined && before !== undefined && isIgnoredAt(before.record.stats, old))
        markIgnored(listing.stats, position);
      else return undefined;
      continue;
    }
    if (entry.kind === ENTRY_KIND.folder) {
      if (kindAt(listing.stats, position) !== ENTRY_KIND.folder) return undefined;
      folderTrees.push(entry.tree);
      continue;
    }
    const entryPath = path === '' ? name : `${path}/${name}`;
    const ours = result.stats.get(entryPath);
    const now = readStat(listing.stats, position);
    const isOurs =
      ours !== undefined &&
      BigInt(now.size) === ours[0] &&
      now.mtime === ours[1] &&
      now.ctime === ours[2] &&
      now.inode === ours[3];
    const unchanged =
      old !== undefined &&
      before !== undefined &&
      ours === undefined &&
      !left.has(entryPath) &&
      sameStatAt(listing.stats, position, before.record.stats, old);
    if (!isOurs && !unchanged) smudge(listing.stats, position);
  }
  if (result.stats.size === 0) smudgeRacy(listing.stats, scannedNs);
  return encodeFolderRecord({
    rulesDigest: digest,
    tree,
    totals: sum,
    stats: listing.stats,
    names: listing.names.join('/'),
    folderTrees,
  });
}

/** Undefined for a folder that is not there: what kept the checkout from making it has been reported. */
function listingAt({ environment }: Repository, target: Target, path: string): Listing | undefined {
  try {
    // The folder's own descriptor: a deep one is not looked up from the top.
    return listFolder(environment.disk, target.at(`${path}/.`));
  } catch (error) {
    if (errnoOf(error) === undefined && !hasCode(error, 'refused')) throw error;
    return undefined;
  }
}

/** Undefined if the totals of a subfolder are not known: then there is no record, and the next scan counts. */
function sumOf(
  seen: SeenFolders,
  totals: ReadonlyMap<string, FolderTotals>,
  path: string,
  entries: Iterable<TreeEntry>,
): FolderTotals | undefined {
  const sum = { files: 0, folders: 0, others: 0, bytes: 0 };
  for (const entry of entries) {
    if (entry.kind === ENTRY_KIND.file) {
      sum.files++;
      sum.bytes += entry.size;
    } else if (entry.kind !== ENTRY_KIND.folder) sum.others++;
    else {
      const child = path === '' ? entry.name : `${path}/${entry.name}`;
      const record = seen.folder(child)?.record;
      const inside = totals.get(child) ?? (record?.tree === entry.tree ? record.totals : undefined);
      if (inside === undefined) return undefined;
      sum.files += inside.files;
      sum.folders += inside.folders + 1;
      sum.others += inside.others;
      sum.bytes += inside.bytes;
    }
  }
  return sum;
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}
