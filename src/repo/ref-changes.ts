/** Changes of refs against the state they are to apply to. */
import { shortId } from '../object/blob-id.ts';
import type { RefChange } from '../object/journal-entry.ts';
import type { StoreState } from '../object/store-state.ts';

/** What moved: one phrase ("is at 4f1c2a9b3e now") for each change whose ref is not at `from`. */
export function refsThatMoved(state: StoreState, changes: readonly RefChange[]): string[] {
  const moved: string[] = [];
  for (const { name, from } of changes) {
    const now = state.refs.get(name) ?? null;
    if (now !== from) moved.push(now === null ? 'is gone' : `is at ${shortId(now)} now`);
  }
  return moved;
}

/** The changes that take `changes` back. */
export function inverseChanges(changes: readonly RefChange[]): RefChange[] {
  return changes.map(({ name, from, to }) => ({ name, from: to, to: from }));
}
