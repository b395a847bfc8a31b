/**
 * Carries out the steps of a checkout. What a person could lose is looked at once more just before it is changed: an
 * entry that is not what was saved stays as it is and is reported. SPEC.md "Checkout".
 */
import { fromSystemError } from '../errors.ts';
import type { TreeEntry } from '../object/tree-entry.ts';
import { linkGroup, sameTime } from '../object/tree-entry.ts';
import type { Repository } from '../repo/repository.ts';
import type { Workers } from '../work/start-workers.ts';
import type { FailedPath } from './file-writer.ts';
import { FileWriter } from './file-writer.ts';
import type { Step } from './plan.ts';
import type { Target } from './target.ts';

export type OverwritePolicy = 'always' | 'if-newer' | 'never';

/** Compares existing files with what is to be written; answers come in batches, the last after `flush`. */
export interface ExistingFiles {
  isRight(path: string, entry: TreeEntry): Promise<boolean>;
  flush(): void;
}

const COMPARED_AT_ONCE_MAX = 2048;

export interface ApplyOptions {
  readonly repository: Repository;
  readonly workers: Workers;
  readonly target: Target;
  readonly overwrite: OverwritePolicy;
  /** False if the entry at `path` is not what was seen, and saved, before. */
  readonly isAsSeen: (path: string) => boolean;
  /** Tells which files that are there hold the right bytes already; undefined if none can. */
  readonly existing: ExistingFiles | undefined;
  /** Collect the stats of written files. */
  readonly keepStats: boolean;
  readonly signal: AbortSignal | undefined;
  readonly progress: (files: number, bytes: number) => void;
}

export interface ApplyResult {
  readonly written: number;
  readonly bytesWritten: number;
  readonly removed: number;
  readonly alreadyRight: number;
  readonly kept: readonly string[];
  /** FIFOs, devices, sockets: Node cannot make them. */
  readonly notMade: readonly string[];
  readonly failures: readonly FailedPath[];
  /** Size, mtime, ctime, inode of files as they were just after they were put in place. */
  readonly stats: ReadonlyMap<string, BigInt64Array>;
  readonly folders: readonly Extract<Step, { kind: 'folder' }>[];
}

type PlaceStep = Extract<Step, { kind: 'write' | 'symlink' | 'special' }>;

export async function applySteps(steps: AsyncIterable<Step>, options: ApplyOptions): Promise<ApplyResult> {
  const run = new Apply(options);
  for await (const step of steps) {
    options.signal?.throwIfAborted();
    await run.step(step);
  }
  return run.finish();
}

class Apply {
  readonly #options: ApplyOptions;
  readonly #writer: FileWriter;
  readonly #folders: Extract<Step, { kind: 'folder' }>[] = [];
  readonly #links = new Map<string, { readonly first: string; readonly others: string[] }>();
  readonly #failures: FailedPath[] = [];
  readonly #kept: string[] = [];
  readonly #notMade: string[] = [];
  readonly #stats = new Map<string, BigInt64Array>();
  readonly #unlocked = new Set<string>();
  readonly #comparing = new Set<Promise<void>>();
  #written = 0;
  #bytes = 0;
  #removed = 0;
  #right = 0;

