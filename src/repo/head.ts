/**
 * HEAD of a workspace: the snapshot the folder was last at, and the journal entry up to which that is known. A commit
 * that published its entry and died before it moved HEAD is caught up from the journal at the next open.
 */
import type { Disk } from '../disk/disk.ts';
import { readWhole, replaceFile, requireRealFolder } from '../disk/files.ts';
import { describing, SnapError } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import { parseBlobId } from '../object/blob-id.ts';
import type { JournalEntry } from '../object/journal-entry.ts';
import { snapshotRef } from '../object/ref-name.ts';
import { WORKSPACE } from './layout.ts';

/** More than any has: one that is larger is damaged. */
const HEAD_BYTES_MAX = 4096;

export interface Head {
  /** Null before the first commit. */
  readonly snapshot: BlobId | null;
  readonly journalNumber: number;
  /** The hash of that entry; undefined in files of earlier versions. */
  readonly journalHash?: string | undefined;
  /** The file says nothing: what it said is found again from the journal. */
  readonly isDamaged?: true;
}

/** A missing or damaged file is a workspace without commits whose journal is to be read from the start. */
export function readHead(disk: Disk, folder: string): Head {
  const path = `${folder}/${WORKSPACE.head}`;
  const bytes = describing('reading', path, () => readWhole(disk, path, HEAD_BYTES_MAX));
  if (bytes === undefined) return { snapshot: null, journalNumber: 0 };
  const match = /^([0-9a-f]{64}|-) (0|[1-9]\d{0,11})(?: ([0-9a-f]{64}))?\n$/.exec(bytes.toString('latin1'));
  if (match?.[1] === undefined || match[2] === undefined) return { snapshot: null, journalNumber: 0, isDamaged: true };
  return {
    snapshot: match[1] === '-' ? null : parseBlobId(match[1], 'HEAD'),
    journalNumber: Number(match[2]),
    journalHash: match[3],
  };
}

export function writeHead(disk: Disk, folder: string, head: Head, uniqueName: string): void {
  const seen = head.journalHash === undefined ? '' : ` ${head.journalHash}`;
  const text = `${head.snapshot ?? '-'} ${head.journalNumber}${seen}\n`;
  const path = `${folder}/${WORKSPACE.head}`;
  describing('writing', path, () => {
    requireRealFolder(disk, `${folder}/${WORKSPACE.temporary}`);
    replaceFile(disk, path, Buffer.from(text), `${folder}/${WORKSPACE.temporary}/${uniqueName}`);
  });
}

/**
 * Moves HEAD, by `move`, to where the entry that records `what` has it. Throws an error that says that this is recorded:
 * opening the workspace moves HEAD, too.
 */
export function followWithHead(what: string, move: () => void): void {
  try {
    move();
  } catch (error) {
    if (!(error instanceof SnapError)) throw error;
    throw new SnapError('io', `${what} is recorded, but HEAD could not be moved: ${error.message}`, {
      hint: 'Do not run it again: the next command in this folder moves HEAD, once .snap can be written.',
      context: error.context,
      cause: error,
    });
  }
}

/** Where HEAD of a workspace is after an entry: it moved it itself, or a repair wrote its snapshot anew or took it out. */
export function headAfter(snapshot: BlobId | null, entry: JournalEntry, workspaceId: string): BlobId | null {
  if (entry.workspace === workspaceId && entry.head !== null) return entry.head.to;
  if (entry.operation !== 'repair' || snapshot === null) return snapshot;
  const name = snapshotRef(snapshot);
  if (!entry.refs.some((change) => change.name === name && change.to === null)) return snapshot;
  return (entry.grafts[snapshot] ?? null) as BlobId | null;
}
