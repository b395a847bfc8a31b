/** A build of the command line that can be told to end at any of its operations, and how to run it. */
import type { SpawnSyncReturns } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

export interface KillBuild {
  /** `snap <args>` in `cwd`; `kill` as of kill-at.ts. */
  run(cwd: string, args: readonly string[], kill?: string): SpawnSyncReturns<string>;
  /** The same, with a signal after so many milliseconds. */
  runFor(cwd: string, args: readonly string[], milliseconds: number, signal: NodeJS.Signals): Promise<number | null>;
}

export async function killBuild(folder: string): Promise<KillBuild> {
  await build({
    absWorkingDir: ROOT,
    entryPoints: [
      { in: 'test/kit/crash/killed-command.ts', out: 'snap' },
      { in: 'test/kit/crash/killed-worker.ts', out: 'work/worker' },
      { in: 'src/index/index-check.ts', out: 'index/index-check' },
    ],
    outdir: folder,
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    external: ['level', 'zstd-codec'],
    nodePaths: [`${ROOT}/node_modules`],
    logLevel: 'error',
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
    },
  });
  const command = (args: readonly string[]): string[] => [`${folder}/snap.js`, ...args];
  const environment = (kill: string | undefined): NodeJS.ProcessEnv => ({
    PATH: process.env.PATH,
    HOME: folder,
    ...(kill === undefined ? {} : { SNAP_TEST_KILL: kill }),
  });
  return {
    run: (cwd, args, kill) =>
      spawnSync(process.execPath, command(args), { cwd, env: environment(kill), encoding: 'utf8', timeout: 60_000 }),
    runFor: (cwd, args, milliseconds, signal) =>
      new Promise((resolve) => {
        const child = spawn(process.execPath, command(args), { cwd, env: environment(undefined), stdio: 'ignore' });
        const timer = setTimeout(() => child.kill(signal), milliseconds);
        child.on('exit', (code) => {
          clearTimeout(timer);
          resolve(code);
        });
      }),
  };
}
