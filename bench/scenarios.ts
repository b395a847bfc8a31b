// The three data sets and the jobs done on each, in the order in which a person would do them.

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { editFiles, insertBytes, listFiles, makeBinaryFolder, makeSourceTree, makeTextTree } from './data.ts';
import {
  type Attempt,
  after,
  type Bench,
  firstCommit,
  isWanted,
  makeSites,
  rows,
  storeSize,
  takeTurns,
  treesOf,
  verb,
} from './jobs.ts';
import { Interrupted } from './measure.ts';
import { timeCell } from './measurements.ts';
import type { Site, Tool } from './tools.ts';

const editedFiles = 100;
/** Enough that what pruning frees is more than the slack that restic leaves in its packs (5 %). */
const gcEditedFiles = 500;
const gcSnapshots = 20;
const gcKeepLast = 10;
const startRuns = 20;

/** What the data was; `countedRow` is the row whose time per file is worth a note. */
export type Description = { description: string; fileCount: number; countedRow?: string };

export const scenarios = { linux: runLinux, binary: runBinary, million: runMillion };

type Sites = ReadonlyMap<Tool, Site>;

async function runLinux(bench: Bench): Promise<Description> {
  const tree = join(bench.workDir, 'linux-tree');
  const description = await makeSourceTree(bench.runner, tree, {
    origin: bench.options.linux,
    quick: bench.options.quick,
  });
  const files = await listFiles(tree);
  const sites = await makeSites(bench, 'linux', tree);
  let turn = 0;
  const edit = async (count: number): Promise<void> => {
    turn += 1;
    for (const root of treesOf(sites)) await editFiles(root, files, { count, turn });
  };
  for (let round = 0; round < bench.options.rounds; round += 1) {
    await roundOfLinux(bench, sites, round, edit);
  }
  return { description: `${description}; ${files.length} files`, fileCount: files.length, countedRow: rows.first.id };
}

async function roundOfLinux(
  bench: Bench,
  sites: Sites,
  round: number,
  edit: (count: number) => Promise<void>,
): Promise<void> {
  const turns = (row: (typeof rows)[keyof typeof rows], attempt: Attempt): Promise<void> =>
    takeTurns(bench, row, round, sites, attempt);
  const snapshots = new Map<Tool, number>();
  const count = (tool: Tool): void => void snapshots.set(tool, (snapshots.get(tool) ?? 0) + 1);

  await turns(rows.first, (tool, site) => {
    count(tool);
    return firstCommit(tool, site);
  });
  await turns(rows.size, after(bench, rows.first, storeSize));
  await turns(rows.index, after(bench, rows.first, indexSize));
  if (isWanted(bench, rows.unchanged)) {
    await turns(rows.unchanged, (tool, site) => {
      if (tool.recordsUnchanged) count(tool);
      return tool.commit?.(site, 'unchanged').then(timeCell);
    });
  }
  await edit(editedFiles);
  await turns(rows.edit, (tool, site) => {
    count(tool);
    return tool.commit?.(site, 'edited').then(timeCell);
  });
  if (isWanted(bench, rows.checkout)) await turns(rows.checkout, checkoutAttempt(bench, round));
  if (isWanted(bench, rows.back)) await turns(rows.back, (tool, site) => checkoutBack(tool, site));
  if (isWanted(bench, rows.verify))
    await turns(
      rows.verify,
      verb((tool) => tool.verify),
    );
  if (round === bench.options.rounds - 1) await measureStarts(bench, sites);
  if (isWanted(bench, rows.gc)) {
    await fillUp(bench, sites, snapshots, edit);
    await turns(rows.gc, after(bench, rows.gc, collect));
    await turns(
      rows.gcSize,
      after(bench, rows.gc, (tool, site) => (tool.gc === undefined ? undefined : storeSize(tool, site))),
    );
  }
}

function indexSize(tool: Tool, site: Site): ReturnType<Attempt> {
  if (!tool.ownTree) return undefined;
  return tool.storeBytes?.(site).then(({ index }) => ({ value: index ?? 0 }));
}

/** Into a new folder; in the first round what snap wrote is compared with what it had committed. */
function checkoutAttempt(bench: Bench, round: number): Attempt {
  return (tool, site) => {
    const { checkoutAll } = tool;
    if (checkoutAll === undefined) return undefined;
    const dest = join(bench.workDir, 'checkout');
    return mkdir(dest)
      .then(async () => {
        const cell = timeCell(await checkoutAll(site, dest));
        if (tool.ownTree && round === 0) await compareTrees(bench, site.tree, dest);
        return cell;
      })
      .finally(() => rm(dest, { recursive: true, force: true, maxRetries: 3 }));
  };
}

async function compareTrees(bench: Bench, expected: string, actual: string): Promise<void> {
  await bench.runner.run({ argv: ['diff', '-rq', '--no-dereference', '-x', '.snap', expected, actual] });
}

function checkoutBack(tool: Tool, site: Site): ReturnType<Attempt> {
  const { checkoutBack: back, checkoutNewest: newest } = tool;
  if (back === undefined || newest === undefined) return undefined;
  return back(site).then(async (sample) => {
    await newest(site);
    return timeCell(sample);
  });
}

/** Counts before and after, so that no row is about fewer snapshots than it says. */
const collect: Attempt = (tool, site) => {
  const { gc, snapshotCount } = tool;
  if (gc === undefined || snapshotCount === undefined) return undefined;
  const expectCount = async (when: string, expected: number): Promise<void> => {
    const found = await snapshotCount(site);
    if (found !== expected) throw new Error(`${found} snapshots ${when} gc, expected ${expected}`);
  };
  return expectCount('before', gcSnapshots).then(async () => {
    const cell = timeCell(await gc(site, gcKeepLast));
    await expectCount('after', gcKeepLast);
    return cell;
  });
};

