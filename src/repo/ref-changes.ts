/** Changes of refs: their inverse, and whether they still apply. */
import { shortId } from '../object/blob-id.ts';
import type { RefChange } from '../object/journal-entry.ts';
import type { RefName } from '../object/ref-name.ts';
import { snapshotOfRef, tagOfRef } from '../object/ref-name.ts';
import type { StoreState } from '../object/store-state.ts';

/** What moved: one sentence ("the tag v1 is at 4f1c2a9b3e now") for each change whose ref is not at its `from`. */
export function refsThatMoved(state: StoreState, changes: readonly RefChange[]): string[] {
  const moved: string[] = [];
  for (const { name, from } of changes) {
    const now = state.refs.get(name) ?? null;
    if (now !== from) moved.push(`${refInWords(name)} ${now === null ? 'is gone' : `is at ${shortId(now)} now`}`);
  }
  return moved;
}

/** The changes that take `changes` back. */
export function inverseChanges(changes: readonly RefChange[]): RefChange[] {
  return changes.map(({ name, from, to }) => ({ name, from: to, to: from }));
}

export function refInWords(name: RefName): string {
  const snapshot = snapshotOfRef(name);
  return snapshot === undefined ? `the tag ${tagOfRef(name) ?? name}` : `the snapshot ${shortId(snapshot)}`;
}
