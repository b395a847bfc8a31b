/**
 * Walks that call themselves, of any depth. Generators joined by `yield*` hand each value through all the levels above,
 * and at some thousands of levels the stack overflows; here they yield what lies deeper, and are kept in a list.
 */

/** A walk that is to be gone through before the one that yields it goes on. */
export class Deeper<T> {
  readonly walk: Walk<T>;

  constructor(walk: Walk<T>) {
    this.walk = walk;
  }
}

export type Walk<T> = AsyncGenerator<T | Deeper<T>>;

/** The values of a walk and of all below it, in order. */
export async function* valuesOf<T>(walk: Walk<T>): AsyncGenerator<T> {
  const open = [walk];
  try {
    for (let current = open.at(-1); current !== undefined; current = open.at(-1)) {
      const next = await current.next();
      if (next.done === true) open.pop();
      else if (next.value instanceof Deeper) open.push(next.value.walk);
      else yield next.value;
    }
  } finally {
    for (const walking of open.reverse()) await walking.return(undefined);
  }
}
