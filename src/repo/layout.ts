/**
 * Every name that snap stores anything under, in the store and in the workspace. SPEC.md "Layout".
 */
import type { PackId } from '../object/pack-id.ts';

/** In the store. */
export const STORE_CONFIG = 'config.json';
export const PACKS = 'packs';
export const JOURNAL = 'journal';
export const CHECKPOINTS = 'checkpoints';
/** States that a repair put in the place of the entries up to theirs. */
export const BASES = 'bases';
/** Damaged objects that repair has replaced; nothing here is part of the store. */
export const QUARANTINE = 'quarantine';
export const SESSIONS = 'locks/sessions';
export const GC_LOCK = 'locks/gc';

export function sessionName(id: string): string {
  return `${SESSIONS}/${id}.json`;
}

export function packName(id: PackId): string {
  return `${PACKS}/${id.slice(0, 2)}/${id}.pack`;
}

export function journalName(number: number): string {
  return `${JOURNAL}/${String(number).padStart(12, '0')}.json`;
}

export function checkpointName(number: number): string {
  return `${CHECKPOINTS}/${String(number).padStart(12, '0')}.state`;
}

export function baseName(number: number): string {
  return `${BASES}/${String(number).padStart(12, '0')}.json`;
}

/** The number of a journal entry, checkpoint or base, or undefined for any other name. */
export function numberOfName(name: string): number | undefined {
  const digits = /^(?:(?:journal|bases)\/(\d{12})\.json|checkpoints\/(\d{12})\.state)$/.exec(name);
  const number = digits?.[1] ?? digits?.[2];
  return number === undefined ? undefined : Number(number);
}

/** In the workspace's `.snap` folder. */
export const WORKSPACE = {
  config: 'config.toml',
  head: 'HEAD',
  index: 'index',
  indexInUse: 'index-in-use',
  lock: 'lock',
  operations: 'operations.jsonl',
  /** Where the workspace was last, if its store lies elsewhere. */
  place: 'place',
  store: 'store',
  /** A copy of the store's `config.json`. */
  storeConfig: 'store-config.json',
  temporary: 'tmp',
} as const;

export const IGNORE_FILE = '.snapignore';

/** The `.snap` folder of the workspace at `root`. */
export function snapFolder(root: string): string {
  return root === '/' ? '/.snap' : `${root}/.snap`;
}

/** True if the absolute path `path` is `folder` or lies in it. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);
}

/** Where a store lies in its own workspace, as a path in it; undefined if it lies elsewhere, or in `.snap`. */
export function storeInside(root: string, store: string): string | undefined {
  if (store === root || !isWithin(store, root) || isWithin(store, `${root}/.snap`)) return undefined;
  return store.slice(root === '/' ? 1 : root.length + 1);
}
