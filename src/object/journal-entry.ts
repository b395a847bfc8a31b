/**
 * Journal entries: each is one change of a store's state, numbered from 1 and chained by the SHA-256 of the entry
 * before. Written once, as canonical JSON. SPEC.md "Journal".
 */
import type { Json } from '../bytes/canonical-json.ts';
import { decodeCanonicalJson } from '../bytes/canonical-json.ts';
import { encodeReadable, Fields } from '../bytes/fields.ts';
import { hasCode, SnapError } from '../errors.ts';
import type { BlobId } from './blob-id.ts';
import { blobIdOf, parseBlobId } from './blob-id.ts';
import type { PackId } from './pack-id.ts';
import { PACK_BYTES_MAX, parsePackId } from './pack-id.ts';
import type { RefName } from './ref-name.ts';
import { parseRefName, snapshotOfRef } from './ref-name.ts';

const JOURNAL_FORMAT = 1;

const OPERATIONS = ['init', 'commit', 'checkout', 'tag', 'prune', 'condemn', 'sweep', 'repair', 'undo'] as const;
export type Operation = (typeof OPERATIONS)[number];

/** A ref before and after; null is "not there". The entry thus names its inverse. */
export interface RefChange {
  readonly name: RefName;
  readonly from: BlobId | null;
  readonly to: BlobId | null;
}

export interface PackRecord {
  readonly id: PackId;
  /** Bytes of the whole file and their SHA-256. */
  readonly size: number;
  readonly sha256: string;
  readonly blobs: number;
}

export interface JournalEntry {
  readonly number: number;
  /** SHA-256 of the bytes of entry `number - 1`; null for the first. */
  readonly previous: string | null;
  readonly operation: Operation;
  /** One line for people: what was done. */
  readonly note: string;
  /** Unique per attempt: tells whether an entry whose write had an unclear result is ours. */
  readonly writer: string;
  readonly time: string;
  readonly host: string;
  readonly user: string;
  /** The workspace that did it, and where its HEAD went, if it moved. */
  readonly workspace: string | null;
  readonly head: { readonly from: BlobId | null; readonly to: BlobId | null } | null;
  readonly refs: readonly RefChange[];
  /** For pruned snapshots: their parents, so that ancestry can step over them. */
  readonly grafts: Readonly<Record<string, string>>;
  readonly packs: readonly PackRecord[];
  readonly condemned: readonly PackId[];
  readonly swept: readonly PackId[];
  /** The number of the entry that this one takes back, for `undo`. */
  readonly undoes: number | null;
  readonly program: string;
}

/**
 * With a hash of its own in front: nobody else may know the newest entry yet. Throws `internal` for what
 * `decodeJournalEntry` would not take.
 */
export function encodeJournalEntry(entry: JournalEntry): Buffer {
  const value = {
    condemned: [...entry.condemned],
    format: JOURNAL_FORMAT,
    grafts: { ...entry.grafts },
    head: entry.head === null ? null : { ...entry.head },
    host: entry.host,
    note: entry.note,
    number: entry.number,
    operation: entry.operation,
    packs: entry.packs.map((pack) => ({ ...pack })),
    previous: entry.previous,
    program: entry.program,
    refs: entry.refs.map((change) => ({ ...change })),
    swept: [...entry.swept],
    time: entry.time,
    undoes: entry.undoes,
    user: entry.user,
    workspace: entry.workspace,
    writer: entry.writer,
  };
  const fields = encodeReadable(value, (bytes) => decodeJournalEntry(bytes, entry.number));
  return Buffer.concat([Buffer.from(checkField(blobIdOf(fields))), fields.subarray(1)]);
}

/** How an entry begins, `check` being the first of its fields. */
function checkField(check: string): string {
  return `{"check":"${check}",`;
}

/** Throws `corrupt-data` unless `check` is the hash of the entry without it. */
function requireCheck(bytes: Uint8Array, check: string, what: string): void {
  const others = Buffer.concat([Buffer.from('{'), bytes.subarray(checkField(check).length)]);
  if (blobIdOf(others) === check) return;
  throw new SnapError('corrupt-data', `damaged ${what}: its bytes are not those that were written`);
}

