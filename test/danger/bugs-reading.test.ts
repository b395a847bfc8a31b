/** Bugs that other tools of this kind had, by their number in the project's list: how files are read. */
import fs from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import type { Disk } from '../../src/disk/disk.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { hasCode } from '../../src/errors.ts';
import { amount, randomFrom, SEED } from '../kit/amount.ts';
import { verifyAll } from '../kit/damage.ts';
import { fingerprint, noise, roundTimes } from '../kit/folder.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';
import { commitOver } from './crafted.ts';

const LONG = { timeout: amount({ sample: 60_000, ordinary: 240_000, long: 7_200_000 }) };

let made: TestWorkspace;
const out = (): string => join(made.root, '..', 'out');
beforeEach(async () => {
  made = await makeWorkspace({ files: { a: 'alpha' } });
});
afterEach(() => made.cleanup());

test(
  '#7 a change of the same size in the same tick after the scan is seen by the next commit, with the old time put back too',
  LONG,
  async () => {
    for (let round = 0; round < amount({ sample: 8, ordinary: 100, long: 5000 }); round++) {
      made.write('a', `round ${round} one`);
      const written = fs.statSync(`${made.root}/a`, { bigint: true });
      await made.commit('one');
      made.write('a', `round ${round} two`);
      fs.utimesSync(`${made.root}/a`, Number(written.atimeNs) / 1e9, Number(written.mtimeNs) / 1e9);
      const { id } = await commit(made.workspace, { message: 'two' });
      expect(id, `round ${round}`).toBeDefined();
    }
  },
);

const SIZES = [1, 4095, 4096, 4097, 65_536, 1_048_576, 1_048_577, 3_000_000, 9_000_001];

test('#8 all zeros, sparse, and a hole at the start, in the middle or at the end come back, also as holes', async () => {
  const sizes = amount({ sample: [4097, 9_000_001], ordinary: SIZES, long: SIZES });
  for (const size of sizes) {
    made.write(`zeros ${size}`, Buffer.alloc(size));
    for (const [where, at] of [
      ['start', Math.max(0, size - 5000)],
      ['middle', Math.floor(size / 2)],
      ['end', 0],
    ] as const) {
      const fd = fs.openSync(`${made.root}/hole at the ${where} ${size}`, 'w');
      fs.writeSync(fd, noise(Math.min(5000, size - at), size + at), 0, undefined, at);
      fs.ftruncateSync(fd, size);
      fs.closeSync(fd);
    }
  }
  roundTimes(made.root);
  await made.commit('zeros and holes');
  await checkout(made.workspace, { revision: 'HEAD', to: out() });
  expect(fingerprint(out())).toEqual(fingerprint(made.root));
  for (const name of fs.readdirSync(out()).filter((found) => found.endsWith('9000001') && found.startsWith('hole')))
    expect(fs.statSync(`${out()}/${name}`).blocks * 512, name).toBeLessThan(5_000_000);
});

test('#19 a commit that is interrupted at any operation of its disk is whole or not there', LONG, async () => {
  const content = (n: number): void => {
    made.write('a', `content ${n}`);
    made.write('b', noise(90_000, n + 1));
    made.write(`dir${n % 3}/c`, String(n));
  };
  await made.commit('first');
  await made.workspace.close();
  const random = randomFrom(SEED);
  content(0);
  const operations = await interruptedAt(Number.POSITIVE_INFINITY);
  expect(operations).toBeGreaterThan(50);
  const wanted = amount({ sample: 5, ordinary: 40, long: operations });
  // One in each of as many stretches: where it can be interrupted is told by at least a quarter of them.
  const points = Array.from({ length: wanted }, (_, i) => 1 + Math.floor(((i + random()) * operations) / wanted));
  let cut = 0;
  for (const [i, at] of points.entries()) {
    content(i + 1);
    const before = journalLength();
    if ((await interruptedAt(at)) === INTERRUPTED) {
      cut++;
      expect(journalLength(), `seed ${SEED}: interrupted at operation ${at}`).toBe(before);
    } else expect(journalLength(), `seed ${SEED}: went on after operation ${at}`).toBe(before + 1);
    expect(fs.existsSync(`${made.root}/.snap/lock`), `seed ${SEED}: operation ${at}`).toBe(false);
  }
  expect(cut, `seed ${SEED}: of ${points.length}`).toBeGreaterThan(points.length / 4);
  roundTimes(made.root);
  await made.reopen();
  await commit(made.workspace, { message: 'the next one', allowEmpty: true });
  await checkout(made.workspace, { revision: 'HEAD', to: out() });
  expect(fingerprint(out()).map((line) => line.replace(/^d \S+ \S+/, 'd'))).toEqual(
    fingerprint(made.root).map((line) => line.replace(/^d \S+ \S+/, 'd')),
  );
  expect((await verifyAll(made.workspace)).faults).toEqual([]);
});

const INTERRUPTED = -1;

function journalLength(): number {
  return fs.readdirSync(`${made.root}/.snap/store/journal`).length;
}

/** Commits over a disk that aborts at its operation `at`; how many operations there were, if it came to its end. */
async function interruptedAt(at: number): Promise<number> {
  const controller = new AbortController();
  let count = 0;
  const counting = Object.fromEntries(
    Object.entries(realDisk).map(([name, call]) => [
      name,
      (...args: never[]) => {
        if (++count === at) controller.abort();
        return (call as (...given: never[]) => unknown)(...args);
      },
    ]),
  ) as unknown as Disk;
  try {
    await commitOver(made.root, counting, { signal: controller.signal });
    return count;
  } catch (error) {
    if (hasCode(error, 'interrupted') || (error as Error).name === 'AbortError') return INTERRUPTED;
    throw error;
  }
}

test('#55 a file that is written all the time while it is read is stored as it was at one reading, and marked', async () => {
  // Read for longer than a tick of the clock by which changes show.
  const SIZE = 24_000_000;
  const path = `${made.root}/busy`;
  fs.writeFileSync(path, Buffer.alloc(SIZE));
  const writer = new Worker(
    `const fs = require('node:fs');
     const { path } = require('node:worker_threads').workerData;
     const fd = fs.openSync(path, 'r+');
     for (let n = 1; ; n++) fs.writeSync(fd, Buffer.of(n), 0, 1, (n * 7919) % ${SIZE});`,
    { eval: true, workerData: { path } },
  );
  await new Promise((resolve) => setTimeout(resolve, 100));
  const { id, scan, snapshot } = await commit(made.workspace, { message: 'while it is written' });
  await writer.terminate();
  expect(scan.unsteady).toEqual(['busy']);
  expect(snapshot?.unsteady).toEqual(['busy']);
  await checkout(made.workspace, { revision: id ?? '', to: out() });
  expect(fs.statSync(`${out()}/busy`).size).toBe(SIZE);
  expect((await verifyAll(made.workspace)).faults).toEqual([]);
  fs.writeFileSync(path, Buffer.alloc(SIZE, 255));
  const next = await commit(made.workspace, { message: 'at rest' });
  expect(next.scan.unsteady).toEqual([]);
});
