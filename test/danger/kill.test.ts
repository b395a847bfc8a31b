/**
 * The real command, ended for real: by SIGKILL at each of its operations, by SIGTERM and SIGINT at some, at random times,
 * and again and again while it mends what the last kill left. SNAP_SEED and the printed operation replay a failure.
 */
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { initWorkspace } from '../../src/api/workspace.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { amount, randomFrom, SEED } from '../kit/amount.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import type { KillBuild } from '../kit/crash/kill-build.ts';
import { killBuild } from '../kit/crash/kill-build.ts';
import { checkRecovery } from '../kit/crash/recovery.ts';
import { pictureOf, Stage } from '../kit/crash/stage.ts';
import { noise } from '../kit/folder.ts';

/** Inside the checkout, so that the build finds the packages that stay outside of it. */
const base = mkdtempSync(join(fileURLToPath(new URL('../..', import.meta.url)), 'node_modules/.snap-kill-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

const stage = new Stage(`${base}/stage`);
let snap: KillBuild;
let first: string;
let second: string;
beforeAll(async () => {
  snap = await killBuild(`${base}/build`);
  await initWorkspace(`${stage.root}/work`);
  for (let i = 0; i < 8; i++) stage.write(`work/d/f${i}`, noise(4000, i));
  first = await stage.commit('work', 'first');
  for (let i = 0; i < 4; i++) stage.write(`work/d/f${i}`, noise(4000, 10 + i));
  rmSync(`${stage.root}/work/d/f7`);
  second = await stage.commit('work', 'second');
  stage.write('work/new', noise(20_000, 99));
});

interface Command {
  readonly args: readonly string[];
  /** What of `first` and `second` it prunes. */
  readonly prunes?: () => readonly string[];
}
const COMMANDS: Readonly<Record<string, Command>> = {
  commit: { args: ['commit', '-m', 'third'] },
  gc: { args: ['gc', '--keep-last', '1', '--now'], prunes: () => [first] },
  checkout: { args: ['checkout', 'HEAD~1'] },
  reindex: { args: ['reindex'] },
};

let rounds = 0;
let last = '';
/** Never in the same place: what a killed command has started may live for a moment longer, and write where it was. */
function fresh(): string {
  if (last !== '') rmSync(last, { recursive: true, force: true, maxRetries: 10 });
  const root = `${base}/work-${++rounds}`;
  last = root;
  cpSync(`${stage.root}/work`, root, { recursive: true, preserveTimestamps: true });
  return root;
}

async function check(root: string, prunes: readonly string[], where: string): Promise<void> {
  const acknowledged = [first, second].filter((id) => !prunes.includes(id));
  try {
    await checkRecovery(root, inlineWorkers(realDisk), { acknowledged, pictures: stage.pictures });
  } catch (error) {
    throw new Error(`${where}; SNAP_SEED=${SEED}: ${String((error as Error).message)}`, { cause: error });
  }
}

/** After a checkout was cut off, each file is the old or the new one, and running it again ends it. */
function checkFiles(root: string, where: string): void {
  const [old, now] = [stage.pictures.get(second), stage.pictures.get(first)];
  for (const [path, what] of pictureOf(root)) {
    if (path === 'new' || path === 'after the crash') continue;
    expect([old?.get(path), now?.get(path)], `${where}: ${path}`).toContain(what);
  }
}

let kills = 0;
/** How many operations a command has in its main thread, about: who is asked to stop in order may end as if nothing was. */
const lengths = new Map<string, number>();
const cases = Object.keys(COMMANDS).flatMap((name) => [
  [name, 'main', 'SIGKILL', amount({ sample: 60, ordinary: 1, long: 1 })] as const,
  [name, 'worker', 'SIGKILL', amount({ sample: 20, ordinary: 1, long: 1 })] as const,
  [name, 'main', 'SIGTERM', amount({ sample: 120, ordinary: 12, long: 1 })] as const,
  [name, 'main', 'SIGINT', amount({ sample: 120, ordinary: 12, long: 1 })] as const,
]);

test.each(cases)(
  '%s, in its %s thread, %s at each operation',
  async (name, thread, signal, stride) => {
    const command = COMMANDS[name];
    if (command === undefined) return;
    let at = 1 + Math.floor(randomFrom(SEED)() * stride);
    for (; ; at += stride) {
      const root = fresh();
      const where = `${name}: ${signal} at operation ${at} of the ${thread} thread`;
      const ran = snap.run(root, command.args, `${thread} ${at} ${signal}`);
      kills++;
      const wasKilled = ran.signal !== null || ran.status === 130 || ran.status === 143;
      if (!wasKilled) expect(ran.status, `${where}: ${ran.stderr}`).toBe(0);
      if (name === 'checkout') checkFiles(root, where);
      await check(root, command.prunes?.() ?? [], where);
      const isOver = signal === 'SIGKILL' ? !wasKilled : at > (lengths.get(name) ?? 0);
      if (isOver && thread === 'main' && signal === 'SIGKILL') lengths.set(name, at);
      if (isOver) break;
    }
  },
  amount({ sample: 120_000, ordinary: 900_000, long: 7_200_000 }),
);

test(
  'at random times, and again during what follows',
  async () => {
    const random = randomFrom(SEED);
    const count = amount({ sample: 3, ordinary: 50, long: 500 });
    for (let round = 0; round < count; round++) {
      const root = fresh();
      const prunes = new Set<string>();
      const done: string[] = [];
      for (let depth = 0; depth < 4; depth++) {
        const names = Object.keys(COMMANDS);
        const name = names[Math.floor(random() * names.length)] ?? 'commit';
        if (name === 'gc') for (const id of [first, second]) prunes.add(id);
        writeFileSync(`${root}/new`, noise(5000, Math.floor(random() * 1e6)));
        const after = Math.floor(60 + random() * 250);
        await snap.runFor(root, COMMANDS[name]?.args ?? [], after, 'SIGKILL');
        kills++;
        done.push(`${name} killed after ${after} ms`);
      }
      await check(root, [...prunes], done.join(', '));
    }
  },
  amount({ sample: 120_000, ordinary: 900_000, long: 7_200_000 }),
);

test('so many kills', () => {
  console.info(`kills: ${kills}`);
  expect(kills).toBeGreaterThan(amount({ sample: 20, ordinary: 400, long: 2000 }));
  expect(existsSync(base)).toBe(true);
});
