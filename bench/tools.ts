// The programs that are compared, each as a value with the same verbs. A verb that a program lacks is left
// out and its cell in the table stays empty. Every program keeps its store, cache and home inside `site.home`.

import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sizeOf } from './data.ts';
import type { Command, Runner, Sample } from './measure.ts';

/** Where one program works: the folder it snapshots and the folder it may fill with what is its own. */
export type Site = { tree: string; home: string };
export type StoreBytes = { store: number; index?: number };

export type Tool = {
  name: string;
  version: string;
  /** Writes into the tree it snapshots, so it gets a copy for itself. */
  ownTree?: boolean;
  /** A commit of an unchanged folder still makes a snapshot. */
  recordsUnchanged?: boolean;
  /** Takes part only in these jobs. */
  onlyJobs?: readonly string[];
  /** Left out of these data sets. */
  notFor?: readonly string[];
  /** Removes the store of `site` and makes a new, empty one. */
  fresh: (site: Site) => Promise<void>;
  commit?: (site: Site, message: string) => Promise<Sample>;
  checkoutAll?: (site: Site, dest: string) => Promise<Sample>;
  /** In place, to the newest snapshot but one; `checkoutNewest` comes back and is not measured. */
  checkoutBack?: (site: Site) => Promise<Sample>;
  checkoutNewest?: (site: Site) => Promise<Sample>;
  verify?: (site: Site) => Promise<Sample>;
  gc?: (site: Site, keepLast: number) => Promise<Sample>;
  storeBytes?: (site: Site) => Promise<StoreBytes>;
  /** How many snapshots the store lists; checked before and after gc. */
  snapshotCount?: (site: Site) => Promise<number>;
  log?: (site: Site) => Promise<Sample>;
  help?: (site: Site) => Promise<Sample>;
  versionCommand?: (site: Site) => Promise<Sample>;
};

export function snapTool(runner: Runner, setup: { name: string; node: string; bin: string; version: string }): Tool {
  const run = (site: Site, ...args: string[]): Promise<Sample> =>
    runner.run({
      argv: [setup.node, setup.bin, '-C', site.tree, ...args],
      env: homeEnv(site),
    });
  return {
    name: setup.name,
    version: setup.version,
    ownTree: true,
    fresh: async (site) => {
      await rm(join(site.tree, '.snap'), { recursive: true, force: true });
      await run(site, 'init');
    },
    commit: (site, message) => run(site, 'commit', '-m', message),
    checkoutAll: (site, dest) => run(site, 'checkout', 'HEAD', '--to', dest),
    checkoutBack: (site) => run(site, 'checkout', 'HEAD~1'),
    checkoutNewest: (site) => run(site, 'checkout', 'latest'),
    verify: (site) => run(site, 'verify', '--data'),
    gc: (site, keepLast) => run(site, 'gc', '--keep-last', String(keepLast)),
    storeBytes: async (site) => ({
      store: await sizeOf(join(site.tree, '.snap', 'store')),
      index: await sizeOf(join(site.tree, '.snap', 'index')),
    }),
    snapshotCount: async (site) => countLines(await run(site, 'log', '--oneline')),
    log: (site) => run(site, 'log'),
    help: async (site) => {
      const sample = await run(site, 'status', '--help');
      // An unknown command's help is the general one: fast, but another job.
      if (!sample.stdout.includes('snap status')) throw new Error('there is no `snap status` to explain');
      return sample;
    },
    versionCommand: (site) => runner.run({ argv: [setup.node, setup.bin, '--version'], env: homeEnv(site) }),
  };
}

