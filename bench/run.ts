// `npm run bench`: whole commands of snap against restic, borg, git and the physical neighbours, in turns.
// Prints one table, writes bench/results/latest.json and chart.svg, and leaves nothing behind in the folder
// it worked in, also when interrupted.

import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { drawChart } from './chart.ts';
import type { Bench } from './jobs.ts';
import { createRunner, Interrupted, type Runner } from './measure.ts';
import { createMeasurements, type Row } from './measurements.ts';
import { describeMachine, type Machine, type Options, readOptions, usage } from './options.ts';
import { mainTable, memoryTable, notes, type Summary, toJson } from './report.ts';
import { scenarios } from './scenarios.ts';
import { borgTool, copyTool, gitTool, nodeTool, resticTool, snapTool, type Tool, tarTool } from './tools.ts';

const projectDir = resolve(import.meta.dirname, '..');
const snapBin = join(projectDir, 'bin', 'snap.js');
const write = (line: string): void => void process.stdout.write(`${line}\n`);
const say = (line: string): void => void process.stderr.write(`${line}\n`);

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let options: Options | undefined;
  try {
    options = readOptions(args, join(projectDir, 'bench', 'results'));
  } catch (error) {
    say(`error: ${error instanceof Error ? error.message : String(error)}\n${usage}`);
    return 2;
  }
  if (options === undefined) {
    write(usage);
    return 0;
  }
  await mkdir(options.dir, { recursive: true });
  const workDir = await mkdtemp(join(options.dir, 'snap-bench-'));
  const runner = createRunner(workDir, {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    LANG: 'C.UTF-8',
    HOME: workDir,
  });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.once(signal, () => runner.stop());
  try {
    await bench(options, runner, workDir);
    return 0;
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    say('interrupted; the work folder is removed');
    return 130;
  } finally {
    await rm(workDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

async function bench(options: Options, runner: Runner, workDir: string): Promise<void> {
  const machine = await describeMachine(workDir);
  const tools = (await findTools(options, runner)).filter(
    ({ name }) => options.tools === undefined || options.tools.some((wanted) => name === wanted),
  );
  write(
    `${machine.cpu}, ${machine.cores} cores, ${(machine.memoryBytes / 1e9).toFixed(0)} GB, Linux ${machine.kernel}`,
  );
  write(
    `work folder ${workDir} (${machine.fileSystem}); ${options.rounds} rounds${options.quick ? ', QUICK' : ''}; load at start ${machine.loadAtStart.toFixed(2)}`,
  );
  write(tools.map((tool) => `${tool.name}: ${tool.version}`).join('; '));
  if (!runner.hasGnuTime) write('notice: /usr/bin/time is absent, so CPU time and memory are not measured');

  const measurements = createMeasurements();
  const context: Bench = { runner, measurements, tools, options, workDir, say };
  const data: Record<string, string> = {};
  const fileCounts = new Map<string, number>();
  for (const name of options.data) {
    const { description, fileCount, countedRow } = await scenarios[name](context);
    data[name] = description;
    if (countedRow !== undefined) fileCounts.set(countedRow, fileCount);
    write(`${name}: ${description}`);
    await removeContents(workDir);
  }
  const rows = measurements.rows().filter((row) => isShown(options, row));
  await report(options, { measurements, rows, fileCounts }, { machine, tools, data });
}

async function report(
  options: Options,
  summary: Summary,
  context: { machine: Machine; tools: readonly Tool[]; data: object },
): Promise<void> {
  write(`\n${mainTable(summary)}`);
  write(`\n${memoryTable(summary)}`);
  write(`\n${notes(summary).join('\n')}`);
  write('restic encrypts and snap, borg (-e none) and git do not; git runs without automatic gc.');
  if (options.out === undefined) return;
  const when = new Date().toISOString();
  await mkdir(options.out, { recursive: true });
  const { machine } = context;
  const json = toJson(summary, { ...context, when, rounds: options.rounds, quick: options.quick });
  await writeFile(join(options.out, 'latest.json'), json);
  const chart = drawChart(summary.measurements, summary.rows, {
    title: 'Wall time of whole commands; less is better',
    subtitle: `Each job scaled to its slowest. ${machine.cores} cores, ${machine.fileSystem}, Node ${machine.node}, medians of ${options.rounds}`,
  });
  await writeFile(join(options.out, 'chart.svg'), chart);
  write(`written: ${join(options.out, 'latest.json')} and chart.svg`);
}

/** The programs that are here, with a notice for each that is not. */
async function findTools(options: Options, runner: Runner): Promise<Tool[]> {
  const tools: Tool[] = [];
  const nodes = [process.execPath, ...(options.node === undefined ? [] : [options.node])];
  const bin = options.bin ?? snapBin;
  if (options.bin !== undefined) write(`notice: snap is ${options.bin}, not this checkout's`);
  else if (!existsSync(join(projectDir, 'dist', 'cli', 'main.js')))
    write('notice: snap is not built; run `npm ci` first');
  const packageText = await readFile(join(projectDir, 'package.json'), 'utf8');
  const snapVersion = /"version": "([^"]+)"/.exec(packageText)?.[1] ?? 'unknown';
  for (const [index, node] of nodes.entries()) {
    const nodeVersion = await firstLine(runner, node, '--version');
    if (nodeVersion === undefined) throw new Error(`${node} does not run`);
    const name = index === 0 ? 'snap' : `snap ${nodeVersion}`;
    tools.push(snapTool(runner, { name, node, bin, version: `${options.bin ?? snapVersion} on Node ${nodeVersion}` }));
  }
  const peers: { program: string; versionArg: string; make: (version: string) => Tool[] }[] = [
    { program: 'restic', versionArg: 'version', make: (version) => [resticTool(runner, version)] },
    {
      program: 'borg',
      versionArg: '--version',
      make: (version) => [borgTool(runner, version, 'lz4'), borgTool(runner, version, 'zstd,3')],
    },
    { program: 'git', versionArg: '--version', make: (version) => [gitTool(runner, version)] },
    {
      program: 'zstd',
      versionArg: '--version',
      make: (version) => [tarTool(runner, version.replaceAll('*', '').trim())],
    },
  ];
  for (const { program, versionArg, make } of peers) {
    const version = await firstLine(runner, program, versionArg);
    if (version === undefined) write(`notice: ${program} is not installed, so its cells are missing`);
    else tools.push(...make(version));
  }
  return [...tools, copyTool(runner), nodeTool(runner, process.execPath)];
}

async function firstLine(runner: Runner, program: string, arg: string): Promise<string | undefined> {
  try {
    const sample = await runner.run({ argv: [program, arg] });
    return sample.stdout.split('\n')[0]?.trim();
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    return undefined;
  }
}

/** Asked for, or the companion of a row that was. */
function isShown(options: Options, row: Row): boolean {
  const companions: Record<string, string> = { index: 'size', 'gc-size': 'gc' };
  return options.only === undefined || options.only.includes(companions[row.id] ?? row.id);
}

/** Gives a data set's memory back before the next one is made. */
async function removeContents(workDir: string): Promise<void> {
  await rm(workDir, { recursive: true, force: true, maxRetries: 3 });
  await mkdir(workDir);
}
