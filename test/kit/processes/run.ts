/** Runs the built command beside the test: a child process that can be waited for, or killed. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Ran } from '../snap.ts';

export const BIN = fileURLToPath(new URL('../../../bin/snap.js', import.meta.url));

export interface Running {
  readonly child: ChildProcess;
  /** What it has written to stderr so far. */
  stderr(): string;
  /** Code null: it was killed. */
  readonly done: Promise<Ran>;
}

/** Starts `snap <args>` in a folder. */
export function start(args: readonly string[], cwd: string): Running {
  const env = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '/tmp', TZ: 'UTC', LANG: 'C.UTF-8' };
  const child = spawn(process.execPath, [BIN, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const done = new Promise<Ran>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
  return { child, stderr: () => stderr, done };
}

/** As `start`, to the end. */
export function run(args: readonly string[], cwd: string): Promise<Ran> {
  return start(args, cwd).done;
}
