/**
 * The independent checker: reads a store by SPEC.md alone and shares no code with src/. `checkStore(folder)` gives what is
 * not sound in the whole store, as data; nothing found means that every snapshot of every ref can be read to the last
 * chunk. `leftovers(folder)` names files that belong to no state: allowed, but bounded. To compare a snapshot with a
 * folder, see snapshot.ts: `differences(readSnapshot(store, id), readFolder(root))`. It reads everything; not for stores
 * of gigabytes.
 */
import fs from 'node:fs';
import { join } from 'node:path';
import { must } from './bytes.ts';
import type { Report } from './journal.ts';
import { KIND } from './pack.ts';
import { packName, Store } from './store.ts';
import type { CheckedTreeEntry } from './tree.ts';
import { chunksOf, walkTree } from './walk.ts';

export interface Problem {
  /** A stored name, with what is meant inside it; or a snapshot and a path. */
  readonly where: string;
  readonly what: string;
}

/** `folder`: of the store, such as `<workspace>/.snap/store`. */
export function checkStore(folder: string): Problem[] {
  const problems = new Map<string, Problem>();
  const report = collecting(problems);
  const store = new Store(folder, report);
  for (const pack of store.state.packs.values()) report(packName(pack.id), () => store.checkPack(pack, report));
  for (const [name, id] of store.state.refs) {
    report(`ref ${name}`, () => must(store.state.refs.has(`snapshots/${id}`), 'it points to no snapshot'));
    report(`snapshot ${id}`, () => checkSnapshot(store, id, report));
  }
  return [...problems.values()];
}

function collecting(problems: Map<string, Problem>): Report {
  return (where, work) => {
    try {
      work();
      return true;
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      problems.set(`${where}: ${what}`, { where, what });
      return false;
    }
  };
}

function checkSnapshot(store: Store, id: string, report: Report): void {
  const snapshot = store.snapshot(id);
  const totals = { files: 0, folders: 0, others: 0, bytes: 0 };
  for (const { path, entry } of walkTree(store, snapshot.tree)) {
    if (entry.kind === 1) totals.files++;
    else if (entry.kind === 2) totals.folders++;
    else totals.others++;
    totals.bytes += entry.size;
    if (entry.kind === 1) report(`snapshot ${id}: ${path}`, () => checkFile(store, entry));
  }
  const { files, folders, others, bytes } = snapshot.totals;
  must(
    files === totals.files && folders === totals.folders && others === totals.others && bytes === totals.bytes,
    `totals are ${JSON.stringify(snapshot.totals)}, counted ${JSON.stringify(totals)}`,
  );
}

/** That the bytes of each listed blob have its id, checkPack has seen. */
function checkFile(store: Store, entry: CheckedTreeEntry): void {
  for (const chunk of chunksOf(store, entry))
    must(store.has(KIND.data, chunk), `no chunk ${chunk.id} of ${chunk.length} bytes`);
}

/** Names in the store's folder that its state does not name: packs, temporary files, locks, sessions. */
export function leftovers(folder: string): string[] {
  const { state } = new Store(folder, collecting(new Map()));
  const known = new Set([...state.packs.keys()].map(packName));
  return fs
    .readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => fs.lstatSync(join(folder, name)).isFile())
    .filter((name) => /^(?:packs|tmp|locks)\//.test(name) && !known.has(name))
    .sort();
}
