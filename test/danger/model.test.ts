/**
 * A workspace against a model: what a person may do, in random order, with a picture of the folder kept for every
 * snapshot. Whatever happened in between, a snapshot that is kept gives its picture back, and undo gives back what was.
 * Commands are killed in the middle, too: their disk fails from some call on, so that nothing is cleaned up either.
 */
import fs from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { gc } from '../../src/api/gc.ts';
import { log } from '../../src/api/history.ts';
import { reindex } from '../../src/api/reindex.ts';
import { removeTag, tag } from '../../src/api/tag.ts';
import { undo } from '../../src/api/undo.ts';
import { verify } from '../../src/api/verify.ts';
import { openWorkspaceIn } from '../../src/api/workspace.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { SnapError } from '../../src/errors.ts';
import { snapshotOfRef } from '../../src/object/ref-name.ts';
import { isWithin } from '../../src/repo/layout.ts';
import { amount, SEED } from '../kit/amount.ts';
import { dyingDisk } from '../kit/crash/dying-disk.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import { deadEnvironment } from '../kit/crash/stage.ts';
import { fingerprint, noise, roundTimes } from '../kit/folder.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

/** True if `path` is to be made in the folder `folder` or below, through whatever links. */
const leadsInto = (path: string, folder: string): boolean =>
  isWithin(fs.realpathSync(dirname(path)), join(fs.realpathSync(dirname(folder)), basename(folder)));

const STEPS = amount({ sample: 15, ordinary: 60, long: 60 });

/** Folder times are no change by themselves, so a picture has none. */
function picture(root: string): string {
  return fingerprint(root)
    .map((line) => line.replace(/^d (\d+) -?\d+ /, 'd $1 '))
    .join('\n');
}

class Run {
  readonly #made: TestWorkspace;
  readonly #pictures = new Map<string, string>();
  readonly #tags = new Map<string, string>();
  #seed: number;

  constructor(made: TestWorkspace, seed: number) {
    this.#made = made;
    this.#seed = seed;
  }

  /** A whole number from 0 to below `count`. */
  #random(count: number): number {
    this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#seed / 2 ** 32) * count);
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[this.#random(items.length)];
  }

