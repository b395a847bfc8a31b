/**
 * The protocol of commit and gc without files, hashes and the code: a model written from SPEC.md ("Journal", "Garbage
 * collection"). Actors are generators; each `yield` lets others go on. `without` leaves one rule out, to see that the
 * model notices.
 */
export type Rule =
  | 'commit looks for sweeps'
  | 'sweep on the walked state'
  | 'leftovers get an entry'
  | 'undo looks again';

interface Entry {
  readonly adds?: readonly number[];
  readonly condemned?: readonly number[];
  readonly swept?: readonly number[];
  readonly refs?: ReadonlyMap<number, readonly number[]>;
  readonly gone?: readonly number[];
}

interface State {
  readonly number: number;
  readonly packs: ReadonlySet<number>;
  readonly condemned: ReadonlySet<number>;
  /** By snapshot: the blobs that it needs. */
  readonly refs: ReadonlyMap<number, readonly number[]>;
}

export type Actor = Generator<void, void, void>;

const BLOBS = 8;

export class Model {
  readonly faults: string[] = [];
  readonly done = new Map<string, number>();
  readonly #journal: Entry[] = [];
  readonly #states: State[] = [{ number: 0, packs: new Set(), condemned: new Set(), refs: new Map() }];
  /** Packs that exist, and what is in each that ever was. */
  readonly #files = new Set<number>();
  readonly #blobs: (readonly number[])[] = [];
  readonly #random: () => number;
  readonly #without: Rule | undefined;
  #snapshots = 0;

  constructor(random: () => number, without?: Rule) {
    this.#random = random;
    this.#without = without;
  }

