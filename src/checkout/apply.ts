/**
 * Carries out the steps of a checkout. What a person could lose is looked at once more just before it is changed: an
 * entry that is not what was saved stays as it is and is reported. SPEC.md "Checkout".
 */
import type { FileStat } from '../disk/disk.ts';
import { errnoOf } from '../errors.ts';
import type { TreeEntry } from '../object/tree-entry.ts';
import { sameTime } from '../object/tree-entry.ts';
import type { Expected } from '../work/write-files.ts';
import { demandExpected, expectedOf } from '../work/write-files.ts';
import type { ApplyOptions, ApplyResult } from './apply-options.ts';
import type { FailedPath } from './failed-path.ts';
import { failedPath, metadataFailure } from './failed-path.ts';
import { FileWriter } from './file-writer.ts';
import type { LinkedFile } from './linked-files.ts';
import { LinkedFiles } from './linked-files.ts';
import { hasMetadata } from './metadata.ts';
import { NewFolders } from './new-folders.ts';
import type { PlaceStep, Step, TakeStep } from './plan.ts';
import { placeStep } from './plan.ts';

const COMPARED_AT_ONCE_MAX = 2048;

/** `steps` gives each step to what it is called with, one after the other. */
export async function applySteps(
  steps: (take: TakeStep) => Promise<void>,
  options: ApplyOptions,
): Promise<ApplyResult> {
  const run = new Apply(options);
  try {
    await steps((step) => {
      options.signal?.throwIfAborted();
      return run.step(step);
    });
    return await run.finish();
  } catch (error) {
    await run.settle();
    throw error;
  }
}

class Apply {
  readonly #options: ApplyOptions;
  readonly #writer: FileWriter;
  readonly #folders: Extract<Step, { kind: 'folder' }>[] = [];
  readonly #links = new LinkedFiles();
  readonly #failures: FailedPath[] = [];
  readonly #kept: string[] = [];
  readonly #notMade: string[] = [];
  readonly #stats = new Map<string, BigInt64Array>();
  readonly #unlocked = new Set<string>();
  readonly #new: NewFolders;
  readonly #comparing = new Set<Promise<void>>();
  #written = 0;
  #linked = 0;
  #bytes = 0;
  #removed = 0;
  #changed = false;
  #right = 0;

