/** Trees and chunk lists by SPEC.md "Chunk lists", "Trees" and "Large folders". */
import { Cursor, must } from './bytes.ts';

export interface ChunkRef {
  readonly id: string;
  readonly length: number;
}

export interface CheckedTreeEntry {
  readonly kind: number;
  /** Bytes as latin1. */
  readonly name: string;
  readonly mode: number;
  readonly mtime: bigint;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly linkKey: string | undefined;
  /** Of a file: either. */
  readonly chunks: readonly ChunkRef[];
  readonly list: string | undefined;
  /** Of a folder. */
  readonly tree: string | undefined;
  readonly target: string | undefined;
}

export type Tree =
  | { readonly parts: readonly { readonly firstName: string; readonly tree: string }[] }
  | { readonly entries: readonly CheckedTreeEntry[] };

export function readTree(bytes: Buffer): Tree {
  const cursor = new Cursor(bytes);
  must(cursor.u8() === 1, 'a tree of another version');
  const type = cursor.u8();
  must(type <= 1, `a tree of type ${type}`);
  const count = cursor.uvarint();
  const names: string[] = [];
  const parts: { firstName: string; tree: string }[] = [];
  const entries: CheckedTreeEntry[] = [];
  for (let i = 0; i < count; i++) {
    if (type === 1) parts.push({ firstName: cursor.name(), tree: cursor.id() });
    else entries.push(entry(cursor));
    const name = parts.at(-1)?.firstName ?? entries.at(-1)?.name ?? '';
    checkName(name);
    const before = names.at(-1);
    must(before === undefined || before < name, 'names out of order');
    names.push(name);
  }
  cursor.end();
  if (type === 1) must(count >= 2, 'a list of fewer than two parts');
  else must(count <= 4096, 'a leaf of more than 4096 entries');
  return type === 1 ? { parts } : { entries };
}

function entry(cursor: Cursor): CheckedTreeEntry {
  const kind = cursor.u8();
  must(kind >= 1 && kind <= 7, `an entry of kind ${kind}`);
  const name = cursor.name();
  const mode = cursor.uvarint();
  const mtime = cursor.i64();
  const uid = cursor.uvarint();
  const gid = cursor.uvarint();
  must(mode <= 0o7777 && uid < 2 ** 32 && gid < 2 ** 32, 'a mode or an owner too large');
  const none = { size: 0, linkKey: undefined, chunks: [], list: undefined, tree: undefined, target: undefined };
  const base = { kind, name, mode, mtime, uid, gid, ...none };
  if (kind === 1) return { ...base, ...fileContent(cursor) };
  if (kind === 2) return { ...base, tree: cursor.id() };
  if (kind === 3) return { ...base, target: cursor.name() };
  const isPlain = [cursor.uvarint(), cursor.uvarint()].every((number) => number === 0);
  must(isPlain || kind === 5 || kind === 6, 'a number on what is no device');
  return base;
}

function fileContent(cursor: Cursor): Pick<CheckedTreeEntry, 'size' | 'linkKey' | 'chunks' | 'list'> {
  const flags = cursor.u8();
  must(flags < 16, 'unknown flags of a file');
  const size = cursor.uvarint();
  const linkKey = (flags & 2) === 0 ? undefined : cursor.take(8).toString('hex');
  if ((flags & 1) === 1) return { size, linkKey, chunks: [], list: cursor.id() };
  const count = cursor.uvarint();
  must(count <= 8, 'more than 8 chunks in an entry');
  const chunks = refs(cursor, count);
  must(sum(chunks) === size, 'chunks that do not add up to the size');
  return { size, linkKey, chunks, list: undefined };
}

export interface ChunkList {
  readonly level: number;
  readonly refs: readonly ChunkRef[];
}

export function readChunkList(bytes: Buffer): ChunkList {
  const cursor = new Cursor(bytes);
  must(cursor.u8() === 1, 'a chunk list of another version');
  const level = cursor.u8();
  must(level <= 8, 'a chunk list of a level above 8');
  const count = cursor.uvarint();
  must(count >= 1 && count <= 4096, `a chunk list of ${count} refs`);
  const list = { level, refs: refs(cursor, count) };
  cursor.end();
  return list;
}

function refs(cursor: Cursor, count: number): ChunkRef[] {
  const found: ChunkRef[] = [];
  for (let i = 0; i < count; i++) {
    const length = cursor.uvarint();
    must(length > 0, 'an empty chunk');
    found.push({ length, id: cursor.id() });
  }
  return found;
}

export function sum(chunks: readonly ChunkRef[]): number {
  return chunks.reduce((total, { length }) => total + length, 0);
}

/** SPEC.md "File names". */
function checkName(name: string): void {
  must(
    name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name),
    `a forbidden name: ${JSON.stringify(name)}`,
  );
  must(name.length <= 4096, 'a name too long');
  const plain = Buffer.from(name, 'latin1')
    .toString('utf8')
    .replace(/[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g, '')
    .toLowerCase()
    .replaceAll('ſ', 's')
    .replace(/:.*$/s, '')
    .replace(/[. ]+$/, '');
  must(!/^(?:\.snap|snap~[1-9])$/.test(plain), `a reserved name: ${JSON.stringify(name)}`);
}
