// The benchmark's command line, and the machine it runs on.

import { existsSync, statfsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

export const usage = `node bench/run.ts [options]
  --quick            a small part of the data, one round; to try the harness, not to quote
  --rounds <n>       rounds of the interleaved runs (3; quick: 1)
  --dir <folder>     where to work (/dev/shm when it has room, else the temporary folder)
  --data <sets>      linux,binary,million (linux,binary)
  --only <jobs>      measure only these jobs; their preparation runs all the same
  --tools <names>    only these programs, by name ("snap,restic,borg,git")
  --node <binary>    run snap with this node too, as one more column
  --bin <file>       the snap.js to run (bin/snap.js of this checkout)
  --linux <folder>   an extracted Linux source to copy, instead of Debian's package
  --out <folder>     where latest.json and chart.svg go (bench/results; quick: not written unless given)
Jobs: first size unchanged edit checkout back verify gc start-log start-help start-version
      tar-first tar-size tar-insert tar-added million`;

export const dataSets = ['linux', 'binary', 'million'] as const;
export type DataSet = (typeof dataSets)[number];

export type Options = {
  quick: boolean;
  rounds: number;
  dir: string;
  data: readonly DataSet[];
  only: readonly string[] | undefined;
  tools: readonly string[] | undefined;
  node: string | undefined;
  bin: string | undefined;
  linux: string | undefined;
  out: string | undefined;
};

/** Throws an Error with one sentence when an option makes no sense; undefined for `--help`. */
export function readOptions(args: readonly string[], resultsDir: string): Options | undefined {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { ...flag, short: 'h' },
      quick: flag,
      rounds: text,
      dir: text,
      data: text,
      only: text,
      tools: text,
      node: text,
      bin: text,
      linux: text,
      out: text,
    },
  });
  if (values.help) return undefined;
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds wants a whole number from 1 on`);
  const names = splitList(values.data) ?? ['linux', 'binary'];
  const data = dataSets.filter((name) => names.includes(name));
  if (data.length !== names.length) throw new Error(`--data wants some of ${dataSets.join(', ')}`);
  return {
    quick: values.quick,
    rounds,
    dir: resolve(values.dir ?? defaultDir(data, values.quick)),
    data,
    only: splitList(values.only),
    tools: splitList(values.tools),
    node: values.node,
    bin: values.bin === undefined ? undefined : resolve(values.bin),
    linux: values.linux === undefined ? undefined : resolve(values.linux),
    out: values.out === undefined ? (values.quick ? undefined : resultsDir) : resolve(values.out),
  };
}

export type Machine = {
  cpu: string;
  cores: number;
  memoryBytes: number;
  kernel: string;
  node: string;
  workDir: string;
  fileSystem: string;
  /** One-minute load when the run began: above 0.5 or so, others were at work and the times say less. */
  loadAtStart: number;
};

export async function describeMachine(workDir: string): Promise<Machine> {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
    workDir,
    fileSystem: await fileSystemOf(workDir),
    loadAtStart: loadavg()[0] ?? 0,
  };
}

/** Room for the trees, their copies and every program's store at once. */
function bytesNeeded(data: readonly DataSet[], quick: boolean): number {
  if (quick) return 2e9;
  const bySet: Record<DataSet, number> = { linux: 8e9, binary: 9e9, million: 12e9 };
  return Math.max(...data.map((name) => bySet[name]));
}

function defaultDir(data: readonly DataSet[], quick: boolean): string {
  const memory = '/dev/shm';
  if (!existsSync(memory)) return tmpdir();
  const room = statfsSync(memory);
  return room.bavail * room.bsize >= bytesNeeded(data, quick) ? memory : tmpdir();
}

/** The type of the mount that holds `path`. */
async function fileSystemOf(path: string): Promise<string> {
  const mounts = await readFile('/proc/mounts', 'utf8').catch(() => '');
  let best = { point: '', type: 'unknown' };
  for (const line of mounts.split('\n')) {
    const [, point, type] = line.split(' ');
    if (point === undefined || type === undefined || point.length < best.point.length) continue;
    if (path === point || path.startsWith(point.endsWith('/') ? point : `${point}/`)) best = { point, type };
  }
  return best.type;
}

function splitList(text: string | undefined): string[] | undefined {
  return text
    ?.split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}
