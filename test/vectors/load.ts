/** Reads the frozen vectors, as the types that the code has for them. */
import { readFileSync } from 'node:fs';
import type { TreeEntry } from '../../src/object/tree-entry.ts';

/** One file of this folder. `T` is what the test believes it holds; a wrong belief fails the test. */
export function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`./${name}.json`, import.meta.url), 'utf8')) as T;
}

/** A tree entry as JSON has it: times are text, and what is undefined is not there. */
export type JsonEntry = Omit<TreeEntry, 'mtime'> & { readonly mtime: string };

export function entryOf(value: JsonEntry): TreeEntry {
  const entry = { ...value, mtime: BigInt(value.mtime) };
  return (value.kind === 1 ? { linkKey: undefined, ...entry } : entry) as TreeEntry;
}

export function bytesOf(hex: string): Buffer {
  return Buffer.from(hex, 'hex');
}
