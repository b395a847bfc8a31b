/** Lets timers and signals of long work come in now and then: awaiting what is there already lets nothing in. */

/** A person waits no longer than this for Ctrl-C. */
const WORK_MS = 50;
/** Looks at the clock only every so often. */
const STEPS_BETWEEN_LOOKS = 32;

export class Breath {
  readonly #elapsed: () => number;
  readonly #signal: AbortSignal | undefined;
  #last: number;
  #steps = 0;

  constructor(elapsed: () => number, signal: AbortSignal | undefined) {
    this.#elapsed = elapsed;
    this.#signal = signal;
    this.#last = elapsed();
  }

  /** To be awaited before the next step of the work, unless undefined. Throws if the work was stopped. */
  take(): Promise<void> | undefined {
    this.#signal?.throwIfAborted();
    if (++this.#steps % STEPS_BETWEEN_LOOKS !== 0 || this.#elapsed() - this.#last < WORK_MS) return undefined;
    return this.#pause();
  }

  async #pause(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#last = this.#elapsed();
    this.#signal?.throwIfAborted();
  }
}
