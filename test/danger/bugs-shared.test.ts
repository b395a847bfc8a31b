/** Bugs that other tools of this kind had, by their number in the project's list: locks, and stores that several use. */
import fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { gc } from '../../src/api/gc.ts';
import { openWorkspaceIn } from '../../src/api/workspace.ts';
import type { Disk } from '../../src/disk/disk.ts';
import { realDisk } from '../../src/disk/disk.ts';
import type { Holder } from '../../src/disk/lock-file.ts';
import { tryLock } from '../../src/disk/lock-file.ts';
import { processEnvironment } from '../../src/environment.ts';
import { errnoOf } from '../../src/errors.ts';
import type { RetentionCandidate } from '../../src/gc/retention.ts';
import { decideRetention } from '../../src/gc/retention.ts';
import type { Job, Reply } from '../../src/work/jobs.ts';
import type { Workers } from '../../src/work/start-workers.ts';
import { amount } from '../kit/amount.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import { packPaths, verifyAll } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';
import { commitOver, plainPath } from './crafted.ts';

const LONG = { timeout: amount({ sample: 60_000, ordinary: 240_000, long: 7_200_000 }) };

let made: TestWorkspace;
const store = (): string => join(made.root, '.snap/store');
beforeEach(async () => {
  made = await makeWorkspace({ files: { a: 'alpha\n', 'sub/b': 'beta\n' } });
});
afterEach(() => made.cleanup());

/** A disk that calls `before` with the number of each call. */
function counted(before: (call: number, name: string, args: readonly unknown[]) => void): Disk {
  let calls = 0;
  return Object.fromEntries(
    Object.entries(realDisk).map(([name, real]) => [
      name,
      (...args: never[]) => {
        before(++calls, name, args);
        return (real as (...given: never[]) => unknown)(...args);
      },
    ]),
  ) as unknown as Disk;
}

function holder(id: string, change: Partial<Holder> = {}): Holder {
  const { host } = processEnvironment('test');
  const startTime = fs.readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ')[19] ?? '';
  const bootId = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return { id, pid: process.pid, host, bootId, startTime, command: 'test', ...change };
}

test('#11 a stale lock that two break at once has one holder, whichever call the other comes in between', () => {
  const path = join(made.root, 'lock');
  let calls = Number.POSITIVE_INFINITY;
  for (let at = 1; at <= calls; at++) {
    for (const name of fs.readdirSync(made.root)) if (name.startsWith('lock')) fs.rmSync(join(made.root, name));
    fs.writeFileSync(path, JSON.stringify(holder('dead', { startTime: 'long ago' })));
    let second: ReturnType<typeof tryLock> | undefined;
    let seen = 0;
    const disk = counted((call) => {
      seen = call;
      if (call === at) second = tryLock(realDisk, path, holder('second'));
    });
    const first = tryLock(disk, path, holder('first'));
    calls = seen;
    const held = [first, second].filter((lock) => lock !== undefined && 'release' in lock);
    expect(held.length, `the other comes before call ${at}`).toBe(1);
    expect(JSON.parse(fs.readFileSync(path, 'utf8')).id).toBe(held[0] === first ? 'first' : 'second');
  }
  expect(calls).toBeGreaterThan(5);
});

test('#35 a lock of the same host and pid is another holder unless it has the same id', () => {
  const path = join(made.root, 'lock');
  const lock = tryLock(realDisk, path, holder('one'));
  expect(tryLock(realDisk, path, holder('two'))).toMatchObject({ id: 'one' });
  // A process that had this pid before is dead, and so is one of another boot.
  fs.writeFileSync(path, JSON.stringify(holder('one', { startTime: '1' })));
  expect(tryLock(realDisk, path, holder('two'))).toHaveProperty('release');
  if ('release' in lock) lock.release();
  fs.writeFileSync(path, JSON.stringify(holder('one', { bootId: 'before' })));
  expect(tryLock(realDisk, path, holder('three'))).toHaveProperty('release');
});

const FOLDERS = ['packs', 'journal', 'tmp', ''];
const LISTS: [what: string, list: (path: string) => string[]][] = [
  [
    'fails',
    () => {
      throw Object.assign(new Error('EIO'), { code: 'EIO' });
    },
  ],
  ['is empty', () => []],
  ['is a half', (path) => realDisk.list(path).filter((_, i) => i % 2 === 0)],
];

