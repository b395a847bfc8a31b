/**
 * Each call to the disk fails, one after the other, in every way, once and for good: the command says so or goes on, and
 * nothing that was acknowledged is lost. (The loop of SQLite's tests.) SNAP_SEED and the printed call replay a failure.
 */
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { gc } from '../../src/api/gc.ts';
import { tag } from '../../src/api/tag.ts';
import { undo } from '../../src/api/undo.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import { initWorkspace, openWorkspaceIn } from '../../src/api/workspace.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { errnoOf, SnapError } from '../../src/errors.ts';
import { amount, randomFrom, SEED } from '../kit/amount.ts';
import type { Fault } from '../kit/crash/faulty-disk.ts';
import { ERRNOS, faultyDisk } from '../kit/crash/faulty-disk.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import { checkRecovery } from '../kit/crash/recovery.ts';
import { deadEnvironment, pictureOf, Stage } from '../kit/crash/stage.ts';
import { noise } from '../kit/folder.ts';

const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'snap-faults-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

/** Of every so many calls, one is made to fail. */
const STRIDE = amount({ sample: 139, ordinary: 7, long: 1 });

const stage = new Stage(`${base}/stage`);
let first: string;
let second: string;
beforeAll(async () => {
  await initWorkspace(`${stage.root}/work`);
  stage.write('work/a', 'first');
  stage.write('work/d/b', noise(3000, 1));
  first = await stage.commit('work', 'first');
  stage.write('work/a', 'other');
  second = await stage.commit('work', 'second');
  stage.write('work/a', 'not committed yet');
  stage.write('work/d/new', noise(5000, 2));
});

interface Acts {
  /** Snapshots that it prunes. */
  readonly goes?: () => string[];
  act(workspace: Workspace): Promise<unknown>;
}

const ACTS: Readonly<Record<string, Acts>> = {
  commit: { act: (workspace) => commit(workspace, { message: 'third' }) },
  tag: { act: (workspace) => tag(workspace, 'v1') },
  gc: { goes: () => [first], act: (workspace) => gc(workspace, { rules: { keepLast: 1 }, now: true }) },
  undo: { goes: () => [second], act: (workspace) => undo(workspace) },
  'checkout in place': { act: (workspace) => checkout(workspace, { revision: 'HEAD~1' }) },
  'checkout elsewhere': { act: (workspace) => checkout(workspace, { revision: 'HEAD~1', to: `${base}/elsewhere` }) },
};

let runs = 0;

/** One run with one fault; returns how many calls could have failed. */
async function run(name: string, acts: Acts, fault: Fault): Promise<number> {
  const root = `${base}/work`;
  rmSync(root, { recursive: true, force: true });
  rmSync(`${base}/elsewhere`, { recursive: true, force: true });
  cpSync(`${stage.root}/work`, root, { recursive: true, preserveTimestamps: true });
  const live = pictureOf(root);
  const faulty = faultyDisk(fault);
  const pictures = new Map(stage.pictures);
  const acknowledged = [first, second].filter((id) => acts.goes?.().includes(id) !== true);
  runs++;
  const where = (): string =>
    `${name}, ${fault.errno} at call ${fault.at}${fault.sticky ? ' and after' : ''} (${faulty.failed ?? 'no fault'}); SNAP_SEED=${SEED}`;
  try {
    const workspace = await openWorkspaceIn(deadEnvironment(faulty.disk), inlineWorkers(faulty.disk), root);
    try {
      const result = await acts.act(workspace);
      if (name === 'commit') {
        const { id, scan } = result as Awaited<ReturnType<typeof commit>>;
        if (id !== undefined) acknowledged.push(id);
        if (id !== undefined && scan.skipped.length === 0 && scan.unsteady.length === 0) pictures.set(id, live);
      }
    } finally {
      await workspace.close();
    }
  } catch (error) {
    // The face gives system errors words; anything else would be a failure of the program.
    const isClear = error instanceof SnapError ? error.code !== 'internal' : /^E[A-Z]+$/.test(errnoOf(error) ?? '');
    if (!isClear) throw new Error(`${where()}: ${String((error as Error).stack ?? error)}`, { cause: error });
  }
  try {
    expect(faulty.violations).toEqual([]);
    await checkRecovery(root, inlineWorkers(realDisk), { acknowledged, pictures });
  } catch (error) {
    throw new Error(`${where()}: ${String((error as Error).message ?? error)}`, { cause: error });
  }
  return faulty.calls;
}

const cases = Object.keys(ACTS).flatMap((name) => [...ERRNOS, 'short' as const].map((errno) => [name, errno] as const));

test.each(cases)(
  '%s, every call with %s',
  async (name, errno) => {
    const acts = ACTS[name];
    if (acts === undefined) return;
    const random = randomFrom(SEED);
    for (const sticky of [false, true]) {
      let at = 1 + Math.floor(random() * STRIDE);
      while (at <= (await run(name, acts, { at, errno, sticky }))) at += STRIDE;
    }
  },
  amount({ sample: 60_000, ordinary: 600_000, long: 7_200_000 }),
);

test('so many runs', () => {
  console.info(`faults injected: ${runs}`);
  expect(runs).toBeGreaterThan(amount({ sample: 40, ordinary: 800, long: 8_000 }));
});