  *commits(times: number): Actor {
    for (let left = times; left > 0; ) {
      let state = this.#now();
      yield;
      const known = this.#available(state);
      const needs = Array.from({ length: BLOBS }, (_, blob) => blob).filter(() => this.#random() < 0.4);
      const fresh = needs.filter((blob) => !known.has(blob));
      yield;
      const pack = fresh.length > 0 ? this.#write(fresh) : undefined;
      const refs = new Map([[this.#snapshots++, needs]]);
      for (;;) {
        yield;
        const others = this.#put(state, { refs, adds: pack === undefined ? [] : [pack] });
        if (others === undefined) {
          left--;
          this.#count('commits');
          break;
        }
        yield;
        // Up to what was looked at, not up to now.
        state = this.#states[state.number + others.length] ?? state;
        const swept = others.some((entry) => (entry.swept ?? []).length > 0);
        if (swept && this.#without !== 'commit looks for sweeps') break;
      }
    }
  }

  *collects(times: number): Actor {
    for (let i = 0; i < times; i++) {
      yield* this.#prune();
      yield* this.#condemn();
      // A grace is a matter of clocks, and those may say anything.
      if (this.#random() < 0.8) yield* this.#sweep();
      // So may sessions.
      if (this.#random() < 0.8) yield* this.#leftovers();
    }
  }

  /** A gc that leaves nothing out, and prunes nothing. */
  *collectsAll(): Actor {
    yield* this.#condemn(1);
    yield* this.#sweep();
    yield* this.#leftovers();
  }

  *reads(times: number): Actor {
    for (let i = 0; i < times; i++) {
      let state = this.#now();
      const all = [...state.refs];
      const [snapshot, needs] = all[Math.floor(this.#random() * all.length)] ?? [-1, []];
      for (const blob of needs) {
        yield;
        if (this.#available(state).has(blob)) continue;
        state = this.#now();
        if (!this.#available(state).has(blob) && state.refs.has(snapshot)) this.faults.push(`a reader lacks ${blob}`);
      }
      this.#count('reads');
    }
  }

  /** Brings back what the last prune took. */
  *undoes(times: number): Actor {
    for (let i = 0; i < times; i++) {
      for (;;) {
        const state = this.#now();
        yield;
        const at = this.#journal.findLastIndex((entry) => (entry.gone ?? []).length > 0);
        const before = this.#states[at];
        if (before === undefined) break;
        const refs = new Map([...before.refs].filter(([id]) => this.#journal[at]?.gone?.includes(id)));
        const there = this.#available(state);
        yield;
        if ([...refs].some(([id, needs]) => state.refs.has(id) || needs.some((blob) => !there.has(blob)))) break;
        yield;
        let others = this.#put(state, { refs });
        if (others !== undefined && this.#without === 'undo looks again') others = this.#put(this.#now(), { refs });
        if (others !== undefined) continue;
        this.#count('undoes');
        break;
      }
    }
  }

  *#prune(): Actor {
    for (;;) {
      const state = this.#now();
      yield;
      const gone = [...state.refs.keys()].slice(0, -1).filter(() => this.#random() < 0.5);
      yield;
      if (gone.length === 0 || this.#put(state, { gone }) === undefined) return;
    }
  }

  /** `keeping`: the share of packs with anything needed in them that are left as they are. */
  *#condemn(keeping = 0.5): Actor {
    for (;;) {
      let state = this.#now();
      yield;
      const marked = neededBy(state);
      const going: number[] = [];
      const moving = new Set<number>();
      for (const pack of state.packs) {
        const blobs = this.#blobs[pack] ?? [];
        const live = blobs.filter((blob) => marked.has(blob));
        if (live.length > 0 && !state.condemned.has(pack) && this.#random() < keeping) continue;
        if (!state.condemned.has(pack)) going.push(pack);
        for (const blob of live) moving.add(blob);
      }
      if (going.length === 0 && moving.size === 0) return;
      yield;
      const pack = moving.size > 0 ? this.#write([...moving]) : undefined;
      for (;;) {
        yield;
        const others = this.#put(state, { adds: pack === undefined ? [] : [pack], condemned: going });
        if (others === undefined) return;
        if (others.some(({ condemned = [], swept = [] }) => condemned.length > 0 || swept.length > 0)) break;
        state = this.#now();
      }
    }
  }

  *#sweep(): Actor {
    for (;;) {
      const state = this.#now();
      yield;
      const marked = neededBy(state);
      const going = new Set(state.condemned);
      for (const pack of state.condemned) {
        const staying = this.#available({ packs: new Set([...state.packs].filter((one) => !going.has(one))) });
        if ((this.#blobs[pack] ?? []).some((blob) => marked.has(blob) && !staying.has(blob))) going.delete(pack);
      }
      if (going.size === 0) return;
      yield;
      let others = this.#put(state, { swept: [...going] });
      if (others !== undefined && this.#without === 'sweep on the walked state')
        others = this.#put(this.#now(), { swept: [...going].filter((pack) => this.#now().condemned.has(pack)) });
      if (others !== undefined) continue;
      this.#count('sweeps');
      for (const pack of going) {
        yield;
        this.#remove(pack);
      }
      return;
    }
  }

  *#leftovers(): Actor {
    let state = this.#now();
    let found = [...this.#files].filter((pack) => !state.packs.has(pack));
    for (;;) {
      yield;
      state = this.#now();
      found = found.filter((pack) => !state.packs.has(pack));
      if (found.length === 0) return;
      if (this.#without === 'leftovers get an entry') break;
      yield;
      if (this.#put(state, { adds: found, condemned: found, swept: found }) === undefined) break;
    }
    this.#count('leftovers', found.length);
    for (const pack of found) {
      yield;
      this.#remove(pack);
    }
  }

  /** After a last gc: packs that no snapshot needs. */
  garbage(): number {
    const { packs, condemned, refs } = this.#now();
    const needed = new Set([...refs.values()].flat());
    const isNeeded = (pack: number): boolean => (this.#blobs[pack] ?? []).some((blob) => needed.has(blob));
    return [...this.#files].filter((pack) => !packs.has(pack) || !isNeeded(pack)).length + condemned.size;
  }

  #now(): State {
    const state = this.#states.at(-1);
    if (state === undefined) throw new Error('no state');
    return state;
  }

  #available({ packs }: Pick<State, 'packs'>): Set<number> {
    const blobs = new Set<number>();
    for (const pack of packs) if (this.#files.has(pack)) for (const blob of this.#blobs[pack] ?? []) blobs.add(blob);
    return blobs;
  }

  #write(blobs: readonly number[]): number {
    const pack = this.#blobs.push(blobs) - 1;
    this.#files.add(pack);
    return pack;
  }

  /** Put-if-absent of the entry after `state`; what others published first, if they did. */
  #put(state: State, entry: Entry): Entry[] | undefined {
    if (this.#journal.length > state.number) return this.#journal.slice(state.number);
    const packs = new Set([...state.packs, ...(entry.adds ?? [])]);
    const condemned = new Set([...state.condemned, ...(entry.condemned ?? [])]);
    const refs = new Map([...state.refs, ...(entry.refs ?? [])]);
    for (const pack of entry.condemned ?? []) if (!packs.has(pack)) this.faults.push(`${pack} is condemned, not there`);
    for (const pack of entry.swept ?? []) {
      if (!condemned.delete(pack)) this.faults.push(`${pack} is swept, not condemned`);
      packs.delete(pack);
    }
    for (const id of entry.gone ?? []) refs.delete(id);
    this.#journal.push(entry);
    this.#states.push({ number: state.number + 1, packs, condemned, refs });
    this.#check();
    return undefined;
  }

  #remove(pack: number): void {
    this.#files.delete(pack);
    this.#check();
  }

  #check(): void {
    const state = this.#now();
    const there = this.#available(state);
    for (const [id, needs] of state.refs)
      if (needs.some((blob) => !there.has(blob)))
        this.faults.push(`snapshot ${id} is not whole at entry ${state.number}`);
    for (const pack of state.packs) if (!this.#files.has(pack)) this.faults.push(`pack ${pack} of the state is gone`);
  }

  #count(what: string, by = 1): void {
    this.done.set(what, (this.done.get(what) ?? 0) + by);
  }
}

function neededBy(state: State): Set<number> {
  return new Set([...state.refs.values()].flat());
}
