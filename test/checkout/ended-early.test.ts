/** A checkout that is stopped: it leaves nothing behind, and nothing is written after it. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { realDisk } from '../../src/disk/disk.ts';
import type { Workers } from '../../src/work/start-workers.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import { fingerprint, noise } from '../kit/folder.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { makeSmallWorkspace, scratchFolder } from '../kit/small-workspace.ts';

const scratch = scratchFolder();
let made: SmallWorkspace;
let serial = 0;
let to: string;
beforeEach(async () => {
  made = await makeSmallWorkspace(join(scratch, `work-${++serial}`));
  to = `${made.root}-out`;
});
afterEach(() => made.close());
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('ended early', () => {
  /** Workers whose jobs of `kind` wait for `go`. */
  const slowWorkers = (kind: string, go: Promise<void>): { workers: Workers; begun: Promise<void> } => {
    const inline = inlineWorkers(realDisk);
    let begin = (): void => undefined;
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const run: Workers['run'] = async (job, ...more) => {
      if (job.kind === kind) {
        begin();
        await go;
      }
      return inline.run(job, ...more);
    };
    return { workers: { ...inline, run }, begun };
  };

  test('a large file is given up in the middle, and leaves nothing behind', async () => {
    made.write('large', noise(40_000_000, 3));
    await made.commit('first');
    const stop = new AbortController();
    const inline = inlineWorkers(realDisk);
    let segments = 0;
    const run: Workers['run'] = (job, ...more) => {
      if (job.kind === 'segment' && ++segments === 2) stop.abort('SIGINT');
      return inline.run(job, ...more);
    };
    await made.reopen({}, { workers: { ...inline, run, capacity: 1 }, signal: stop.signal });
    await expect(checkout(made.workspace, { revision: 'HEAD', to })).rejects.toMatchObject({ code: 'interrupted' });
    expect(segments).toBe(2);
    expect(readdirSync(to)).toEqual(
      [expect.stringMatching(/^\.snapignore$/), expect.stringMatching(/^\.snap-checkout-/)].reverse(),
    );
    for (const name of readdirSync(to))
      if (name !== '.snapignore') expect(readdirSync(join(to, name))).toEqual([expect.stringMatching(/-mark$/)]);
  });

  test.each([
    ['write', 'small files', 60, 100_000],
    ['segment', 'a large file', 1, 20_000_000],
  ])('a checkout waits for its workers (%s, %s): nothing is written after it', async (kind, _what, count, size) => {
    for (let i = 0; i < count; i++) made.write(`f${i}`, noise(size, 2 * i + 1));
    made.write('z', 'z');
    await made.commit('first');
    let go = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const { workers, begun } = slowWorkers(kind, gate);
    const stop = new AbortController();
    await made.reopen({}, { workers: { ...workers, capacity: 1 }, signal: stop.signal });
    let ended = false;
    const running = checkout(made.workspace, { revision: 'HEAD', to }).catch((error: unknown) => error);
    const done = running.then(() => {
      ended = true;
    });
    await begun;
    stop.abort(new Error('stopped by hand'));
    await delay(30);
    const before = ended;
    go();
    await done;
    const after = fingerprint(to);
    await delay(30);
    expect(before).toBe(false);
    expect(fingerprint(to)).toEqual(after);
  });
});