  constructor(options: ApplyOptions) {
    this.#options = options;
    this.#writer = new FileWriter(options.repository, options.workers, options.target, {
      wantStats: options.keepStats,
      written: (path, numbers, bytes) => {
        this.#written++;
        this.#bytes += bytes;
        if (numbers !== undefined) this.#stats.set(path, numbers);
        options.progress(this.#written, this.#bytes);
      },
    });
  }

  async step(step: Step): Promise<void> {
    if (step.kind === 'folder') {
      this.#folders.push(step);
      return;
    }
    try {
      await this.#carryOut(step);
    } catch (error) {
      this.#note(step.path, error);
    }
  }

  /** Collects what failed for one path; throws what concerns them all. */
  #note(path: string, error: unknown): void {
    const failure = fromSystemError(error, 'changing', path);
    if (failure.code === 'no-space' || failure.code === 'internal' || failure.code === 'interrupted') throw failure;
    this.#failures.push({ path, code: failure.code, reason: failure.message });
  }

  async finish(): Promise<ApplyResult> {
    this.#options.existing?.flush();
    await Promise.all(this.#comparing);
    await this.#writer.finish();
    const { target } = this.#options;
    for (const { first, others } of this.#links.values())
      for (const path of others) this.#attempt(path, () => this.#link(first, path));
    for (const { path, entry } of [...this.#folders].sort((a, b) => b.path.length - a.path.length)) {
      if (entry !== undefined) this.#attempt(path, () => target.setMetadata(path, entry));
    }
    return {
      written: this.#written,
      bytesWritten: this.#bytes,
      removed: this.#removed,
      alreadyRight: this.#right,
      kept: this.#kept,
      notMade: this.#notMade,
      failures: [...this.#failures, ...this.#writer.failures],
      stats: this.#stats,
      folders: this.#folders,
    };
  }

  async #carryOut(step: Exclude<Step, { kind: 'folder' }>): Promise<void> {
    const { target } = this.#options;
    const { path } = step;
    this.#unlockParent(path);
    switch (step.kind) {
      case 'remove':
        if (target.look(path) === undefined || !this.#mayChange(path)) return;
        target.remove(path);
        this.#removed++;
        return;
      case 'remove-folder':
        this.#unlock(path);
        if (target.look(path)?.isDirectory() === true && !target.removeFolder(path)) this.#kept.push(path);
        return;
      case 'make-folder':
        if (target.look(path)?.isDirectory() === true) this.#unlock(path);
        else target.makeFolder(path);
        return;
      case 'metadata':
        if (this.#mayChange(path)) target.setMetadata(path, step.entry);
        return;
      default:
        await this.#place(step);
    }
  }

  async #place(step: PlaceStep): Promise<void> {
    const { target, existing } = this.#options;
    const { path, entry } = step;
    const there = target.look(path);
    if (there === undefined) return this.#write(step);
    if (existing === undefined || step.kind !== 'write' || step.entry.linkKey !== undefined || !there.isFile())
      return this.#replace(step, there.mtimeNs);
    const compared = existing.isRight(path, entry).then(async (right) => {
      if (!right) return this.#replace(step, there.mtimeNs);
      this.#right++;
      if (Number(there.mode & 0o7777n) !== entry.mode || !sameTime(there.mtimeNs, entry.mtime))
        target.setMetadata(path, entry);
    });
    const done = compared
      .catch((error: unknown) => this.#note(path, error))
      .finally(() => this.#comparing.delete(done));
    this.#comparing.add(done);
    if (this.#comparing.size >= COMPARED_AT_ONCE_MAX) await Promise.race(this.#comparing);
  }

  async #replace(step: PlaceStep, mtime: bigint): Promise<void> {
    if (this.#mayOverwrite(step.path, step.entry, mtime) && this.#mayChange(step.path)) await this.#write(step);
  }

  async #write(step: PlaceStep): Promise<void> {
    const { path } = step;
    if (step.kind === 'write') {
      const key = linkGroup(step.entry);
      const group = key === undefined ? undefined : this.#links.get(key);
      if (group !== undefined) group.others.push(path);
      else {
        if (key !== undefined) this.#links.set(key, { first: path, others: [] });
        await this.#writer.write(path, step.entry);
      }
    } else if (step.kind === 'symlink') {
      this.#options.target.symlink(path, step.entry);
      this.#written++;
    } else this.#notMade.push(path);
  }

  #link(first: string, path: string): void {
    this.#options.target.link(first, path);
    this.#written++;
  }

  #mayOverwrite(path: string, entry: TreeEntry, mtime: bigint): boolean {
    const { overwrite } = this.#options;
    const may =
      overwrite === 'always' || (overwrite === 'if-newer' && entry.mtime > mtime && !sameTime(entry.mtime, mtime));
    if (!may) this.#kept.push(path);
    return may;
  }

  #mayChange(path: string): boolean {
    if (this.#options.isAsSeen(path)) return true;
    this.#failures.push({
      path,
      code: 'refused',
      reason: `${path} changed while the checkout went on; it was left as it is`,
    });
    return false;
  }

  #unlockParent(path: string): void {
    const slash = path.lastIndexOf('/');
    this.#unlock(slash < 0 ? '' : path.slice(0, slash));
  }

  #unlock(folder: string): void {
    if (this.#unlocked.has(folder)) return;
    this.#unlocked.add(folder);
    this.#options.target.unlockFolder(folder);
  }

  #attempt(path: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      const failure = fromSystemError(error, 'changing', path);
      this.#failures.push({ path, code: failure.code, reason: failure.message });
    }
  }
}
