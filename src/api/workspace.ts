/**
 * Opening a workspace from outside: for programs and for the command line. Everything is held by the Workspace and
 * released by `close`.
 */

import { processEnvironment } from '../environment.ts';
import { SnapError } from '../errors.ts';
import type { Environment } from '../repo/environment.ts';
import type { InitResult } from '../repo/init.ts';
import { initWorkspace as initIn } from '../repo/init.ts';
import type { Repository } from '../repo/repository.ts';
import { findWorkspace, openRepository } from '../repo/repository.ts';
import type { Separated } from '../repo/separate.ts';
import { separate } from '../repo/separate.ts';
import type { Workers } from '../work/start-workers.ts';
import { startWorkers } from '../work/start-workers.ts';

export interface OpenOptions {
  /** Stops what runs; it then throws `interrupted` and leaves nothing half done. */
  readonly signal?: AbortSignal | undefined;
  /** How other processes see this one while they wait for it. */
  readonly command?: string | undefined;
  /** How long to wait for another command in the same workspace. Default: 10 s. */
  readonly lockTimeoutMs?: number | undefined;
  /**
   * How long to wait for another command that has the index of the workspace; who goes on without it reads every file
   * again. At most `lockTimeoutMs`. Default: not at all.
   */
  readonly indexWaitMs?: number | undefined;
  /** Called once when waiting for another command begins. */
  readonly onWaiting?: ((who: string) => void) | undefined;
}

export interface Workspace {
  readonly root: string;
  readonly repository: Repository;
  readonly signal: AbortSignal | undefined;
  /** Worker threads; started with the first job. */
  readonly workers: Workers;
  /**
   * Runs `work` while nothing else changes this workspace, in this process or another; what it calls in turn must get
   * `held`, which does not wait for itself. Throws `locked`.
   */
  exclusively<T>(work: (held: Workspace) => Promise<T>): Promise<T>;
  /** As `exclusively`, of what goes through this object alone: other processes may go on. */
  inTurn<T>(work: (own: Workspace) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const LOCK_TIMEOUT_MS = 10_000;

/** Opens the workspace that the absolute path `folder` lies in. Throws `no-workspace`, `no-store`, `corrupt-data`, … */
export async function openWorkspace(folder: string, options: OpenOptions = {}): Promise<Workspace> {
  const environment = processEnvironment(options.command ?? 'snap');
  return openWorkspaceIn(environment, startWorkers(environment.threads), folder, options);
}

/** As `openWorkspace`, in another environment and with other workers: `close` ends these, too. */
export async function openWorkspaceIn(
  environment: Environment,
  workers: Workers,
  folder: string,
  options: OpenOptions = {},
): Promise<Workspace> {
  const root = findWorkspace(environment, folder);
  const { signal, forget } = interrupting(options.signal);
  const lockTimeoutMs = options.lockTimeoutMs ?? LOCK_TIMEOUT_MS;
  const opening = openRepository(environment, root, {
    signal,
    indexWaitMs: Math.min(options.indexWaitMs ?? 0, lockTimeoutMs),
  });
  const repository = await opening.catch((error: unknown) => {
    forget();
    throw error;
  });
  let closed = false;
  const locked = async <T>(work: () => Promise<T>): Promise<T> => {
    if (closed)
      throw new SnapError('refused', 'the workspace is closed', { hint: 'Open it again with openWorkspace.' });
    const lock = await repository.lock(lockTimeoutMs, options.onWaiting);
    try {
      await repository.refresh();
      return await work();
    } finally {
      lock.release();
    }
  };
  let last: Promise<unknown> = Promise.resolve();
  const common = { root, repository, signal, workers };
  const close = async (): Promise<void> => {
    closed = true;
    forget();
    await workers.close();
    await repository.close();
  };
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  };
  const held: Workspace = { ...common, close, exclusively: (work) => work(held), inTurn: (work) => work(held) };
  const own: Workspace = {
    ...common,
    close,
    exclusively: (work) => locked(() => work(held)),
    inTurn: (work) => work(own),
  };
  return {
    ...common,
    close,
    exclusively: (work) => inTurn(() => own.exclusively(work)),
    inTurn: (work) => inTurn(() => work(own)),
  };
}

/** A signal that follows `given`, whose reason may be anything, with the reason `interrupted`, until `forget`. */
function interrupting(given: AbortSignal | undefined): { signal: AbortSignal; forget(): void } {
  const own = new AbortController();
  const stop = (): void =>
    own.abort(new SnapError('interrupted', 'stopped by the signal that was given', { cause: given?.reason }));
  if (given?.aborted === true) stop();
  given?.addEventListener('abort', stop, { once: true });
  return { signal: own.signal, forget: () => given?.removeEventListener('abort', stop) };
}

export interface InitWorkspaceOptions {
  /** Folder of a store that several workspaces share; by default the workspace has its own. */
  readonly store?: string | undefined;
  readonly name?: string | undefined;
  /** Allow a workspace inside another one. */
  readonly nested?: boolean | undefined;
}

/** Makes `folder` (absolute) a workspace. Throws `exists`, `refused`, `permission`. */
export async function initWorkspace(folder: string, options: InitWorkspaceOptions = {}): Promise<InitResult> {
  if (!folder.startsWith('/')) throw new SnapError('usage', `${folder} is not an absolute path`);
  return initIn(processEnvironment('snap init'), {
    root: folder,
    store: options.store,
    name: options.name,
    nested: options.nested ?? false,
  });
}

/**
 * Gives the workspace that the absolute path `folder` lies in, a copy of another one of its store, an id of its own. It
 * must not be open in this process. Throws `no-workspace`, `locked`, and `refused` if its store lies in it.
 */
export async function separateWorkspace(
  folder: string,
  options: Pick<InitWorkspaceOptions, 'name'> & Pick<OpenOptions, 'lockTimeoutMs'> = {},
): Promise<Separated & { readonly root: string }> {
  const environment = processEnvironment('snap init');
  const root = findWorkspace(environment, folder);
  const repository = await openRepository(environment, root);
  try {
    return { root, ...(await separate(repository, options.name, options.lockTimeoutMs ?? LOCK_TIMEOUT_MS)) };
  } finally {
    await repository.close();
  }
}
