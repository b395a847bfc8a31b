/**
 * Snapshots: one committed state of a workspace, as canonical JSON. SPEC.md "Snapshots".
 */
import type { Json } from '../bytes/canonical-json.ts';
import { decodeCanonicalJson } from '../bytes/canonical-json.ts';
import { encodeReadable, Fields } from '../bytes/fields.ts';
import { SnapError } from '../errors.ts';
import type { BlobId } from './blob-id.ts';
import { parseBlobId } from './blob-id.ts';

const SNAPSHOT_FORMAT = 1;

/** A path that a commit could not store, and why. */
export interface SkippedPath {
  readonly path: string;
  readonly reason: string;
}

export interface Snapshot {
  readonly tree: BlobId;
  readonly parent: BlobId | null;
  /** ISO 8601 with milliseconds and the zone of the machine that made it. */
  readonly time: string;
  readonly message: string;
  /** `autosave`: made by snap before it changed the folder. */
  readonly origin: 'commit' | 'autosave';
  readonly host: string;
  readonly user: string;
  readonly workspace: { readonly id: string; readonly name: string };
  /** Metadata of the workspace folder itself. */
  readonly folder: { readonly mode: number; readonly uid: number; readonly gid: number; readonly mtime: string };
  readonly totals: {
    readonly files: number;
    readonly folders: number;
    readonly others: number;
    readonly bytes: number;
  };
  /** Files against the parent, and the bytes that were new to the store: before and after compression. */
  readonly changes: {
    readonly added: number;
    readonly changed: number;
    readonly removed: number;
    readonly newBytes: number;
    readonly storedBytes: number;
  };
  /** Paths left out because they could not be read or stored. */
  readonly skipped: readonly SkippedPath[];
  /** Paths that changed while they were read. */
  readonly unsteady: readonly string[];
  readonly git: { readonly commit: string; readonly branch: string | null } | null;
  readonly meta: Readonly<Record<string, string>>;
  readonly program: string;
}

/** Throws `internal` for what `decodeSnapshot` would not take. */
export function encodeSnapshot(snapshot: Snapshot): Buffer {
  const value = {
    changes: { ...snapshot.changes },
    folder: { ...snapshot.folder },
    format: SNAPSHOT_FORMAT,
    git: snapshot.git === null ? null : { ...snapshot.git },
    host: snapshot.host,
    message: snapshot.message,
    meta: { ...snapshot.meta },
    origin: snapshot.origin,
    parent: snapshot.parent,
    program: snapshot.program,
    skipped: snapshot.skipped.map((skipped) => ({ path: skipped.path, reason: skipped.reason })),
    time: snapshot.time,
    totals: { ...snapshot.totals },
    tree: snapshot.tree,
    unsteady: [...snapshot.unsteady],
    user: snapshot.user,
    workspace: { ...snapshot.workspace },
  };
  return encodeReadable(value, decodeSnapshot);
}

/** Decodes a snapshot blob. Throws `corrupt-data`, or `unsupported-format` for another format or unknown fields. */
export function decodeSnapshot(bytes: Uint8Array): Snapshot {
  const fields = new Fields(decodeCanonicalJson(bytes, 'snapshot'), 'snapshot');
  const format = fields.count('format');
  if (format !== SNAPSHOT_FORMAT)
    throw new SnapError('unsupported-format', `a snapshot has the unknown format ${format}`, {
      hint: 'It was written by a newer version of snap; update this one.',
    });
  const parent = fields.textOrNull('parent');
  const origin = fields.text('origin');
  if (origin !== 'commit' && origin !== 'autosave') fields.fail('origin');
  const snapshot: Snapshot = {
    tree: parseBlobId(fields.text('tree'), 'snapshot'),
    parent: parent === null ? null : parseBlobId(parent, 'snapshot'),
    time: fields.time('time'),
    message: fields.text('message'),
    origin: origin === 'autosave' ? 'autosave' : 'commit',
    host: fields.text('host'),
    user: fields.text('user'),
    workspace: readWorkspace(fields.fields('workspace')),
    folder: readFolder(fields.fields('folder')),
    totals: readTotals(fields.fields('totals')),
    changes: readChanges(fields.fields('changes')),
    skipped: fields.list('skipped').map(readSkipped),
    unsteady: fields.texts('unsteady'),
    git: readGit(fields),
    meta: fields.textMap('meta'),
    program: fields.text('program'),
  };
  fields.done();
  return snapshot;
}

function readWorkspace(fields: Fields): Snapshot['workspace'] {
  const workspace = { id: fields.randomId('id'), name: fields.text('name') };
  fields.done();
  return workspace;
}

function readFolder(fields: Fields): Snapshot['folder'] {
  const folder = {
    mode: fields.count('mode'),
    uid: fields.count('uid'),
    gid: fields.count('gid'),
    mtime: fields.text('mtime'),
  };
  if (!/^-?\d{1,19}$/.test(folder.mtime)) fields.fail('mtime');
  fields.done();
  return folder;
}

function readTotals(fields: Fields): Snapshot['totals'] {
  const totals = {
    files: fields.count('files'),
    folders: fields.count('folders'),
    others: fields.count('others'),
    bytes: fields.count('bytes'),
  };
  fields.done();
  return totals;
}

function readChanges(fields: Fields): Snapshot['changes'] {
  const changes = {
    added: fields.count('added'),
    changed: fields.count('changed'),
    removed: fields.count('removed'),
    newBytes: fields.count('newBytes'),
    storedBytes: fields.count('storedBytes'),
  };
  fields.done();
  return changes;
}

function readSkipped(value: Json): SkippedPath {
  const fields = new Fields(value, 'snapshot skipped');
  const skipped = { path: fields.text('path'), reason: fields.text('reason') };
  fields.done();
  return skipped;
}

function readGit(fields: Fields): Snapshot['git'] {
  if (fields.isNull('git')) return null;
  const inner = fields.fields('git');
  const git = { commit: inner.text('commit'), branch: inner.textOrNull('branch') };
  inner.done();
  return git;
}