  #paths(kind: (stat: fs.Stats) => boolean): string[] {
    return fs
      .readdirSync(this.#made.root, { recursive: true, encoding: 'utf8' })
      .filter((path) => !/^\.snap(\/|$)/.test(path) && kind(fs.lstatSync(join(this.#made.root, path))));
  }

  #newPath(): string {
    const folders = ['', ...this.#paths((stat) => stat.isDirectory())];
    return join(this.#made.root, this.#pick(folders) ?? '', `n${this.#random(12)}`);
  }

  /** One change of the folder, by hand. */
  #change(): void {
    const { root } = this.#made;
    const anything = this.#paths(() => true).filter((path) => path !== '.snapignore');
    const target = this.#pick(anything);
    const file = this.#pick(this.#paths((stat) => stat.isFile()));
    const path = this.#newPath();
    const free = !fs.existsSync(path) && fs.lstatSync(path, { throwIfNoEntry: false }) === undefined;
    const size = [0, 10, 3000, 100_000, 3_000_000][this.#random(5)] ?? 0;
    switch (this.#random(9)) {
      case 0:
      case 1:
      case 2:
        if (free) fs.writeFileSync(path, noise(size, this.#random(1000) + 1));
        return;
      case 3:
        if (file !== undefined) fs.appendFileSync(join(root, file), noise(1 + this.#random(500), this.#random(99) + 1));
        return;
      case 4:
        if (target !== undefined) fs.rmSync(join(root, target), { recursive: true });
        return;
      case 5:
        if (free) fs.mkdirSync(path);
        return;
      case 6:
        if (free) fs.symlinkSync(this.#pick(anything) ?? 'nowhere', path);
        return;
      case 7:
        if (free && file !== undefined) fs.linkSync(join(root, file), path);
        return;
      default:
        if (free && target !== undefined && !leadsInto(path, join(root, target)))
          fs.renameSync(join(root, target), path);
        else if (file !== undefined) fs.chmodSync(join(root, file), [0o600, 0o644, 0o755][this.#random(3)] ?? 0o600);
    }
  }

  #note(id: string | undefined): void {
    if (id !== undefined) this.#pictures.set(id, picture(this.#made.root));
  }

  /** A first snapshot, which may go again: gc keeps six. */
  async begin(): Promise<void> {
    this.#note((await commit(this.#made.workspace, { message: 'begin' })).id);
  }

  async step(): Promise<void> {
    const { root, workspace } = this.#made;
    const action = this.#random(15);
    if (action < 5) {
      for (let n = this.#random(6); n >= 0; n--) this.#change();
      // The same second and often the same size as before: only the change time tells.
      roundTimes(root);
    } else if (action < 8) this.#note((await commit(workspace, { message: 'step' })).id);
    else if (action === 8) await this.#checkOut();
    else if (action === 9) {
      await gc(workspace, { rules: { keepLast: 6 } });
      await this.#forgetPruned(true);
    } else if (action === 10) {
      await workspace.close();
      if (this.#random(2) === 0) await reindex(root);
      else fs.rmSync(join(root, '.snap/index'), { recursive: true });
      await this.#made.reopen();
    } else if (action === 11) await this.#made.reopen();
    else if (action === 12) await this.#tag();
    else await this.#killed();
  }

  /** A tag keeps its snapshot from being pruned; sometimes one goes. */
  async #tag(): Promise<void> {
    const { workspace } = this.#made;
    const id = this.#pick([...this.#pictures.keys()]);
    if (id === undefined) return;
    const name = `t${this.#random(3)}`;
    if (this.#random(3) > 0) {
      await tag(workspace, name, { revision: id, force: true });
      this.#tags.set(name, id);
    } else if (this.#tags.delete(name)) await removeTag(workspace, name);
  }

  /**
   * Another process commits, collects or checks out, and dies at some call of its disk. Afterwards the workspace opens
   * with nothing done by hand, and every snapshot that was there and not pruned still is.
   */
  async #killed(): Promise<void> {
    const { root } = this.#made;
    const before = picture(root);
    await this.#made.workspace.close();
    const act = this.#random(3);
    const id = this.#pick([...this.#pictures.keys()]) ?? 'HEAD';
    let left = this.#random(400);
    const { disk, isDead } = dyingDisk(realDisk, () => --left < 0);
    try {
      const workspace = await openWorkspaceIn(deadEnvironment(disk), inlineWorkers(disk), root);
      try {
        if (act === 0) await commit(workspace, { message: 'dies' });
        else if (act === 1) await gc(workspace, { rules: { keepLast: 6 } });
        else await checkout(workspace, { revision: id });
      } finally {
        await workspace.close();
      }
    } catch (error) {
      if (!isDead() && !(error instanceof SnapError && error.code === 'not-found')) throw error;
    }
    await this.#made.reopen();
    if (act !== 2) expect(picture(root)).toBe(before);
    await this.#learn();
    await this.#forgetPruned(act === 1);
  }

  /** Snapshots that a dying command made are as good as any: what they hold is what they give back. */
  async #learn(): Promise<void> {
    const { workspace, root } = this.#made;
    for await (const { id } of log(workspace)) {
      if (this.#pictures.has(id)) continue;
      const to = join(root, '..', `learn-${id.slice(0, 8)}`);
      await checkout(workspace, { revision: id, to });
      this.#pictures.set(id, picture(to));
      fs.rmSync(to, { recursive: true });
    }
  }

  async #checkOut(): Promise<void> {
    const { root, workspace } = this.#made;
    const id = this.#pick([...this.#pictures.keys()]);
    if (id === undefined) return;
    const before = picture(root);
    const result = await checkout(workspace, { revision: id });
    expect(result.failures).toEqual([]);
    expect(picture(root)).toBe(this.#pictures.get(id));
    if (result.saved !== undefined) this.#pictures.set(result.saved, before);
    // A checkout that finds everything in place is no operation, and leaves nothing to undo.
    if (picture(root) === before || this.#random(2) === 0) return;
    const undone = await undo(workspace);
    expect(undone.checkout).toBeDefined();
    expect(picture(root)).toBe(before);
  }

  /** Only gc may make a snapshot go, and never one with a tag, nor one that HEAD is at. */
  async #forgetPruned(mayGo: boolean): Promise<void> {
    const { repository } = this.#made.workspace;
    const kept = new Set<string>();
    for (const name of repository.state().refs.keys()) kept.add(snapshotOfRef(name) ?? '');
    for (const [name, id] of this.#tags) expect(kept.has(id), `${name} keeps ${id}`).toBe(true);
    for (const id of this.#pictures.keys()) {
      if (kept.has(id)) continue;
      expect(mayGo, `${id} is gone`).toBe(true);
      this.#pictures.delete(id);
    }
  }

  /** Every kept snapshot gives its picture back, and nothing is damaged. */
  async finish(): Promise<number> {
    const { workspace } = this.#made;
    await this.#forgetPruned(true);
    for (const [id, expected] of this.#pictures) {
      const to = join(this.#made.root, '..', `out-${id.slice(0, 8)}`);
      await checkout(workspace, { revision: id, to });
      expect(picture(to)).toBe(expected);
    }
    const { faultCount } = await verify(workspace, { data: true });
    expect(faultCount).toBe(0);
    return this.#pictures.size;
  }
}

const first = SEED;
const seeds = Array.from({ length: amount({ sample: 1, ordinary: 10, long: 100 }) }, (_, n) => (first + n) % 2 ** 31);

test.each(seeds)('SNAP_SEED=%i', { timeout: 120_000 }, async (seed) => {
  await using made = await makeWorkspace();
  roundTimes(made.root);
  const run = new Run(made, seed);
  await run.begin();
  for (let n = 0; n < STEPS; n++) {
    try {
      await run.step();
    } catch (error) {
      throw new Error(`SNAP_SEED=${seed}, step ${n}: ${error instanceof Error ? error.stack : String(error)}`, {
        cause: error,
      });
    }
  }
  expect(await run.finish()).toBeGreaterThan(0);
});
