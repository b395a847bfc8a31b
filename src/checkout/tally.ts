/** Counts what a checkout has done so far, by the stretch, and tells it. */
export interface CheckoutProgress {
  readonly files: number;
  /** Written, or there already and right. */
  readonly bytes: number;
  /** What `bytes` will be in the end; undefined where only the end tells. */
  readonly bytesTotal: number | undefined;
  /** Read of files that are there already. */
  readonly bytesCompared: number;
}

export class Tally {
  readonly #tell: (progress: CheckoutProgress) => void;
  readonly #bytesTotal: number | undefined;
  #files = 0;
  #bytes = 0;
  #bytesCompared = 0;

  constructor(tell: (progress: CheckoutProgress) => void, bytesTotal?: number) {
    this.#tell = tell;
    this.#bytesTotal = bytesTotal;
  }

  add(files: number, bytes: number): void {
    this.#files += files;
    this.#bytes += bytes;
    this.#report();
  }

  /** So many bytes of files that are there were read, from the start on. */
  compared(bytes: number): void {
    this.#bytesCompared = bytes;
    this.#report();
  }

  #report(): void {
    this.#tell({
      files: this.#files,
      bytes: this.#bytes,
      bytesTotal: this.#bytesTotal,
      bytesCompared: this.#bytesCompared,
    });
  }
}
