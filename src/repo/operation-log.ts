/**
 * What this workspace did to its folder and the journal does not know of: checkouts and their undoing. One canonical
 * JSON line each in `.snap/operations.jsonl`, synced before `appendOperation` returns. What a torn write left at the end
 * was never acknowledged: it is ignored, and cut off by the next append. A line that is damaged costs its own operation
 * its undo, and nothing else. SPEC.md "Operations".
 */
import { decodeCanonicalJson, encodeCanonicalJson } from '../bytes/canonical-json.ts';
import { Fields } from '../bytes/fields.ts';
import type { Disk } from '../disk/disk.ts';
import { OPEN } from '../disk/disk.ts';
import { folderOf, readWhole, replaceFile, syncFolder } from '../disk/files.ts';
import { writeFully } from '../disk/whole-calls.ts';
import { fromSystemError, hasCode, SnapError } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import { parseBlobId } from '../object/blob-id.ts';
import { zonedTime } from './environment.ts';
import { WORKSPACE } from './layout.ts';
import type { Repository } from './repository.ts';

const FORMAT = 1;
const NEWLINE = 0x0a;
/** After so many damaged lines it is another file. */
const DAMAGED_MAX = 1000;

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

/** What the file holds. */
export interface OperationLines {
  readonly path: string;
  readonly records: readonly OperationRecord[];
  /** The lines that are right, with their newlines: of these records, and of those that a newer version wrote. */
  readonly right: Buffer;
  /** What is wrong with the others, naming file and line. */
  readonly damage: readonly string[];
  /** The error for a record of a newer version. */
  readonly newer: SnapError | undefined;
  readonly lines: number;
  /** Where the last newline ends. */
  readonly wholeBytes: number;
}

/**
 * Appends a record, durably, whatever is in the file. The caller holds the workspace's lock. Throws `no-space`,
 * `permission`, `io`, and `corrupt-data` where the file is none.
 */
export async function appendOperation(repository: Repository, draft: OperationDraft): Promise<OperationRecord> {
  const { environment } = repository;
  const found = examineOperations(repository);
  const { path, records, lines } = found;
  const record: OperationRecord = {
    undoes: null,
    head: draft.paths === null ? draft.to : draft.from,
    ...draft,
    // No number is used again, be its line damaged.
    n: Math.max(records.at(-1)?.n ?? 0, lines) + 1,
    time: zonedTime(environment, environment.now()),
    journal: repository.state().number,
  };
  try {
    append(repository, found, encode(record));
  } catch (error) {
    throw fromSystemError(error, 'writing', path);
  }
  return record;
}

/** The records that can be read, oldest first. Throws `unsupported-format` for one of a newer version. */
export async function readOperations(repository: Repository): Promise<OperationRecord[]> {
  const { records, newer } = examineOperations(repository);
  if (newer !== undefined) throw newer;
  return [...records];
}

/** What is wrong with the file, naming file and line: those operations cannot be undone. */
export function damageOfOperations(repository: Repository): readonly string[] {
  try {
    return examineOperations(repository).damage;
  } catch (error) {
    if (!hasCode(error, 'corrupt-data', 'io')) throw error;
    return [error.message];
  }
}

/** Reads the whole file. Throws `corrupt-data` where it is no file, `permission`, `io`. */
export function examineOperations({ environment, folder }: Repository): OperationLines {
  const path = `${folder}/${WORKSPACE.operations}`;
  let bytes: Buffer;
  try {
    bytes = readWhole(environment.disk, path) ?? Buffer.alloc(0);
  } catch (error) {
    throw fromSystemError(error, 'reading', path);
  }
  const lines: Line[] = [];
  let start = 0;
  let damaged = 0;
  let torn = { start: 0, lines: 0 };
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
    const line = readLine(bytes.subarray(start, end + 1), `${path}:${lines.length + 1}`, damaged < DAMAGED_MAX);
    lines.push(line);
    start = end + 1;
    if (typeof line.found === 'string') damaged++;
    else torn = { start, lines: lines.length };
  }
  const lineCount = lines.length;
  if (isTorn(bytes.subarray(torn.start))) {
    lines.length = torn.lines;
    start = torn.start;
  }
  let last = 0;
  const damage: string[] = [];
  const right: Line[] = [];
  for (const [i, line] of lines.entries()) {
    const { found, where } = line;
    const isRecord = typeof found === 'object' && 'n' in found;
    if (typeof found === 'string') damage.push(found);
    else if (isRecord && !fits(found.n, last, lines[i + 1]))
      damage.push(`${where} is damaged: it has number ${found.n}`);
    else right.push(line);
    if (isRecord && right.at(-1) === line) last = found.n;
  }
  return {
    path,
    records: right.flatMap(({ found }) => (typeof found === 'object' && 'n' in found ? [found] : [])),
    right: Buffer.concat(right.map(({ bytes: own }) => own)),
    damage,
    newer: right.flatMap(({ found }) => (found instanceof SnapError ? [found] : []))[0],
    lines: lineCount,
    wholeBytes: start,
  };
}

