/**
 * Several actors, one step at a time: each call of an actor to its storage waits at a gate, and only when all of them
 * wait (or are done) one is let go on. Which one is a function of a seed, so a schedule can be played again.
 */
import { randomFrom } from '../amount.ts';

export type Gate = (what: string) => Promise<void>;

/** What happens to an actor at one of its calls, beside waiting. */
export interface Fate {
  /** It sleeps before this call until nobody else can go on: longer than any grace. */
  readonly sleepsAt?: number | undefined;
  /** The same, where only calls that change the store count. */
  readonly sleepsAtChange?: number | undefined;
  /** It dies before this call. */
  readonly diesAt?: number | undefined;
}

interface Actor {
  readonly name: string;
  readonly fate: Fate;
  calls: number;
  changes: number;
  state: 'running' | 'asleep' | 'over';
  priority: number;
  readonly die: () => void;
}

interface Waiting {
  readonly actor: Actor;
  readonly what: string;
  readonly go: () => void;
}

type Strategy = 'random' | 'bursts' | 'priorities';

const CHANGES = /^(?:put|publish|remove) /;
/** Turns of the event loop without any progress after which the actors are stuck. */
const STUCK_TURNS = 2000;
/** With priorities: how often the first becomes the last, and within how many steps. */
const DEMOTIONS = 4;
const STEPS_ABOUT = 400;

export class Schedule {
  readonly log: string[] = [];
  /** Turns that had to be waited out because an actor did something that is no call to storage. */
  idleTurns = 0;
  readonly #random: () => number;
  readonly #strategy: Strategy;
  readonly #demotions = new Set<number>();
  readonly #actors: Actor[] = [];
  #waiting: Waiting[] = [];
  #sleeping: Waiting[] = [];
  #last: Actor | undefined;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
    this.#strategy = (['random', 'bursts', 'priorities'] as const)[Math.floor(this.#random() * 3)] ?? 'random';
    for (let i = 0; i < DEMOTIONS; i++) this.#demotions.add(Math.floor(this.#random() * STEPS_ABOUT));
  }

  /** Starts an actor, whose storage passes `gate` before each call. It handles its errors; one that died is silent. */
  start(name: string, fate: Fate, work: (gate: Gate, died: Promise<void>) => Promise<void>): void {
    let die = (): void => undefined;
    const died = new Promise<void>((resolve) => {
      die = resolve;
    });
    const actor: Actor = { name, fate, calls: 0, changes: 0, state: 'running', priority: this.#random(), die };
    this.#actors.push(actor);
    const over = (): void => {
      actor.state = 'over';
    };
    void work((what) => this.#gate(actor, what), died).then(over, (error: unknown) => {
      over();
      this.log.push(`${name} threw ${String(error)}`);
      throw error;
    });
  }

  /** Lets the actors go on until each is done or dead. */
  async run(): Promise<void> {
    for (let idle = 0; ; ) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#actors.every(({ state }) => state === 'over')) return;
      if (this.#waiting.length === 0 && this.#sleeping.length > 0 && idle > 2) {
        this.#waiting = this.#sleeping;
        this.#sleeping = [];
        for (const { actor } of this.#waiting) actor.state = 'running';
      }
      if (this.#waiting.length === 0) {
        this.idleTurns++;
        if (++idle > STUCK_TURNS) throw new Error(`stuck after ${this.log.slice(-5).join(', ')}`);
        continue;
      }
      idle = 0;
      this.#letOneGo();
    }
  }

  #gate(actor: Actor, what: string): Promise<void> {
    const call = actor.calls++;
    const change = CHANGES.test(what) ? actor.changes++ : undefined;
    const { sleepsAt, sleepsAtChange, diesAt } = actor.fate;
    return new Promise((resolve) => {
      const waiting = { actor, what, go: resolve };
      if (actor.state === 'over') return;
      if (call === diesAt) {
        actor.state = 'over';
        actor.die();
        this.log.push(`${actor.name} dies before ${what}`);
      } else if (call === sleepsAt || (change !== undefined && change === sleepsAtChange)) {
        actor.state = 'asleep';
        this.#sleeping.push(waiting);
        this.log.push(`${actor.name} sleeps before ${what}`);
      } else this.#waiting.push(waiting);
    });
  }

  #letOneGo(): void {
    const chosen = this.#choose();
    this.#waiting = this.#waiting.filter((waiting) => waiting !== chosen);
    this.#last = chosen.actor;
    this.log.push(`${chosen.actor.name}: ${chosen.what}`);
    chosen.go();
  }

  #choose(): Waiting {
    const waiting = this.#waiting;
    const any = waiting[Math.floor(this.#random() * waiting.length)];
    if (any === undefined) throw new Error('nobody waits');
    if (this.#strategy === 'random') return any;
    if (this.#strategy === 'bursts')
      return (this.#random() < 0.9 ? waiting.find(({ actor }) => actor === this.#last) : undefined) ?? any;
    const first = waiting.reduce((best, one) => (one.actor.priority > best.actor.priority ? one : best));
    if (!this.#demotions.has(this.log.length)) return first;
    first.actor.priority = -this.#random();
    return any;
  }
}
