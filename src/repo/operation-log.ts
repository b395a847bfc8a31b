/**
 * What this workspace did to its folder and the journal does not know of: checkouts and their undoing. One canonical
 * JSON line each in `.snap/operations.jsonl`, synced before `appendOperation` returns. A last line without its newline
 * was never acknowledged: it is ignored, and cut off by the next append. SPEC.md "Operations".
 */
import { decodeCanonicalJson, encodeCanonicalJson } from '../bytes/canonical-json.ts';
import { Fields } from '../bytes/fields.ts';
import type { Disk } from '../disk/disk.ts';
import { OPEN } from '../disk/disk.ts';
import { folderOf, readWhole, syncFolder, writeFully } from '../disk/files.ts';
import { fromSystemError, hasCode, SnapError } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import { parseBlobId } from '../object/blob-id.ts';
import { zonedTime } from './environment.ts';
import { WORKSPACE } from './layout.ts';
import type { Repository } from './repository.ts';

const FORMAT = 1;
const NEWLINE = 0x0a;

export interface OperationRecord {
  /** 1, 2, 3, … */
  readonly n: number;
  readonly time: string;
  /** The last journal entry before this operation: gives the order among journal entries without clocks. */
  readonly journal: number;
  readonly operation: 'checkout' | 'undo';
  /** HEAD before. */
  readonly from: BlobId | null;
  /** The snapshot made of what was not committed; null if there was nothing. */
  readonly saved: BlobId | null;
  /** What was checked out. */
  readonly to: BlobId;
  /** HEAD after. */
  readonly head: BlobId | null;
  /** The paths checked out; null for everything. */
  readonly paths: readonly string[] | null;
  /** For `undo`: the record that it takes back. */
  readonly undoes: number | null;
}

/** What a caller says; `head` is by default `to`, or `from` if only paths were checked out. */
export type OperationDraft = Pick<OperationRecord, 'operation' | 'from' | 'saved' | 'to' | 'paths'> &
  Partial<Pick<OperationRecord, 'head' | 'undoes'>>;

/** Appends a record, durably. The caller holds the workspace's lock. Throws `corrupt-data`, `no-space`, `permission`, `io`. */
export async function appendOperation(repository: Repository, draft: OperationDraft): Promise<OperationRecord> {
  const { environment } = repository;
  const path = operationsPath(repository);
  const { records, wholeBytes } = readFile(environment.disk, path);
  const record: OperationRecord = {
    undoes: null,
    head: draft.paths === null ? draft.to : draft.from,
    ...draft,
    n: (records.at(-1)?.n ?? 0) + 1,
    time: zonedTime(environment, environment.now()),
    journal: repository.state().number,
  };
  try {
    appendLine(environment.disk, path, wholeBytes, encode(record));
  } catch (error) {
    throw fromSystemError(error, 'writing', path);
  }
  return record;
}

/** All records, oldest first. Throws `corrupt-data` naming file and line. */
export async function readOperations(repository: Repository): Promise<OperationRecord[]> {
  return readFile(repository.environment.disk, operationsPath(repository)).records;
}

function operationsPath(repository: Repository): string {
  return `${repository.folder}/${WORKSPACE.operations}`;
}

function readFile(disk: Disk, path: string): { records: OperationRecord[]; wholeBytes: number } {
  let bytes: Buffer;
  try {
    bytes = readWhole(disk, path) ?? Buffer.alloc(0);
  } catch (error) {
    throw fromSystemError(error, 'reading', path);
  }
  const records: OperationRecord[] = [];
  let start = 0;
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
    const where = `${path}:${records.length + 1}`;
    const record = decode(bytes.subarray(start, end), where);
    if (record.n !== records.length + 1) throw damaged(where, `it has number ${record.n}`);
    records.push(record);
    start = end + 1;
  }
  return { records, wholeBytes: start };
}

/** Writes after the last whole line; whatever a torn write left behind it goes first. */
function appendLine(disk: Disk, path: string, position: number, line: Uint8Array): void {
  const isNew = disk.lstat(path) === undefined;
  const fd = disk.open(path, isNew ? OPEN.create : OPEN.readWrite, 0o600);
  let closed = false;
  try {
    disk.truncate(fd, position);
    writeFully(disk, fd, line, position);
    disk.sync(fd);
    closed = true;
    disk.close(fd);
  } catch (error) {
    if (!closed) disk.close(fd);
    throw error;
  }
  if (isNew) syncFolder(disk, folderOf(path));
}

function encode(record: OperationRecord): Buffer {
  return Buffer.concat([
    encodeCanonicalJson({ format: FORMAT, ...record, paths: record.paths === null ? null : [...record.paths] }),
    Buffer.of(NEWLINE),
  ]);
}

function decode(line: Uint8Array, where: string): OperationRecord {
  try {
    const fields = new Fields(decodeCanonicalJson(line, where), where);
    const format = fields.count('format');
    if (format !== FORMAT)
      throw new SnapError('unsupported-format', `${where} has the unknown format ${format}`, {
        hint: 'It was written by a newer version of snap; update this one.',
      });
    const operation = fields.text('operation');
    const record: OperationRecord = {
      n: fields.count('n'),
      time: fields.text('time'),
      journal: fields.count('journal'),
      operation: operation === 'checkout' || operation === 'undo' ? operation : fields.fail('operation'),
      from: idOrNull(fields, 'from', where),
      saved: idOrNull(fields, 'saved', where),
      to: parseBlobId(fields.text('to'), where),
      head: idOrNull(fields, 'head', where),
      paths: fields.isNull('paths') ? null : fields.texts('paths'),
      undoes: fields.isNull('undoes') ? null : fields.count('undoes'),
    };
    fields.done();
    if (!Number.isFinite(Date.parse(record.time))) fields.fail('time');
    return record;
  } catch (error) {
    if (!hasCode(error, 'corrupt-data')) throw error;
    throw damaged(where, error.message, error);
  }
}

function idOrNull(fields: Fields, name: string, what: string): BlobId | null {
  const text = fields.textOrNull(name);
  return text === null ? null : parseBlobId(text, what);
}

function damaged(where: string, reason: string, cause?: unknown): SnapError {
  return new SnapError('corrupt-data', `${where} is damaged: ${reason}`, {
    hint: 'Move that file away: only the undo of past checkouts depends on it.',
    context: { where },
    cause,
  });
}
