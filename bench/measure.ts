// Runs one command, or a pipe of two, as child processes and measures it from outside: wall time from
// this process's clock; CPU time and the largest resident set from wait4(2), which GNU time reports for the
// child and the descendants it waited for. Each child leads a process group of its own, so that Ctrl-C ends
// all of it. Where GNU time is absent, CPU and memory are null and wall time still counts.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

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
export class Interrupted extends Error {}

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

const outputBytesMax = 4 << 20;
const gnuTime = '/usr/bin/time';

export function createRunner(tempDir: string, baseEnv: Readonly<Record<string, string>>): Runner {
  const state: State = {
    tempDir,
    baseEnv,
    running: new Set(),
    stopped: false,
    serial: 0,
    hasGnuTime: existsSync(gnuTime),
  };
  return {
    hasGnuTime: state.hasGnuTime,
    run: async (command) => {
      const begun = process.hrtime.bigint();
      const child = start(state, command, 'ignore');
      const end = await child.ended;
      return finish(state, [child], [end], begun);
    },
    pipe: async (from, to) => {
      const begun = process.hrtime.bigint();
      const sink = start(state, to, 'pipe');
      const source = start(state, from, 'ignore', sink.process);
      const ends = await Promise.all([source.ended, sink.ended]);
      return finish(state, [source, sink], ends, begun);
    },
    stop: () => {
      state.stopped = true;
      for (const child of state.running) killGroup(child);
    },
    checkpoint: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      if (state.stopped) throw new Interrupted('interrupted');
    },
  };
}

type State = {
  tempDir: string;
  baseEnv: Readonly<Record<string, string>>;
  running: Set<ChildProcess>;
  stopped: boolean;
  serial: number;
  hasGnuTime: boolean;
};

type End = { code: number | null; at: bigint; stdout: string; stderr: string };
type Started = { process: ChildProcess; command: Command; timeFile: string; ended: Promise<End> };

function start(state: State, command: Command, stdin: 'ignore' | 'pipe', sink?: ChildProcess): Started {
  if (state.stopped) throw new Interrupted('interrupted');
  state.serial += 1;
  const timeFile = join(state.tempDir, `time-${state.serial}`);
  const [program, ...rest] = command.argv;
  const args = state.hasGnuTime ? ['-q', '-o', timeFile, '-f', '%U %S %M', program, ...rest] : rest;
  // A pipe between two children is one end of a socket pair given to both, without bytes passing through here.
  const output = sink?.stdin ?? 'pipe';
  const child = spawn(state.hasGnuTime ? gnuTime : program, args, {
    cwd: command.cwd,
    env: { ...state.baseEnv, ...command.env },
    stdio: [stdin, output, 'pipe'],
    detached: true,
  });
  state.running.add(child);
  return { process: child, command, timeFile, ended: watch(state, child, sink) };
}

function watch(state: State, child: ChildProcess, sink?: ChildProcess): Promise<End> {
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  return new Promise((resolve, reject) => {
    let at = 0n;
    // The parent's copy of the pipe's writing end is closed, or its reader would never see the end.
    child.once('spawn', () => sink?.stdin?.destroy());
    child.once('exit', () => {
      at = process.hrtime.bigint();
    });
    child.once('error', (error) => {
      state.running.delete(child);
      reject(error);
    });
    child.once('close', (code) => {
      state.running.delete(child);
      if (state.stopped) reject(new Interrupted('interrupted'));
      else resolve({ code, at, stdout: stdout(), stderr: stderr() });
    });
  });
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  const parts: Buffer[] = [];
  let bytes = 0;
  stream?.on('data', (part: Buffer) => {
    bytes += part.length;
    if (bytes <= outputBytesMax) parts.push(part);
  });
  return () => Buffer.concat(parts).toString('utf8');
}

async function finish(state: State, started: readonly Started[], ends: readonly End[], begun: bigint): Promise<Sample> {
  const sample: Sample = { wallMs: 0, cpuMs: null, rssBytes: null, stdout: '', stderr: '' };
  for (const [index, child] of started.entries()) {
    const end = ends[index];
    if (end === undefined) continue;
    const usage = state.hasGnuTime ? await readUsage(child.timeFile) : undefined;
    if (!(child.command.okCodes ?? [0]).includes(end.code ?? -1)) throw new Error(describeFailure(child.command, end));
    sample.wallMs = Math.max(sample.wallMs, Number(end.at - begun) / 1e6);
    if (usage !== undefined) {
      sample.cpuMs = (sample.cpuMs ?? 0) + usage.cpuMs;
      sample.rssBytes = Math.max(sample.rssBytes ?? 0, usage.rssBytes);
    }
    sample.stdout += end.stdout;
    sample.stderr += end.stderr;
  }
  return sample;
}

async function readUsage(file: string): Promise<{ cpuMs: number; rssBytes: number } | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  await rm(file, { force: true });
  const [user, system, kilobytes] = (text.trim().split('\n').at(-1) ?? '').split(' ').map(Number);
  if (user === undefined || system === undefined || kilobytes === undefined) return undefined;
  return { cpuMs: (user + system) * 1000, rssBytes: kilobytes * 1024 };
}

function describeFailure(command: Command, end: End): string {
  const lines = `${end.stdout}\n${end.stderr}`
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('{'));
  const words = command.argv.slice(0, 6).join(' ');
  return `${words} … exited ${end.code ?? 'by a signal'}: ${lines.slice(-2).join(' / ').slice(0, 200)}`;
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
