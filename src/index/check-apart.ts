/** Reads an index in a child process before this one opens it: a damaged table can abort the process that reads it. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const TIMEOUT_MS = 60_000;

/** True if the index at `path` can be read whole. */
export function checkIndexApart(path: string): Promise<boolean> {
  const here = import.meta.url;
  const script = here.endsWith('.ts')
    ? new URL('./index-check.ts', here)
    : new URL(here.includes('/chunks/') ? '../index/index-check.js' : './index/index-check.js', here);
  return new Promise((resolve) => {
    execFile(process.execPath, [fileURLToPath(script), path], { timeout: TIMEOUT_MS }, (error) =>
      resolve(error === null),
    );
  });
}
