/**
 * Runs a target on hostile inputs and says which one broke a promise: only SnapErrors of the codes that the target may
 * throw, bytes that decode encode to themselves, at most 2 s, and no memory taken that the input does not pay for.
 * Input n of a target is made of SNAP_SEED and n alone, so that a failure is replayed by itself:
 * SNAP_SEED=… SNAP_FUZZ_INPUT=n vitest run test/danger/fuzz -t <target>; SNAP_FUZZ_SAVE=1 puts it into the corpus.
 * SNAP_FUZZ_TRACE=<file> keeps the input at hand there, for one that never ends.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { ErrorCode } from '../../../src/errors.ts';
import { hasCode } from '../../../src/errors.ts';
import { randomFrom, SEED } from '../amount.ts';
import { INPUT_BYTES_MAX, Mutator } from './mutate.ts';

export const INPUT_MS_MAX = 2000;
export const MEMORY_BYTES_MAX = 512 * 1024 * 1024;
/** The largest block that a format allows: what a reader may take before it has seen the bytes. */
const ALLOCATED_BYTES_MAX = 64 * 1024 * 1024 + 4096;

export interface Target {
  readonly name: string;
  /** Valid inputs. */
  readonly seeds: fc.Arbitrary<Uint8Array>;
  /** What may be put into an input as it is. */
  readonly words?: readonly string[];
  /** Codes that a refusal may have. */
  readonly codes: readonly ErrorCode[];
  /** Makes checksums fit again, so that the checks behind them are met. */
  readonly mend?: (input: Buffer) => Buffer;
  /** Decodes; where there is one encoding only, the result is the value encoded again. */
  readonly run: (input: Buffer) => Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** Some targets read real files: fewer bytes an input. */
  readonly inputBytesMax?: number;
  readonly allocatedBytesMax?: number;
  /** Processor time for one input; default: INPUT_MS_MAX. */
  readonly millisecondsMax?: number;
}

export interface FuzzCounts {
  readonly inputs: number;
  readonly refused: number;
  readonly accepted: number;
}

const CORPUS = fileURLToPath(new URL('../../danger/corpus/', import.meta.url));
const ONLY_INPUT = process.env.SNAP_FUZZ_INPUT;
const SEEDS_COUNT = 60;

/** Makes and tries inputs for `milliseconds`. */
export async function fuzz(target: Target, milliseconds: number): Promise<FuzzCounts> {
  const seeds = fc.sample(target.seeds, { seed: SEED, numRuns: SEEDS_COUNT }).map((bytes) => Buffer.from(bytes));
  const counts = { inputs: 0, refused: 0, accepted: 0 };
  const end = performance.now() + milliseconds;
  const [first, past] = ONLY_INPUT === undefined ? [0, Infinity] : [Number(ONLY_INPUT), Number(ONLY_INPUT) + 1];
  for (let n = first; n < past && (n === first || performance.now() < end); n++) {
    const input = inputOf(target, seeds, n);
    if (process.env.SNAP_FUZZ_SAVE !== undefined && ONLY_INPUT !== undefined) save(target, input, `seed-${SEED}-${n}`);
    const accepted = await check(target, input, `SNAP_SEED=${SEED} SNAP_FUZZ_INPUT=${n}, target ${target.name}`);
    counts.inputs++;
    counts[accepted ? 'accepted' : 'refused']++;
  }
  return counts;
}

/** Tries every input of the corpus; returns how many there are. */
export async function replayCorpus(target: Target): Promise<number> {
  const folder = `${CORPUS}${target.name}`;
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  for (const name of names) {
    const bytes = readFileSync(`${folder}/${name}`);
    const input = name.endsWith('.gz') ? gunzipSync(bytes, { maxOutputLength: INPUT_BYTES_MAX }) : bytes;
    await check(target, input, `corpus/${target.name}/${name}`);
  }
  return names.length;
}

