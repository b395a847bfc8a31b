/** Steps of gc beside others who publish: what was worked out on a state that is not the newest is worked out again. */
import { hasCode, SnapError } from '../errors.ts';
import type { StoreView } from './store-view.ts';

/** Others published first, and what was worked out no longer holds: do that step again. */
export class Raced extends Error {}

/** Steps that lose this many races in a row give up; every loss means that somebody else got on. */
const RACES_MAX = 8;

/**
 * Runs `step` on the newest state, again if it raced, or if what it could not read may have been swept while it read.
 * Throws `conflict` if others are always faster.
 */
export async function onNewestState<T>(view: StoreView, step: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    await view.refresh();
    try {
      return await step();
    } catch (error) {
      const overtaken = error instanceof Raced || (hasCode(error, 'corrupt-data') && (await view.refresh()) > 0);
      if (!overtaken || (attempt >= RACES_MAX && !(error instanceof Raced))) throw error;
      if (attempt >= RACES_MAX)
        throw new SnapError('conflict', `other commands changed the store ${attempt} times while gc looked at it`, {
          hint: 'What gc did so far stays done: run `snap gc` again when the store is less busy.',
        });
    }
  }
}