/** The hash that the next entry carries as `previous`. */
export function journalEntryHash(bytes: Uint8Array): string {
  return blobIdOf(bytes);
}

/** Decodes entry `number`. Throws `corrupt-data` or `unsupported-format`. */
export function decodeJournalEntry(bytes: Uint8Array, number: number): JournalEntry {
  const what = `journal entry ${number}`;
  const fields = new Fields(decodeCanonicalJson(bytes, what), what);
  const isChecked = fields.has('check');
  if (isChecked) requireCheck(bytes, fields.matching('check', /^[0-9a-f]{64}$/), what);
  try {
    return readFields(fields, number, what);
  } catch (error) {
    // Early versions, which wrote no `check`, wrote nothing that is unknown now; later ones write it.
    if (isChecked || !hasCode(error, 'unsupported-format')) throw error;
    throw new SnapError('corrupt-data', `damaged ${what}: ${error.message}, and no hash of its own`, { cause: error });
  }
}

function readFields(fields: Fields, number: number, what: string): JournalEntry {
  const format = fields.count('format');
  if (format !== JOURNAL_FORMAT)
    throw new SnapError('unsupported-format', `${what} has the unknown format ${format}`, {
      hint: 'It was written by a newer version of snap; update this one.',
    });
  if (fields.count('number') !== number) fields.fail('number');
  const name = fields.text('operation');
  const operation = OPERATIONS.find((known) => known === name);
  if (operation === undefined)
    throw new SnapError('unsupported-format', `${what} has the unknown operation "${name}"`, {
      hint: 'It was written by a newer version of snap; update this one.',
    });
  const entry: JournalEntry = {
    number,
    previous: idOrNull(fields.textOrNull('previous'), what),
    operation,
    note: fields.text('note'),
    writer: fields.randomId('writer'),
    time: fields.time('time'),
    host: fields.text('host'),
    user: fields.text('user'),
    workspace: fields.isNull('workspace') ? null : fields.randomId('workspace'),
    head: fields.isNull('head') ? null : readHead(fields.fields('head'), what),
    refs: fields.list('refs').map((value) => readRefChange(value, what)),
    grafts: readGrafts(fields, what),
    packs: fields.list('packs').map((value) => readPack(value, what)),
    condemned: fields.texts('condemned').map((id) => parsePackId(id, what)),
    swept: fields.texts('swept').map((id) => parsePackId(id, what)),
    undoes: fields.isNull('undoes') ? null : fields.count('undoes'),
    program: fields.text('program'),
  };
  fields.done();
  return entry;
}

function readHead(fields: Fields, what: string): NonNullable<JournalEntry['head']> {
  const head = { from: idOrNull(fields.textOrNull('from'), what), to: idOrNull(fields.textOrNull('to'), what) };
  fields.done();
  return head;
}

function readRefChange(value: Json, what: string): RefChange {
  const fields = new Fields(value, `${what} refs`);
  const change = {
    name: parseRefName(fields.text('name'), what),
    from: idOrNull(fields.textOrNull('from'), what),
    to: idOrNull(fields.textOrNull('to'), what),
  };
  fields.done();
  const snapshot = snapshotOfRef(change.name);
  if (snapshot !== undefined && [change.from, change.to].some((id) => id !== null && id !== snapshot))
    fields.fail('name');
  return change;
}

function readGrafts(fields: Fields, what: string): Record<string, string> {
  const grafts = fields.textMap('grafts');
  for (const [child, parent] of Object.entries(grafts)) {
    parseBlobId(child, what);
    parseBlobId(parent, what);
  }
  return grafts;
}

/** Reads a pack record of an entry or a checkpoint. */
export function readPack(value: Json, what: string): PackRecord {
  const fields = new Fields(value, `${what} packs`);
  const pack = {
    id: parsePackId(fields.text('id'), what),
    size: fields.count('size'),
    sha256: parseBlobId(fields.text('sha256'), what),
    blobs: fields.count('blobs'),
  };
  if (pack.size > PACK_BYTES_MAX) fields.fail('size');
  fields.done();
  return pack;
}

function idOrNull(text: string | null, what: string): BlobId | null {
  return text === null ? null : parseBlobId(text, what);
}