export function resticTool(runner: Runner, version: string): Tool {
  const run = (site: Site, ...args: string[]): Promise<Sample> =>
    runner.run({ argv: ['restic', '-q', ...args], cwd: site.tree, env: resticEnv(site) });
  return {
    name: 'restic',
    version,
    recordsUnchanged: true,
    fresh: async (site) => {
      await emptyHome(site);
      await run(site, 'init');
    },
    commit: (site) => run(site, 'backup', '--host', 'bench', '.'),
    checkoutAll: (site, dest) => run(site, 'restore', 'latest', '--target', dest),
    verify: (site) => run(site, 'check', '--read-data'),
    gc: (site, keepLast) => run(site, 'forget', '--keep-last', String(keepLast), '--prune'),
    storeBytes: async (site) => ({ store: await sizeOf(join(site.home, 'repo')) }),
    snapshotCount: async (site) => countItems(await run(site, 'snapshots', '--json')),
    log: (site) => run(site, 'snapshots'),
    help: (site) => run(site, 'backup', '--help'),
    versionCommand: (site) => run(site, 'version'),
  };
}

export function borgTool(runner: Runner, version: string, compression: 'lz4' | 'zstd,3'): Tool {
  const run = (site: Site, ...args: string[]): Promise<Sample> =>
    runner.run({ argv: ['borg', ...args], cwd: site.tree, env: borgEnv(site) });
  let serial = 0;
  let newest = '';
  const commit = (site: Site): Promise<Sample> => {
    serial += 1;
    newest = `a${serial}`;
    return run(site, 'create', '--compression', compression, `::${newest}`, '.');
  };
  const tool: Tool = {
    name: compression === 'lz4' ? 'borg' : 'borg zstd',
    version,
    recordsUnchanged: true,
    fresh: async (site) => {
      await emptyHome(site);
      await run(site, 'init', '-e', 'none');
    },
    commit,
    storeBytes: async (site) => ({ store: await sizeOf(join(site.home, 'repo')) }),
  };
  if (compression !== 'lz4') return { ...tool, onlyJobs: ['first', 'size'], notFor: ['binary', 'million'] };
  return {
    ...tool,
    checkoutAll: (site, dest) =>
      runner.run({ argv: ['borg', 'extract', `::${newest}`], cwd: dest, env: borgEnv(site) }),
    verify: (site) => run(site, 'check', '--verify-data'),
    gc: async (site, keepLast) =>
      sumOf(await run(site, 'prune', '--keep-last', String(keepLast)), await run(site, 'compact')),
    snapshotCount: async (site) => countLines(await run(site, 'list', '--short')),
    log: (site) => run(site, 'list'),
    help: (site) => run(site, 'help', 'create'),
    versionCommand: (site) => run(site, '--version'),
  };
}

export function gitTool(runner: Runner, version: string): Tool {
  const run = (site: Site, args: readonly string[], okCodes: readonly number[] = [0]): Promise<Sample> =>
    runner.run({ argv: ['git', ...args], cwd: site.tree, env: gitEnv(site), okCodes });
  return {
    name: 'git',
    version,
    notFor: ['million'],
    fresh: async (site) => {
      await emptyHome(site);
      await run(site, ['init', '-q', '-b', 'main']);
      // Automatic gc runs on in the background after the command; off, it neither helps nor disturbs a row.
      await run(site, ['config', 'gc.auto', '0']);
    },
    // `-f`, because the tree's own .gitignore files hide some of it; exit 1 is "nothing to commit".
    commit: async (site, message) =>
      sumOf(await run(site, ['add', '-A', '-f', '.']), await run(site, ['commit', '-q', '-m', message], [0, 1])),
    checkoutAll: (site, dest) => run(site, ['checkout-index', '-a', '-f', `--prefix=${dest}/`]),
    checkoutBack: (site) => run(site, ['checkout', '-q', '--detach', 'HEAD~1']),
    checkoutNewest: (site) => run(site, ['checkout', '-q', 'main']),
    verify: (site) => run(site, ['fsck', '--full', '--no-progress']),
    storeBytes: async (site) => ({ store: await sizeOf(join(site.home, 'dir')) }),
    log: (site) => run(site, ['log', '--oneline']),
    help: (site) => run(site, ['status', '-h'], [0, 129]),
    versionCommand: (site) => run(site, ['--version']),
  };
}

