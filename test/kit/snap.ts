/** Runs the built command as a person would: a child process, with its own home, and nothing of the caller's terminal. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../../bin/snap.js', import.meta.url));

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The runtime to use; default: the one that runs the tests. */
  readonly node?: string;
}

/** `snap <args>`; never throws. */
export function snap(args: readonly string[], options: RunOptions = {}): Ran {
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: process.env.HOME ?? '/tmp',
    TZ: 'UTC',
    LANG: 'C.UTF-8',
    ...options.env,
  };
  const result = spawnSync(options.node ?? process.execPath, [BIN, ...args], {
    encoding: 'utf8',
    env,
    cwd: options.cwd,
    input: options.input,
    maxBuffer: 256 * 1024 * 1024,
  });
  return { code: result.status, stdout: result.stdout, stderr: result.stderr };
}

/** As `snap`, expecting success; returns stdout. */
export function ok(args: readonly string[], options: RunOptions = {}): string {
  const ran = snap(args, options);
  if (ran.code !== 0) throw new Error(`snap ${args.join(' ')} ended with ${ran.code}\n${ran.stdout}\n${ran.stderr}`);
  return ran.stdout;
}

/** As `ok` with --json, parsed. */
export function json<T = Record<string, unknown>>(args: readonly string[], options: RunOptions = {}): T {
  return JSON.parse(ok([...args, '--json'], options)) as T;
}

/** The system's own Node, where it is another version than the one running the tests. */
export function systemNode(): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(':')) {
    const path = `${folder}/node`;
    if (folder.includes('node_modules') || !existsSync(path)) continue;
    const version = spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout.trim();
    if (version !== process.version) return path;
  }
  return undefined;
}
