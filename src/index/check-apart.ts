/** Reads an index in a child process before this one opens it: a damaged table can abort the process that reads it. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { IndexVerdict } from './index-sound.ts';

/** Of the program that reads it. It gives a sign of life every 10,000 records: 40 ms where 3 million took 12 s. */
const SILENCE_MS_MAX = 60_000;

/** 1 is how Node ends with what nobody caught. */
export const EXIT_CODES: Readonly<Record<IndexVerdict, number>> = { sound: 0, unknown: 1, locked: 11, damaged: 20 };

/** Whether the index at `path` can be read whole. `silenceMs`: how long the reading may go on without a sign of life. */
export function checkIndexApart(path: string, silenceMs = SILENCE_MS_MAX): Promise<IndexVerdict> {
  const here = import.meta.url;
  const script = here.endsWith('.ts')
    ? new URL('./index-check.ts', here)
    : new URL(here.includes('/chunks/') ? '../index/index-check.js' : './index/index-check.js', here);
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [fileURLToPath(script), path], (error) => {
      clearTimeout(limit);
      resolve(error === null ? 'sound' : verdictOf(error.code, error.signal));
    });
    const limit = setTimeout(() => child.kill('SIGKILL'), silenceMs);
    child.stdout?.on('data', () => limit.refresh());
  });
}

/** How a damaged table ends its reader; other signals come from people, from us, or for want of memory. */
const SIGNALS_OF_DAMAGE: readonly unknown[] = ['SIGABRT', 'SIGSEGV', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGTRAP'];

function verdictOf(code: unknown, signal: unknown): IndexVerdict {
  if (code === EXIT_CODES.locked) return 'locked';
  return code === EXIT_CODES.damaged || SIGNALS_OF_DAMAGE.includes(signal) ? 'damaged' : 'unknown';
}