test.each(amount({ sample: LISTS.slice(2), ordinary: LISTS, long: LISTS }))(
  '#17 #18 a listing of the store that %s makes gc remove nothing that is needed',
  LONG,
  async (what, list) => {
    for (const folder of amount({ sample: ['packs'], ordinary: FOLDERS, long: FOLDERS })) {
      for (const [round, message] of ['one', 'two', 'three'].entries()) {
        made.write('a', `${folder} ${message}`);
        made.write('b', noise(50_000, round + 1));
        await made.commit(message);
      }
      await made.workspace.close();
      const disk = {
        ...realDisk,
        list: (path: string) => (plainPath(path).startsWith(join(store(), folder)) ? list(path) : realDisk.list(path)),
      };
      const over = await openWorkspaceIn({ ...processEnvironment('test'), disk }, inlineWorkers(disk), made.root).catch(
        () => undefined,
      );
      // Done or refused: what counts is what is left.
      if (over !== undefined) {
        await gc(over, { rules: { keepLast: 2 }, now: true }).catch((error: unknown) =>
          expect(errnoOf(error)).toBeDefined(),
        );
        await over.close();
      }
      await made.reopen();
      expect((await verifyAll(made.workspace)).faults, `${folder} ${what}`).toEqual([]);
      await checkout(made.workspace, { revision: 'HEAD~1', to: join(made.root, '..', `${what} ${folder}`) });
    }
  },
);

const CUTS = [1, 100_000, Number.POSITIVE_INFINITY];

test('#21 a pack that the disk kept only a part of is stored again by the next commit', async () => {
  made.write('b', noise(200_000, 3));
  await made.commit('first');
  await made.workspace.close();
  for (const cut of amount({ sample: [100_000], ordinary: CUTS, long: CUTS })) {
    const [pack = ''] = packPaths(store());
    fs.truncateSync(pack, Math.max(0, fs.statSync(pack).size - cut));
    const { id } = await commitOver(made.root, realDisk);
    expect(id, `cut by ${cut}`).toBeDefined();
    await made.reopen();
    const to = join(made.root, '..', `cut ${cut}`);
    expect((await checkout(made.workspace, { revision: id ?? '', to })).failures).toEqual([]);
    expect(fs.readFileSync(join(to, 'b')).equals(noise(200_000, 3))).toBe(true);
    await made.workspace.close();
  }
  await made.reopen();
});

test('#33 snapshots dated falsely by one who can only add do not push out the true ones', () => {
  const now = new Date('2026-06-30T12:00:00Z');
  const DAY = 86_400_000;
  const one = (id: string, time: number, sequence: number): RetentionCandidate => ({
    id,
    time: new Date(time),
    zoneMinutes: 0,
    tags: [],
    isHead: false,
    isAutosave: false,
    sequence,
  });
  const real = Array.from({ length: 10 }, (_, i) => one(`true ${i}`, now.getTime() - (10 - i) * DAY, i + 1));
  const dates: Record<string, (i: number) => number> = {
    'far ahead': (i) => now.getTime() + (300 + i) * DAY,
    'hours ahead': (i) => now.getTime() + i * 3_600_000,
    'long ago': (i) => i * DAY,
    between: (i) => now.getTime() - i * DAY + 1000,
  };
  for (const [what, date] of Object.entries(dates)) {
    const false_ = Array.from({ length: 30 }, (_, i) => one(`false ${i}`, date(i), 11 + i));
    const keptOf = (candidates: RetentionCandidate[]): string[] =>
      decideRetention(candidates, { keepDaily: 8 }, now).flatMap(({ id, keep }) => (keep ? [id] : []));
    const kept = new Set(keptOf([...real, ...false_]));
    const lost = keptOf(real).filter((id) => !kept.has(id));
    // Of one day, a false one may stand in its place.
    expect(lost.length, `${what}: ${lost.join(', ')}`).toBeLessThanOrEqual(1);
  }
});

test(
  '#45 gc without any grace, at any moment of a commit of another workspace, takes nothing of it',
  LONG,
  async () => {
    await made.commit('first');
    const other = await makeWorkspace({ files: { o: 'other' }, store: store() });
    try {
      await other.commit('other');
      await other.workspace.close();
      for (const at of amount({ sample: [2], ordinary: [1, 2, 3, 4, 5], long: [1, 2, 3, 4, 5] })) {
        other.write('o', noise(300_000, at * 2 + 1));
        for (let i = 0; i < 40; i++) other.write(`many/${i}`, `${at} ${i}`);
        const inner = inlineWorkers(realDisk);
        let jobs = 0;
        const workers: Workers = {
          ...inner,
          run: async (job: Job): Promise<Reply> => {
            const reply = await inner.run(job);
            if (++jobs === at) await gc(made.workspace, { rules: { keepLast: 1 }, all: true, now: true });
            return reply;
          },
        };
        const { id } = await commitOver(other.root, realDisk, { workers });
        expect(jobs).toBeGreaterThanOrEqual(1);
        await other.reopen();
        const to = join(other.root, '..', `at ${at}`);
        expect((await checkout(other.workspace, { revision: id ?? '', to })).failures, `before job ${at}`).toEqual([]);
        expect((await verifyAll(other.workspace)).faults, `before job ${at}`).toEqual([]);
        await other.workspace.close();
      }
    } finally {
      await other.cleanup();
    }
  },
);