  constructor(options: ApplyOptions) {
    this.#options = options;
    this.#new = new NewFolders(options.empty);
    this.#writer = new FileWriter(options.repository, options.workers, options.target, {
      wantStats: options.keepStats,
      signal: options.signal,
      wrote: (bytes) => options.tally.add(0, bytes),
      written: (path, numbers, bytes) => {
        this.#written++;
        this.#bytes += bytes;
        if (numbers !== undefined) this.#stats.set(path, numbers);
        options.tally.add(1, 0);
      },
    });
  }

  step(step: Step): Promise<void> | undefined {
    if (step.kind === 'folder') {
      this.#folders.push(step);
      this.#new.leave(step.path);
      return undefined;
    }
    try {
      return this.#carryOut(step)?.catch((error: unknown) => this.#note(step.path, error));
    } catch (error) {
      this.#note(step.path, error);
      return undefined;
    }
  }

  /** Collects what failed for one path; throws what concerns them all. */
  #note(path: string, error: unknown): void {
    this.#failures.push(failedPath(path, 'changing', error));
  }

  /** Waits for what is under way: jobs that use the target's descriptors must not outlive them. */
  async settle(): Promise<void> {
    this.#options.existing?.flush();
    await Promise.allSettled(this.#comparing);
    await this.#writer.settle();
  }

  async finish(): Promise<ApplyResult> {
    this.#options.existing?.flush();
    await Promise.all(this.#comparing);
    await this.#writer.finish();
    const { target } = this.#options;
    const failed = new Map([...this.#failures, ...this.#writer.failures].map((failure) => [failure.path, failure]));
    for (const file of this.#links.all()) {
      const failure = failed.get(file.first);
      for (const path of file.others) {
        // What stands at the first name is then not the file of the snapshot.
        if (failure !== undefined) this.#failures.push({ ...failure, path });
        else await this.#link(file, path).catch((error: unknown) => this.#note(path, error));
      }
    }
    await this.#writer.finish();
    for (const { path, entry } of [...this.#folders].sort((a, b) => b.path.length - a.path.length)) {
      if (entry !== undefined && !failed.has(path)) this.#attempt(path, () => target.setMetadata(path, entry));
    }
    return {
      written: this.#written,
      links: this.#linked,
      bytesWritten: this.#bytes,
      removed: this.#removed,
      changed: this.#changed || this.#written > 0,
      alreadyRight: this.#right,
      kept: this.#kept,
      notMade: this.#notMade,
      failures: [...this.#failures, ...this.#writer.failures],
      stats: this.#stats,
      folders: this.#folders,
    };
  }

  #carryOut(step: Exclude<Step, { kind: 'folder' }>): Promise<void> | undefined {
    const { target } = this.#options;
    const { path } = step;
    const vacant = this.#new.isVacant(path);
    if (!vacant) this.#unlockParent(path);
    switch (step.kind) {
      case 'remove':
        if (target.look(path) === undefined || !this.#mayChange(path)) return undefined;
        target.remove(path);
        this.#removed++;
        this.#changed = true;
        return undefined;
      case 'remove-folder':
        this.#unlock(path);
        if (target.look(path)?.isDirectory() !== true) return undefined;
        if (target.removeFolder(path)) this.#changed = true;
        else this.#kept.push(path);
        return undefined;
      case 'keep':
        this.#kept.push(path);
        return undefined;
      case 'make-folder':
        if (!vacant && target.look(path)?.isDirectory() === true) this.#unlock(path);
        else {
          target.makeFolder(path);
          this.#changed = true;
          this.#new.enter(path);
        }
        return undefined;
      case 'metadata':
        if (step.before !== undefined && !this.#mayChange(path)) return undefined;
        return this.#setMetadata(placeStep(path, step.entry, step.before), target.look(path));
      default:
        return vacant && this.#options.empty ? this.#write(step, undefined) : this.#place(step);
    }
  }

  #place(step: PlaceStep): Promise<void> | undefined {
    const { target, existing, goingOn } = this.#options;
    const { path, entry } = step;
    const there = target.look(path);
    if (there === undefined) return this.#write(step, this.#options.expected(path));
    if (existing !== undefined && step.kind === 'symlink' && target.leadsTo(path, step.entry.target)) {
      this.#right++;
      return hasMetadata(there, entry, target.mayOwn) ? undefined : this.#setMetadata(step, there);
    }
    const linked = step.kind === 'write' && step.entry.linkKey !== undefined;
    if (existing === undefined || step.kind !== 'write' || (linked && !goingOn) || !there.isFile())
      return this.#replace(step, there.mtimeNs);
    const compared = existing.isRight(path, entry).then(async (right) => {
      if (!right) return this.#replace(step, there.mtimeNs);
      if (linked) return this.#write(step, expectedOf(there));
      this.#right++;
      this.#options.tally.add(1, step.entry.size);
      if (!hasMetadata(there, entry, target.mayOwn)) return this.#setMetadata(step, there);
    });
    const done = compared
      .catch((error: unknown) => this.#note(path, error))
      .finally(() => this.#comparing.delete(done));
    this.#comparing.add(done);
    return existing
      .ready()
      .then(() => (this.#comparing.size >= COMPARED_AT_ONCE_MAX ? Promise.race(this.#comparing) : undefined));
  }

  /** Of a file with several names, which others may use elsewhere, the one at the path becomes a file of its own. */
  #setMetadata(step: PlaceStep, there: FileStat | undefined): Promise<void> | undefined {
    if (there !== undefined && there.nlink > 1n) return this.#write(step, expectedOf(there));
    this.#attempt(step.path, () => {
      this.#options.target.setMetadata(step.path, step.entry);
      this.#changed = true;
    });
    return undefined;
  }

  #replace(step: PlaceStep, mtime: bigint): Promise<void> | undefined {
    if (this.#options.goingOn) {
      const reason = 'it is there and not as in the snapshot; it was left as it is, --force replaces it';
      this.#failures.push({ path: step.path, code: 'refused', reason });
      return undefined;
    }
    return this.#mayOverwrite(step.path, step.entry, mtime) && this.#mayChange(step.path)
      ? this.#write(step, this.#options.expected(step.path))
      : undefined;
  }

  #write(step: PlaceStep, expected: Expected): Promise<void> | undefined {
    const { path } = step;
    if (step.kind === 'write') {
      if (this.#links.isFirst(path, step.entry)) return this.#writer.write(path, step.entry, expected);
    } else if (step.kind === 'symlink') {
      this.#options.target.symlink(path, step.entry);
      this.#written++;
      this.#linked++;
    } else if (this.#options.target.special(path, step.entry)) this.#written++;
    else this.#notMade.push(path);
    return undefined;
  }

  async #link({ first, entry }: LinkedFile, path: string): Promise<void> {
    if (!this.#mayChange(path)) return;
    try {
      this.#options.target.link(first, path);
      this.#options.tally.add(1, entry.size);
      this.#written++;
      this.#linked++;
    } catch (error) {
      // On another file system it can only be a file of its own.
      if (errnoOf(error) !== 'EXDEV') throw error;
      await this.#writer.write(path, entry, this.#options.expected(path));
    }
  }

  #mayOverwrite(path: string, entry: TreeEntry, mtime: bigint): boolean {
    const { overwrite } = this.#options;
    const may =
      overwrite === 'always' || (overwrite === 'if-newer' && entry.mtime > mtime && !sameTime(entry.mtime, mtime));
    if (!may) this.#kept.push(path);
    return may;
  }

  #mayChange(path: string): boolean {
    try {
      demandExpected(this.#options.target.look(path), this.#options.expected(path), path);
      return true;
    } catch (error) {
      this.#note(path, error);
      return false;
    }
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
      this.#failures.push(metadataFailure(path, error));
    }
  }
}
