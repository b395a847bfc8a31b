/** Store configuration, journal, checkpoints and snapshots' records by SPEC.md "Store configuration" to "State and checkpoints". */
import fs from 'node:fs';
import { join } from 'node:path';
import type { Json, JsonObject } from './bytes.ts';
import { canonicalJson, HEX32, HEX64, must, record, sha256, spell, Unsound } from './bytes.ts';

export interface PackRecord {
  readonly id: string;
  readonly size: number;
  readonly sha256: string;
  readonly blobs: number;
}

/** The fold of a journal. */
export interface State {
  number: number;
  hash: string | null;
  readonly refs: Map<string, string>;
  readonly packs: Map<string, PackRecord>;
  readonly condemned: Set<string>;
  readonly grafts: Map<string, string>;
  /** Packs that were there once. */
  readonly swept: Set<string>;
}

export interface JournalRecord {
  readonly number: number;
  readonly operation: string;
  readonly workspace: string | null;
  readonly head: { readonly from: string | null; readonly to: string | null } | null;
  readonly refs: readonly { readonly name: string; readonly from: string | null; readonly to: string | null }[];
  readonly grafts: Readonly<Record<string, string>>;
  readonly packs: readonly PackRecord[];
  readonly condemned: readonly string[];
  readonly swept: readonly string[];
  readonly previous: string | null;
}

export type Report = (where: string, work: () => void) => boolean;

const OPERATIONS = /^(?:init|commit|checkout|tag|prune|condemn|sweep|repair|undo)$/;
const TAG = /^tags\/(?!-)[\p{L}\p{M}\p{N}._/+@=-]+$/u;
const list = (check: (item: Json) => unknown) => (value: Json) =>
  Array.isArray(value) && value.every((item) => check(item) !== false);
const isPackId = (value: Json): boolean => typeof value === 'string' && HEX32.test(value);

export function checkConfig(bytes: Buffer): void {
  const config = record(canonicalJson(bytes), {
    chunker: (value) =>
      record(value, { averageBytes: 'count', kind: /^gear-1$/, maxBytes: 'count', minBytes: 'count' }),
    features: (value) => Array.isArray(value) && value.length === 0,
    format: (value) => value === 1,
    id: HEX32,
    packBytes: (value) => typeof value === 'number' && value >= 1024 && value <= 2 ** 30,
  });
  const { minBytes: min, averageBytes: average, maxBytes: max } = config.chunker as Record<string, number>;
  must(min !== undefined && average !== undefined && max !== undefined, 'no chunk sizes');
  must(64 <= min && min < average && average < max && max <= 2 ** 21, 'chunk sizes out of order');
  must(Number.isInteger(Math.log2(average)), 'an average chunk that is no power of two');
}

export function readEntry(bytes: Buffer): JournalRecord {
  const value = canonicalJson(bytes);
  must(value !== null && typeof value === 'object' && !Array.isArray(value), 'an entry that is no object');
  const { check, ...fields } = value as JsonObject;
  if (check !== undefined)
    must(sha256(Buffer.from(spell(fields))) === check, 'an entry with another hash than it says');
  const entry = record(fields, {
    condemned: list(isPackId),
    format: (value) => value === 1,
    grafts: isGrafts,
    '?head': (value) => record(value, { '?from': HEX64, '?to': HEX64 }),
    host: 'text',
    note: 'text',
    number: 'count',
    operation: OPERATIONS,
    packs: list((item) => record(item, { blobs: 'count', id: HEX32, sha256: HEX64, size: 'count' })),
    '?previous': HEX64,
    program: 'text',
    refs: list((item) => record(item, { '?from': HEX64, name: 'text', '?to': HEX64 })),
    swept: list(isPackId),
    time: /^(?:\d{4}|[+-]\d{6})-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d$/,
    '?undoes': 'count',
    user: 'text',
    '?workspace': HEX32,
    writer: HEX32,
  });
  return entry as unknown as JournalRecord;
}