/** Edits and commits until every program has the same number of snapshots. */
async function fillUp(
  bench: Bench,
  sites: Sites,
  snapshots: ReadonlyMap<Tool, number>,
  edit: (count: number) => Promise<void>,
): Promise<void> {
  const takers = [...sites].filter(([tool]) => tool.gc !== undefined);
  const most = Math.max(0, ...takers.map(([tool]) => gcSnapshots - (snapshots.get(tool) ?? 0)));
  for (let left = most; left > 0; left -= 1) {
    await edit(gcEditedFiles);
    for (const [tool, site] of takers) {
      if (bench.measurements.failure(rows.gc.id, tool.name) !== undefined) continue;
      if (gcSnapshots - (snapshots.get(tool) ?? 0) < left) continue;
      try {
        await tool.commit?.(site, `edit ${left}`);
      } catch (error) {
        if (error instanceof Interrupted) throw error;
        bench.measurements.fail(rows.gc, tool.name, error instanceof Error ? error.message : String(error));
      }
    }
  }
  bench.say(`prepared ${gcSnapshots} snapshots`);
}

async function measureStarts(bench: Bench, sites: Sites): Promise<void> {
  const starts = [
    { row: rows.startLog, pick: (tool: Tool) => tool.log },
    { row: rows.startHelp, pick: (tool: Tool) => tool.help },
    { row: rows.startVersion, pick: (tool: Tool) => tool.versionCommand },
  ];
  for (const { row, pick } of starts.filter(({ row }) => isWanted(bench, row))) {
    for (let run = 0; run < startRuns; run += 1) await takeTurns(bench, row, run, sites, verb(pick));
  }
}

async function runBinary(bench: Bench): Promise<Description> {
  const { runner, options } = bench;
  const source = join(bench.workDir, 'binary-source');
  const tree = join(bench.workDir, 'binary-tree');
  const sizes = options.quick ? { tarBytes: 64e6, weightBytes: 32e6 } : { tarBytes: 1e9, weightBytes: 0.5e9 };
  const origin = options.quick || options.linux === undefined ? source : options.linux;
  const description =
    origin === source
      ? await makeSourceTree(runner, source, { origin: options.linux, quick: options.quick })
      : `Linux source, ${origin}`;
  await makeBinaryFolder(runner, tree, { source: origin, ...sizes });
  await rm(source, { recursive: true, force: true });
  const sites = await makeSites(bench, 'binary', tree);
  for (let round = 0; round < options.rounds; round += 1) {
    await takeTurns(bench, rows.tarFirst, round, sites, firstCommit);
    const before = new Map<Tool, number>();
    const sizeBefore: Attempt = (tool, site) =>
      storeSize(tool, site)?.then((cell) => {
        before.set(tool, cell.value);
        return cell;
      });
    await takeTurns(bench, rows.tarSize, round, sites, after(bench, rows.tarFirst, sizeBefore));
    if (!isWanted(bench, rows.tarInsert) && !isWanted(bench, rows.tarAdded)) continue;
    // Odd places, others in each round, so that nothing falls on a block's edge.
    const offsets = [40_003 + 977 * round, Math.floor(sizes.tarBytes / 2) + 13 + 977 * round];
    for (const root of treesOf(sites)) await insertBytes(join(root, 'linux.tar'), offsets, `ins${round}`);
    await takeTurns(bench, rows.tarInsert, round, sites, (tool, site) =>
      tool.commit?.(site, 'inserted').then(timeCell),
    );
    const added: Attempt = (tool, site) =>
      storeSize(tool, site)?.then((cell) => ({ value: cell.value - (before.get(tool) ?? 0) }));
    await takeTurns(bench, rows.tarAdded, round, sites, after(bench, rows.tarInsert, added));
  }
  const weights = `${sizes.weightBytes / 1e6} MB of gaussian float32`;
  return { description: `a tar (${sizes.tarBytes / 1e6} MB) of: ${description}; ${weights}`, fileCount: 2 };
}

async function runMillion(bench: Bench): Promise<Description> {
  const count = bench.options.quick ? 20_000 : 1_000_000;
  const tree = join(bench.workDir, 'million-tree');
  await makeTextTree(bench.runner, tree, { count, filesPerFolder: 250, bytesMax: 2_000, seed: 6 });
  // One tree for all, without copies of its 5 GB: each program's traces are removed before the next begins.
  const sites = new Map<Tool, Site>();
  for (const [index, tool] of bench.tools.entries()) {
    if (!tool.notFor?.includes('million'))
      sites.set(tool, { tree, home: join(bench.workDir, `million-home-${index}`) });
  }
  for (let round = 0; round < bench.options.rounds; round += 1) {
    await takeTurns(bench, rows.million, round, sites, (tool, site) =>
      mkdir(site.home, { recursive: true }).then(async () => {
        try {
          return (await firstCommit(tool, site)) ?? { value: Number.NaN };
        } finally {
          await rm(site.home, { recursive: true, force: true, maxRetries: 3 });
          await rm(join(tree, '.snap'), { recursive: true, force: true, maxRetries: 3 });
        }
      }),
    );
  }
  return { description: `${count} generated text files of up to 2 kB`, fileCount: count, countedRow: rows.million.id };
}
