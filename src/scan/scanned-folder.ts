/** One folder while it is scanned, and how its paths are joined. */
import type { FolderRecord } from '../index/folder-record.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { TreeEntry } from '../object/tree-entry.ts';
import type { IgnoreRules } from './ignore-rules.ts';
import type { Listing } from './listing.ts';

export interface ScannedFolder {
  readonly path: string;
  readonly rules: IgnoreRules;
  readonly base: BlobId | undefined;
  readonly listing: Listing;
  readonly record: FolderRecord | undefined;
  readonly scannedNs: bigint;
}

/** An entry of a folder: there, absent, or still being read. */
export type Slot = TreeEntry | undefined | Promise<TreeEntry | undefined>;

/** The path of an entry, from the workspace. */
export function join(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

/** The path of an entry for the file system. */
export function absolute(root: string, path: string): string {
  return path === '' ? root : `${root}/${path}`;
}