function isGrafts(value: Json): boolean {
  return (
    value !== null &&
    typeof value === 'object' &&
    Object.entries(value).every(([id, parent]) => HEX64.test(id) && typeof parent === 'string' && HEX64.test(parent))
  );
}

/**
 * Replays the journal; stops at the first entry that is not sound, unless a base stands for it. `report` runs each step
 * and keeps what it throws.
 */
export function replay(store: string, report: Report, seen: (entry: JournalRecord) => void = () => undefined): State {
  let state: State = {
    number: 0,
    hash: null,
    refs: new Map(),
    packs: new Map(),
    condemned: new Set(),
    grafts: new Map(),
    swept: new Set(),
  };
  let replaced = 0;
  for (;;) {
    const name = `journal/${digits(state.number + 1)}.json`;
    const path = join(store, name);
    const next = (): void => {
      const bytes = fs.readFileSync(path);
      const entry = readEntry(bytes);
      apply(state, entry);
      state.hash = sha256(bytes);
      seen(entry);
    };
    const base = isSound(() => checkFollows(path, state)) ? undefined : newestBase(store, state.number);
    if (base !== undefined && base.number > replaced) {
      state = base;
      replaced = base.number;
      continue;
    }
    if (!fs.existsSync(path) || !report(name, next)) break;
    if (state.number % 256 === 0) checkCheckpoint(store, state, report);
  }
  const expected = new Set(Array.from({ length: state.number }, (_, i) => `${digits(i + 1)}.json`));
  for (const name of fs.readdirSync(join(store, 'journal'))) {
    if (!expected.has(name))
      report(`journal/${name}`, () => must(false, 'not an entry of the chain that begins with entry 1'));
  }
  report('journal', () => must(state.number > 0, 'no first entry'));
  return state;
}

function checkFollows(path: string, state: State): void {
  must(readEntry(fs.readFileSync(path)).previous === state.hash, 'an entry that does not follow the one before');
}

function isSound(work: () => void): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}

/** The newest base from `number` on that is whole and that its entry, or the one after it, belongs to. */
function newestBase(store: string, number: number): State | undefined {
  const folder = join(store, 'bases');
  const names = fs.existsSync(folder) ? fs.readdirSync(folder).sort().reverse() : [];
  for (const name of names) {
    const bytes = fs.readFileSync(join(folder, name));
    const body = bytes.subarray(65);
    if (bytes.toString('latin1', 0, 65) !== `${sha256(body)}\n`) continue;
    const base = record(canonicalJson(body), {
      condemned: list(isPackId),
      format: (value) => value === 1,
      grafts: isGrafts,
      hash: HEX64,
      number: 'count',
      packs: list((item) => record(item, { blobs: 'count', id: HEX32, sha256: HEX64, size: 'count' })),
      refs: isRefs,
    }) as unknown as Omit<JournalRecord, 'refs'> & { hash: string; refs: Record<string, string> };
    if (base.number < number || name !== `${digits(base.number)}.json`) continue;
    const at = (n: number): string => join(store, `journal/${digits(n)}.json`);
    const isOwn = isSound(() => must(sha256(fs.readFileSync(at(base.number))) === base.hash, 'another entry'));
    const isNamed = isSound(() => checkFollows(at(base.number + 1), { hash: base.hash } as State));
    if (!isOwn && !isNamed) continue;
    return {
      number: base.number,
      hash: base.hash,
      refs: new Map(Object.entries(base.refs)),
      packs: new Map(base.packs.map((pack) => [pack.id, pack])),
      condemned: new Set(base.condemned),
      grafts: new Map(Object.entries(base.grafts)),
      swept: new Set(),
    };
  }
  return undefined;
}

function isRefs(value: Json): boolean {
  return (
    value !== null &&
    typeof value === 'object' &&
    Object.entries(value).every(([name, id]) => typeof id === 'string' && HEX64.test(id) && isRef(name, id))
  );
}

