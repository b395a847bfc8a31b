/**
 * The real disk with a hook before each call, which may do something first, or make the call fail with an errno, and one
 * after it: calls that fail there have done their work, as on a server whose answer is lost.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach } from 'vitest';
import type { Workspace } from '../../src/api/workspace.ts';
import { initWorkspace, openWorkspaceIn } from '../../src/api/workspace.ts';
import type { Disk } from '../../src/disk/disk.ts';
import { realDisk } from '../../src/disk/disk.ts';
import type { Holder } from '../../src/disk/lock-file.ts';
import { processEnvironment } from '../../src/environment.ts';
import type { Environment } from '../../src/repo/environment.ts';
import { decodeStoreConfig, encodeStoreConfig } from '../../src/repo/store-config.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import { scratchFolder } from '../kit/small-workspace.ts';

/** Given the call and the path it is about (`rename` and `link`: where to); an errno makes it fail. */
export type Hook = (call: keyof Disk, path: string) => string | undefined;

export class FailingDisk {
  hook: Hook | undefined;
  after: Hook | undefined;
  readonly disk: Disk;

  constructor(hook?: Hook) {
    this.hook = hook;
    const paths = new Map<unknown, string>();
    const wrapped = { ...realDisk } as Record<string, unknown>;
    for (const name of Object.keys(realDisk) as (keyof Disk)[]) {
      const real = realDisk[name] as (...args: unknown[]) => unknown;
      wrapped[name] = (...args: unknown[]): unknown => {
        const about = name === 'rename' || name === 'link' ? args[1] : args[0];
        const path = typeof about === 'number' ? (paths.get(about) ?? '?') : String(about);
        const errno = this.hook?.(name, path);
        // A close that fails has closed all the same, as on Linux.
        if (errno !== undefined && name === 'close') real(...args);
        if (errno !== undefined) throw injected(errno);
        const result = real(...args);
        if (name === 'open') paths.set(result, String(args[0]));
        const late = this.after?.(name, path);
        if (late !== undefined) throw injected(late);
        return result;
      };
    }
    this.disk = wrapped as unknown as Disk;
  }
}

function injected(errno: string): Error {
  return Object.assign(new Error(`${errno}: injected`), { code: errno });
}

/** Runs `work` once, at the first call that fits; nothing fails. */
export function once(fits: (call: keyof Disk, path: string) => boolean, work: () => void): Hook {
  let done = false;
  return (call, path) => {
    if (done || !fits(call, path)) return undefined;
    done = true;
    work();
    return undefined;
  };
}

export function environmentWith(changes: Partial<Environment> = {}): Environment {
  return { ...processEnvironment('snap test'), ...changes };
}

/** A mark of a process, as locks, sessions and the index hold it. */
export function encodeHolder(holder: Holder): Buffer {
  return Buffer.from(JSON.stringify(holder));
}

/** Opens a workspace as another process of this machine would. */
export function openAt(root: string, changes: Partial<Environment> = {}): Promise<Workspace> {
  const environment = environmentWith(changes);
  return openWorkspaceIn(environment, inlineWorkers(environment.disk), root, { lockTimeoutMs: 0 });
}

/** A scratch folder with a new path for each test, removed after all. */
export function newRoots(): { readonly root: string; init(name?: string, store?: string): Promise<string> } {
  const scratch = scratchFolder();
  let count = 0;
  beforeEach(() => {
    count++;
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));
  return {
    get root() {
      return join(scratch, String(count));
    },
    async init(name = 'work', store?: string) {
      const root = join(this.root, name);
      await initWorkspace(root, { store });
      return root;
    },
  };
}

/** Gives the store of a new workspace other chunks and packs; to be called before it is opened. */
export function shrink(root: string, averageBytes: number, packBytes: number): void {
  const path = join(root, '.snap/store/config.json');
  const config = decodeStoreConfig(readFileSync(path));
  const chunker = { ...config.chunker, minBytes: averageBytes / 2, averageBytes, maxBytes: averageBytes * 2 };
  writeFileSync(path, encodeStoreConfig({ ...config, chunker, packBytes }));
}