/** The physical neighbours: copying without any store, and one compressed stream. */
export function copyTool(runner: Runner): Tool {
  return {
    name: 'cp -a',
    version: 'coreutils',
    fresh: emptyHome,
    onlyJobs: ['first', 'checkout', 'tar-first', 'million'],
    commit: (site) => runner.run({ argv: ['cp', '-a', site.tree, join(site.home, 'copy')], env: homeEnv(site) }),
    checkoutAll: (site, dest) => runner.run({ argv: ['cp', '-a', `${site.tree}/.`, dest], env: homeEnv(site) }),
  };
}

export function tarTool(runner: Runner, version: string): Tool {
  const archive = (site: Site): string => join(site.home, 'archive.tar.zst');
  const command = (site: Site, ...argv: [string, ...string[]]): Command => ({ argv, env: homeEnv(site) });
  return {
    name: 'tar|zstd',
    version,
    fresh: emptyHome,
    onlyJobs: ['first', 'size', 'checkout', 'tar-first', 'tar-size', 'million'],
    commit: (site) =>
      runner.pipe(
        command(site, 'tar', '-C', site.tree, '-cf', '-', '.'),
        command(site, 'zstd', '-q', '-f', '-3', '-T0', '-o', archive(site)),
      ),
    checkoutAll: (site, dest) =>
      runner.pipe(command(site, 'zstd', '-q', '-dc', archive(site)), command(site, 'tar', '-C', dest, '-xf', '-')),
    storeBytes: async (site) => ({ store: await sizeOf(archive(site)) }),
  };
}

/** The floor under every start-up time of a program that runs on Node. */
export function nodeTool(runner: Runner, node: string): Tool {
  return {
    name: 'node -e 0',
    version: process.version,
    fresh: emptyHome,
    onlyJobs: ['start-version'],
    versionCommand: (site) => runner.run({ argv: [node, '-e', '0'], env: homeEnv(site) }),
  };
}

/** Two commands that a person types one after the other, as one measurement. */
function sumOf(a: Sample, b: Sample): Sample {
  return {
    wallMs: a.wallMs + b.wallMs,
    cpuMs: a.cpuMs === null || b.cpuMs === null ? null : a.cpuMs + b.cpuMs,
    rssBytes: a.rssBytes === null || b.rssBytes === null ? null : Math.max(a.rssBytes, b.rssBytes),
    stdout: a.stdout + b.stdout,
    stderr: a.stderr + b.stderr,
  };
}

function countLines(sample: Sample): number {
  return sample.stdout.split('\n').filter((line) => line.trim() !== '').length;
}

function countItems(sample: Sample): number {
  const parsed: unknown = JSON.parse(sample.stdout);
  return Array.isArray(parsed) ? parsed.length : 0;
}

async function emptyHome(site: Site): Promise<void> {
  if (existsSync(site.home)) await rm(site.home, { recursive: true, force: true, maxRetries: 3 });
  await mkdir(site.home, { recursive: true });
}

function homeEnv(site: Site): Record<string, string> {
  return { HOME: site.home, XDG_CACHE_HOME: join(site.home, 'cache'), XDG_CONFIG_HOME: join(site.home, 'config') };
}

function resticEnv(site: Site): Record<string, string> {
  return {
    ...homeEnv(site),
    RESTIC_PASSWORD: 'bench',
    RESTIC_REPOSITORY: join(site.home, 'repo'),
    RESTIC_CACHE_DIR: join(site.home, 'cache'),
  };
}

function borgEnv(site: Site): Record<string, string> {
  return {
    ...homeEnv(site),
    BORG_REPO: join(site.home, 'repo'),
    BORG_BASE_DIR: site.home,
    BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes',
    BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes',
  };
}

function gitEnv(site: Site): Record<string, string> {
  return {
    ...homeEnv(site),
    GIT_DIR: join(site.home, 'dir'),
    GIT_WORK_TREE: site.tree,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: join(site.home, 'gitconfig'),
    GIT_AUTHOR_NAME: 'bench',
    GIT_AUTHOR_EMAIL: 'bench@localhost',
    GIT_COMMITTER_NAME: 'bench',
    GIT_COMMITTER_EMAIL: 'bench@localhost',
  };
}