/** In the order of SPEC.md "State and checkpoints". */
function apply(state: State, entry: JournalRecord): void {
  must(entry.number === state.number + 1, `an entry with the number ${entry.number}`);
  must(entry.previous === state.hash, 'an entry that does not follow the one before');
  for (const { name, from, to } of entry.refs) {
    must(isRef(name, to), `a bad ref: ${name}`);
    must((state.refs.get(name) ?? null) === from, `the ref ${name} was not what the entry says`);
    if (to === null) state.refs.delete(name);
    else state.refs.set(name, to);
  }
  for (const pack of entry.packs) {
    must(!state.packs.has(pack.id) && !state.swept.has(pack.id), `pack ${pack.id} is not new`);
    state.packs.set(pack.id, pack);
  }
  for (const id of entry.condemned) {
    must(state.packs.has(id), `a condemned pack that is not there: ${id}`);
    state.condemned.add(id);
  }
  for (const id of entry.swept) {
    must(state.condemned.has(id), `a swept pack that was not condemned: ${id}`);
    state.condemned.delete(id);
    state.packs.delete(id);
    state.swept.add(id);
  }
  for (const [id, parent] of Object.entries(entry.grafts)) state.grafts.set(id, parent);
  state.number = entry.number;
}

function isRef(name: string, to: string | null): boolean {
  const snapshot = /^snapshots\/([0-9a-f]{64})$/.exec(name)?.[1];
  if (snapshot !== undefined) return to === null || to === snapshot;
  const tag = name.slice('tags/'.length);
  const parts = tag.split('/');
  return (
    TAG.test(name) &&
    Buffer.byteLength(tag) <= 200 &&
    tag === tag.normalize('NFC') &&
    !parts.some((part) => part === '' || part === '.' || part === '..') &&
    !/^(?:HEAD|latest|[0-9a-f]{4,64})$/.test(tag)
  );
}

function checkCheckpoint(store: string, state: State, report: Report): void {
  const name = `checkpoints/${digits(state.number)}.state`;
  const path = join(store, name);
  if (!fs.existsSync(path)) return;
  report(name, () => {
    const text = spell({
      condemned: [...state.condemned].sort(),
      format: 1,
      grafts: Object.fromEntries(state.grafts),
      hash: state.hash,
      number: state.number,
      packs: [...state.packs.values()].sort((a, b) => (a.id < b.id ? -1 : 1)) as unknown as Json,
      refs: Object.fromEntries(state.refs),
    });
    must(
      fs.readFileSync(path).equals(Buffer.from(`${sha256(Buffer.from(text))}\n${text}`)),
      'not the state it stands for',
    );
  });
}

export interface SnapshotRecord {
  readonly tree: string;
  readonly parent: string | null;
  readonly origin: string;
  readonly totals: {
    readonly files: number;
    readonly folders: number;
    readonly others: number;
    readonly bytes: number;
  };
}

export function readSnapshotRecord(bytes: Buffer): SnapshotRecord {
  const isCounts = (names: readonly string[]) => (value: Json) =>
    record(value, Object.fromEntries(names.map((name) => [name, 'count' as const])));
  const snapshot: JsonObject = record(canonicalJson(bytes), {
    changes: isCounts(['added', 'changed', 'removed', 'newBytes', 'storedBytes']),
    folder: (value) => record(value, { gid: 'count', mode: 'count', mtime: /^(?:0|-?[1-9]\d*)$/, uid: 'count' }),
    format: (value) => value === 1,
    '?git': (value) => record(value, { '?branch': 'text', commit: 'text' }),
    host: 'text',
    message: 'text',
    meta: 'object',
    origin: /^(?:commit|autosave)$/,
    '?parent': HEX64,
    program: 'text',
    skipped: list((item) => record(item, { path: 'text', reason: 'text' })),
    time: /^(?:\d{4}|[+-]\d{6})-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d$/,
    totals: isCounts(['files', 'folders', 'others', 'bytes']),
    tree: HEX64,
    unsteady: 'texts',
    user: 'text',
    workspace: (value) => record(value, { id: HEX32, name: 'text' }),
  });
  if (snapshot.tree === undefined) throw new Unsound('no tree');
  return snapshot as unknown as SnapshotRecord;
}

export function digits(number: number): string {
  return String(number).padStart(12, '0');
}