/** The valid inputs are accepted: else a target would only ever be refused, and test nothing. */
export async function checkSeeds(target: Target): Promise<void> {
  for (const seed of fc.sample(target.seeds, { seed: SEED, numRuns: SEEDS_COUNT })) {
    const accepted = await check(target, Buffer.from(seed), `a valid input of ${target.name}, SNAP_SEED=${SEED}`);
    if (!accepted)
      throw new Error(`SNAP_SEED=${SEED}: ${target.name} refuses a valid input: ${shown(Buffer.from(seed))}`);
  }
}

function inputOf(target: Target, seeds: readonly Buffer[], n: number): Buffer {
  const random = randomFrom(SEED ^ Math.imul(n + 1, 0x9e3779b1) ^ Math.imul(target.name.length, 0x85ebca6b));
  const mutator = new Mutator(random, target.words ?? []);
  const input = mutator.mutate(mutator.pick(seeds), mutator.pick(seeds)).subarray(0, target.inputBytesMax);
  return target.mend !== undefined && mutator.below(4) > 0 ? target.mend(Buffer.from(input)) : input;
}

/** True if the input was accepted. Throws an Error that names the input and the promise that it broke. */
async function check(target: Target, input: Buffer, where: string): Promise<boolean> {
  const fail = (what: string, cause?: unknown): never => {
    throw new Error(`${where}: ${what}\n${shown(input)}`, { cause });
  };
  if (process.env.SNAP_FUZZ_TRACE !== undefined) writeFileSync(process.env.SNAP_FUZZ_TRACE, input);
  const watch = watchAllocations();
  const resident = process.memoryUsage.rss();
  // Of the processor: other suites run beside this one.
  const before = process.cpuUsage();
  let again: Uint8Array | undefined;
  let accepted = true;
  try {
    again = await target.run(Buffer.from(input));
  } catch (error) {
    if (!hasCode(error, ...target.codes))
      fail(`it throws ${error instanceof Error ? error.stack : String(error)}`, error);
    accepted = false;
  } finally {
    watch.stop();
  }
  const { user, system } = process.cpuUsage(before);
  const milliseconds = (user + system) / 1000;
  if (milliseconds > (target.millisecondsMax ?? INPUT_MS_MAX))
    fail(`it takes ${Math.round(milliseconds)} ms for ${input.length} bytes`);
  const allocated = watch.largest();
  if (allocated > Math.max(target.allocatedBytesMax ?? ALLOCATED_BYTES_MAX, 8 * input.length))
    fail(`it takes ${allocated} bytes at once for an input of ${input.length}`);
  const taken = process.memoryUsage.rss() - resident;
  if (taken > MEMORY_BYTES_MAX) fail(`it takes ${taken} bytes of memory`);
  if (again !== undefined && !Buffer.from(again).equals(input))
    fail(`it decodes, and encodes to other bytes: ${shown(Buffer.from(again))}`);
  return accepted;
}

/** The largest single buffer asked for until `stop`: memory that is asked for and not touched does not show elsewhere. */
function watchAllocations(): { stop(): void; largest(): number } {
  let largest = 0;
  const originals = { alloc: Buffer.alloc, allocUnsafe: Buffer.allocUnsafe, allocUnsafeSlow: Buffer.allocUnsafeSlow };
  Buffer.alloc = (size: number, ...rest: []) => {
    largest = Math.max(largest, size);
    return originals.alloc(size, ...rest);
  };
  Buffer.allocUnsafe = (size) => {
    largest = Math.max(largest, size);
    return originals.allocUnsafe(size);
  };
  Buffer.allocUnsafeSlow = (size) => {
    largest = Math.max(largest, size);
    return originals.allocUnsafeSlow(size);
  };
  return { stop: () => void Object.assign(Buffer, originals), largest: () => largest };
}

function save(target: Target, input: Buffer, name: string): void {
  mkdirSync(`${CORPUS}${target.name}`, { recursive: true });
  const long = input.length > 4096;
  writeFileSync(`${CORPUS}${target.name}/${name}${long ? '.gz' : ''}`, long ? gzipSync(input, { level: 9 }) : input);
}

function shown(input: Buffer): string {
  const start = input.subarray(0, 1000);
  return `${input.length} bytes: ${JSON.stringify(start.toString('latin1'))}${input.length > start.length ? ' …' : ''}`;
}
