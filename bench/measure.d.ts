export type Command = {
  argv: readonly [string, ...string[]];
  cwd?: string;
  env?: Readonly<Record<string, string>>;
  /** Exit codes that count as success; 0 when left out. */
  okCodes?: readonly number[];
};
export type Sample = {
  wallMs: number;
  cpuMs: number | null;
  rssBytes: number | null;
  stdout: string;
  stderr: string;
};
/** Thrown by every command that was cut short by `stop()`; never recorded as a measurement. */
export declare class Interrupted extends Error {}
export type Runner = {
  run: (command: Command) => Promise<Sample>;
  /** `from | to`; the wall time spans both, CPU is their sum, memory the larger of the two. */
  pipe: (from: Command, to: Command) => Promise<Sample>;
  /** Ends everything that runs; later calls throw `Interrupted`. */
  stop: () => void;
  /** Throws `Interrupted` after `stop()`; for long loops that start no process. */
  checkpoint: () => Promise<void>;
  readonly hasGnuTime: boolean;
};
export declare function createRunner(tempDir: string, baseEnv: Readonly<Record<string, string>>): Runner;
