// What every job shares: the rows of the table with what the issue asks of them, and one way to give each
// program its turn. Programs take turns within a job, and the one that begins changes with the round, so that
// a slow minute of the machine falls on all of them. A program that fails leaves "failed: …" in its cell.

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Interrupted, type Runner, type Sample } from './measure.ts';
import { type Cell, type Measurements, type Row, timeCell } from './measurements.ts';
import { levelMemory } from './memory.ts';
import type { Options } from './options.ts';
import type { Site, Tool } from './tools.ts';

export type Bench = {
  runner: Runner;
  measurements: Measurements;
  tools: readonly Tool[];
  options: Options;
  workDir: string;
  /** A line of progress for people. */
  say: (line: string) => void;
};

const ms = { unit: 'ms' } as const;
const bytes = { unit: 'bytes' } as const;

export const rows = {
  first: { ...ms, id: 'first', data: 'linux', label: 'first commit', target: { ratioMax: 0.45 } },
  size: { ...bytes, id: 'size', data: 'linux', label: 'store size after it', target: { ratioMax: 0.87 } },
  index: { ...bytes, id: 'index', data: 'linux', label: 'index beside it' },
  unchanged: {
    ...ms,
    id: 'unchanged',
    data: 'linux',
    label: 'commit, nothing changed',
    target: { ratioMax: 0.2, notAbove: 'borg' },
  },
  edit: { ...ms, id: 'edit', data: 'linux', label: 'commit, 100 files edited', target: { ratioMax: 0.25 } },
  checkout: { ...ms, id: 'checkout', data: 'linux', label: 'checkout into an empty folder', target: { ratioMax: 0.4 } },
  back: { ...ms, id: 'back', data: 'linux', label: 'checkout in place, 100 differ', target: { max: 1000 } },
  verify: { ...ms, id: 'verify', data: 'linux', label: 'verify --data', target: { ratioMax: 0.5 } },
  gc: { ...ms, id: 'gc', data: 'linux', label: 'gc, 10 of 20 pruned', target: { ratioMax: 0.5 } },
  gcSize: { ...bytes, id: 'gc-size', data: 'linux', label: 'store size after gc' },
  startLog: { ...ms, id: 'start-log', data: 'linux', label: 'log', target: { max: 150 } },
  startHelp: { ...ms, id: 'start-help', data: 'linux', label: 'status --help', target: { max: 100 } },
  startVersion: { ...ms, id: 'start-version', data: 'linux', label: '--version', target: { max: 80 } },
  tarFirst: {
    ...ms,
    id: 'tar-first',
    data: 'binary',
    label: 'first commit, tar and weights',
    target: { ratioMax: 0.5 },
  },
  tarSize: { ...bytes, id: 'tar-size', data: 'binary', label: 'store size after it' },
  tarInsert: {
    ...ms,
    id: 'tar-insert',
    data: 'binary',
    label: 'commit, bytes inserted twice',
    target: { ratioMax: 0.9 },
  },
  tarAdded: { ...bytes, id: 'tar-added', data: 'binary', label: 'added to the store', target: { max: 4e6 } },
  million: { ...ms, id: 'million', data: 'million', label: 'first commit, many small files' },
} satisfies Record<string, Row>;

export type Attempt = (tool: Tool, site: Site) => Promise<Cell> | undefined;

export function isWanted(bench: Bench, row: Row): boolean {
  return bench.options.only === undefined || bench.options.only.includes(row.id);
}

/** Gives every program that takes part its turn at `row`. */
export async function takeTurns(
  bench: Bench,
  row: Row,
  round: number,
  sites: ReadonlyMap<Tool, Site>,
  attempt: Attempt,
): Promise<void> {
  const shift = round % Math.max(1, bench.tools.length);
  for (const tool of [...bench.tools.slice(shift), ...bench.tools.slice(0, shift)]) {
    const site = sites.get(tool);
    if (site === undefined || (tool.onlyJobs !== undefined && !tool.onlyJobs.includes(row.id))) continue;
    await bench.runner.checkpoint();
    try {
      if (row.unit === 'ms' && !row.id.startsWith('start-')) await levelMemory(bench.workDir);
      const cell = await attempt(tool, site);
      if (cell === undefined) continue;
      bench.measurements.add(row, tool.name, round, cell);
      const value = row.unit === 'ms' ? `${(cell.value / 1000).toFixed(3)} s` : `${(cell.value / 1e6).toFixed(2)} MB`;
      if (!row.id.startsWith('start-')) bench.say(`round ${round + 1}  ${row.label}: ${tool.name} ${value}`);
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      const message = error instanceof Error ? error.message : String(error);
      const known = bench.measurements.failure(row.id, tool.name) !== undefined;
      bench.measurements.fail(row, tool.name, message);
      if (!known) bench.say(`round ${round + 1}  ${row.label}: ${tool.name} failed: ${message}`);
    }
  }
}

/** Makes an empty store, then measures the first commit into it. */
export const firstCommit: Attempt = (tool, site) => {
  const { commit } = tool;
  if (commit === undefined) return undefined;
  return tool.fresh(site).then(async () => {
    const cell = timeCell(await commit(site, 'first'));
    // A plain copy has no store to go on with, only memory to give back.
    if (tool.storeBytes === undefined) await rm(site.home, { recursive: true, force: true });
    return cell;
  });
};

/** The attempt that runs one verb, for programs that have it. */
export function verb(pick: (tool: Tool) => ((site: Site) => Promise<Sample>) | undefined): Attempt {
  return (tool, site) => pick(tool)?.(site).then(timeCell);
}

/** An empty or absent store is a failure, never a small one. */
export const storeSize: Attempt = (tool, site) =>
  tool.storeBytes?.(site).then(({ store }) => {
    if (store === 0) throw new Error('there is no store to measure');
    return { value: store };
  });

/** `attempt` only for programs that did `row` without a failure: what comes after one would mean nothing. */
export function after(bench: Bench, row: Row, attempt: Attempt): Attempt {
  return (tool, site) =>
    bench.measurements.failure(row.id, tool.name) === undefined ? attempt(tool, site) : undefined;
}

/** A folder for each program's own, and a tree: the shared one, or a copy for those that write into it. */
export async function makeSites(bench: Bench, data: string, sharedTree: string): Promise<Map<Tool, Site>> {
  const sites = new Map<Tool, Site>();
  for (const tool of bench.tools) {
    if (tool.notFor?.includes(data)) continue;
    const slug = tool.name.replaceAll(/[^a-z0-9.]+/gi, '-');
    const site = { tree: sharedTree, home: join(bench.workDir, `${data}-home-${slug}`) };
    await mkdir(site.home, { recursive: true });
    if (tool.ownTree) {
      site.tree = join(bench.workDir, `${data}-tree-${slug}`);
      await bench.runner.run({ argv: ['cp', '-a', sharedTree, site.tree] });
    }
    sites.set(tool, site);
  }
  return sites;
}

/** Every tree in use, once. */
export function treesOf(sites: ReadonlyMap<Tool, Site>): string[] {
  return [...new Set([...sites.values()].map((site) => site.tree))];
}