/** True for what a power loss may leave of a write that was not acknowledged: no end, or bytes that no record has. */
function isTorn(tail: Buffer): boolean {
  return tail.length > 0 && (tail.at(-1) !== NEWLINE || tail.some((byte) => byte < 0x20 && byte !== NEWLINE));
}

/** False for the number of a line that is there twice, or that was altered: of two, the one that leaves no gap is right. */
function fits(n: number, last: number, next: Line | undefined): boolean {
  if (n <= last) return false;
  if (typeof next?.found !== 'object' || !('n' in next.found) || next.found.n <= last) return true;
  return next.found.n > n || (next.found.n === n && n === last + 1);
}

interface Line {
  readonly bytes: Buffer;
  readonly where: string;
  /** A record, the error for one of a newer version, or what is wrong. */
  readonly found: OperationRecord | SnapError | string;
}

function readLine(bytes: Buffer, where: string, isLookedAt: boolean): Line {
  if (!isLookedAt) return { bytes, where, found: `${where} comes after ${DAMAGED_MAX} damaged lines` };
  try {
    return { bytes, where, found: decode(bytes.subarray(0, -1), where) };
  } catch (error) {
    if (hasCode(error, 'unsupported-format')) return { bytes, where, found: error };
    if (hasCode(error, 'corrupt-data')) return { bytes, where, found: `${where} is damaged: ${error.message}` };
    throw error;
  }
}

/**
 * Writes after the last whole line; whatever a torn write left behind it goes first. A file with another name is somebody
 * else's too, as after `cp -al`: it is written anew, without the lines that are damaged, which that name keeps.
 */
function append({ environment, folder }: Repository, { path, right, wholeBytes }: OperationLines, line: Buffer): void {
  const { disk, uniqueName } = environment;
  if (appendLine(disk, path, wholeBytes, line)) return;
  replaceFile(disk, path, Buffer.concat([right, line]), `${folder}/${WORKSPACE.temporary}/${uniqueName()}`);
}

/** False, and nothing is written, for a file with another name. */
function appendLine(disk: Disk, path: string, position: number, line: Uint8Array): boolean {
  const isNew = disk.lstat(path) === undefined;
  const fd = disk.open(path, isNew ? OPEN.create : OPEN.readWrite, 0o600);
  let closed = false;
  let isOurs = false;
  try {
    isOurs = disk.stat(fd).nlink <= 1n;
    if (isOurs) {
      disk.truncate(fd, position);
      writeFully(disk, fd, line, position);
      disk.sync(fd);
    }
    closed = true;
    disk.close(fd);
  } catch (error) {
    if (!closed) disk.close(fd);
    throw error;
  }
  if (isNew) syncFolder(disk, folderOf(path));
  return isOurs;
}

function encode(record: OperationRecord): Buffer {
  return Buffer.concat([
    encodeCanonicalJson({ format: FORMAT, ...record, paths: record.paths === null ? null : [...record.paths] }),
    Buffer.of(NEWLINE),
  ]);
}

function decode(line: Uint8Array, where: string): OperationRecord {
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
}

function idOrNull(fields: Fields, name: string, what: string): BlobId | null {
  const text = fields.textOrNull(name);
  return text === null ? null : parseBlobId(text, what);
}
