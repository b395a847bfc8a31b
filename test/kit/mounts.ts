/** Mounts for tests, where they are permitted: taken away again after each test. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { temporaryFolder } from './folder.ts';

const mounted: string[] = [];

/** True where this user may mount; says on stderr that `file` does not test it where not. */
export function mayMount(file: string): boolean {
  const probe = temporaryFolder();
  const may =
    process.getuid?.() === 0 && spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', probe.path]).status === 0;
  if (may) spawnSync('umount', ['-l', probe.path]);
  probe.remove();
  if (!may) process.stderr.write(`${file}: nothing can be mounted here; mounts are not tested\n`);
  return may;
}

/** `mount <options> <path>`, until `unmountAll`. Makes the folder if need be. */
export function mount(path: string, ...options: string[]): void {
  mkdirSync(path, { recursive: true });
  execFileSync('mount', [...options, path]);
  mounted.push(path);
}

export function mountTmpfs(path: string): void {
  mount(path, '-t', 'tmpfs', '-o', 'size=64m', 'none');
}

/** Takes away what was mounted, the last one first. */
export function unmountAll(): void {
  for (const path of mounted.splice(0).reverse()) spawnSync('umount', ['-l', path]);
}
