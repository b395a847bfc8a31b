/**
 * Readers beside `gc --now`, which waits for nobody: at every single step of a reader, a gc of another workspace of the
 * store prunes, moves what is left into new packs and sweeps the old ones; then, some steps later, another one does. The
 * reader gets the right bytes, and sees no damage. SNAP_SEED plays a failure again.
 */
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { diff, readFile } from '../../src/api/diff.ts';
import { gc } from '../../src/api/gc.ts';
import { log, show } from '../../src/api/history.ts';
import { stats } from '../../src/api/stats.ts';
import { verify } from '../../src/api/verify.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import { initWorkspace, openWorkspaceIn } from '../../src/api/workspace.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { processEnvironment } from '../../src/environment.ts';
import type { Repository } from '../../src/repo/repository.ts';
import { openRepository } from '../../src/repo/repository.ts';
import type { Backend } from '../../src/storage/backend.ts';
import { fileBackend } from '../../src/storage/file-backend.ts';
import type { Workers } from '../../src/work/start-workers.ts';
import { AMOUNT, amount, randomFrom, SEED } from '../kit/amount.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import type { Picture } from '../kit/crash/stage.ts';
import { pictureOf, samePicture } from '../kit/crash/stage.ts';
import { noise } from '../kit/folder.ts';
import { makeSmallWorkspace, scratchFolder } from '../kit/small-workspace.ts';

const folder = scratchFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const PLAY = join(folder, 'play');
/** Stores to begin with: of small files, and with a file that several jobs write. */
const KEPT = join(folder, 'kept');
const KEPT_LARGE = join(folder, 'kept-large');
const READER = join(PLAY, 'a');
const COLLECTOR = join(PLAY, 'b');
const FILES = 10;
const MIB = 1024 * 1024;
/** Of the steps at which a gc may come, the share that is tried, and the steps from it to the next gc. */
const SHARE = amount({ sample: 0.05, ordinary: 1, long: 1 });
const GAPS = amount({ sample: [2], ordinary: [2], long: [1, 2, 3, 4, 6, 8, 12] });
const NEVER = Number.POSITIVE_INFINITY;
const counts = new Map<string, number>();

/** What the snapshot v3 of each holds. */
const pictures = new Map<string, Picture>();

beforeAll(async () => {
  const small = await makeSmallWorkspace(READER);
  const change = (from: number, to: number, content: (i: number) => Buffer | string): void => {
    for (let i = from; i < to; i++) small.write(i % 2 === 0 ? `f${i}` : `d/f${i}`, content(i));
  };
  change(0, FILES, (i) => noise(3000, i + 1));
  await small.commit('first');
  change(0, 5, (i) => noise(3000, 100 + i));
  await small.commit('second');
  change(5, 7, (i) => noise(3000, 200 + i));
  await small.commit('third', 'v3');
  pictures.set(KEPT, pictureOf(READER));
  change(0, FILES, (i) => `now ${i}`);
  await small.commit('fourth');
  await small.workspace.close();
  await initWorkspace(COLLECTOR, { store: small.store });
  copy(PLAY, KEPT);
  rmSync(PLAY, { recursive: true });
  await makeLarge();
}, 60_000);

async function makeLarge(): Promise<void> {
  await initWorkspace(READER);
  const workspace = await openWorkspaceIn(processEnvironment('snap test'), inlineWorkers(realDisk), READER);
  const change = async (message: string, name: string, content: Buffer | string): Promise<void> => {
    writeFileSync(join(READER, name), content);
    await commit(workspace, { message, tag: message === 'third' ? 'v3' : undefined });
  };
  writeFileSync(join(READER, 'large'), noise(10 * MIB, 1));
  await change('first', 'junk', noise(5 * MIB, 2));
  await change('second', 'junk', 'none');
  await change('third', 'junk', 'still none');
  pictures.set(KEPT_LARGE, pictureOf(READER));
  await change('fourth', 'large', 'small');
  await workspace.close();
  await initWorkspace(COLLECTOR, { store: join(READER, '.snap/store') });
  copy(PLAY, KEPT_LARGE);
}

interface Reader {
  /** Throws if it gets anything but what is right. */
  read(workspace: Workspace): Promise<void>;
}

const READERS: Readonly<Record<string, Reader>> = {
  'checkout --to': {
    read: async (workspace) => {
      const to = join(PLAY, 'copy');
      const { failures } = await checkout(workspace, { revision: 'v3', to });
      expect(failures).toEqual([]);
      expectPicture(to, KEPT);
    },
  },
  checkout: {
    read: async (workspace) => {
      const { failures } = await checkout(workspace, { revision: 'v3' });
      expect(failures).toEqual([]);
      expectPicture(READER, KEPT);
    },
  },
  cat: {
    read: async (workspace) => {
      for (const i of [8, 0, 9]) {
        const pieces: Uint8Array[] = [];
        const { content } = await readFile(workspace, `v3:${i % 2 === 0 ? `f${i}` : `d/f${i}`}`);
        for await (const piece of content) pieces.push(new Uint8Array(piece));
        expect(Buffer.concat(pieces).equals(noise(3000, i === 0 ? 100 : i + 1))).toBe(true);
      }
    },
  },
  diff: {
    read: async (workspace) => {
      const compared = await diff(workspace, { from: 'v3', to: 'HEAD' });
      let changes = 0;
      for await (const change of compared.changes) {
        changes++;
        expect(await compared.text(change)).toBeDefined();
      }
      compared.close();
      expect(changes).toBe(FILES);
    },
  },
  'log and show': {
    read: async (workspace) => {
      const listed: string[] = [];
      for await (const { snapshot } of log(workspace)) listed.push(snapshot.message);
      expect(listed).toEqual(expect.arrayContaining(['third', 'fourth']));
      const shown = await show(workspace, 'HEAD');
      let changes = 0;
      for await (const _change of shown.changes()) changes++;
      expect(changes).toBe(FILES);
    },
  },
  stats: {
    read: async (workspace) => {
      const found = await stats(workspace, { revisions: ['v3', 'HEAD'] });
      expect(found.snapshots).toBe(2);
      expect(found.largest.length).toBeGreaterThan(0);
      expect(found.uniqueBytes).toBe(21_294);
    },
  },
  verify: { read: async (workspace) => expectWhole(workspace, false) },
  'verify --data': { read: async (workspace) => expectWhole(workspace, true) },
};

describe.each(Object.keys(READERS))('%s', (name) => {
  test.each(['its index', 'an index in memory'])(
    'beside gc --now, with %s',
    async (index) => {
      const random = randomFrom(SEED);
      const reader = READERS[name];
      for (const gap of GAPS) {
        let played = 0;
        for (let step = 0, steps = 1; step < steps; step++) {
          if (step > 0 && random() >= SHARE) continue;
          const run = await play(reader as Reader, index !== 'its index', step, gap);
          if (run.error !== undefined)
            throw new Error(`SNAP_SEED=${SEED}, gc at step ${step} of ${name}, ${gap} more to the next: ${run.error}`, {
              cause: run.error,
            });
          steps = Math.max(steps, run.steps);
          played++;
        }
        counts.set(name, (counts.get(name) ?? 0) + played);
      }
    },
    amount({ sample: 30_000, ordinary: 120_000, long: 600_000 }),
  );
});

afterAll(() => {
  const told = [...counts].map(([name, times]) => `${name} ${times}`).join(', ');
  console.info(`readers beside gc (${AMOUNT}): ${told}`);
});

test(
  'a checkout of a large file beside gc --now',
  async () => {
    const read = async (workspace: Workspace): Promise<void> => {
      const to = join(PLAY, 'copy');
      expect((await checkout(workspace, { revision: 'v3', to })).failures).toEqual([]);
      expectPicture(to, KEPT_LARGE);
    };
    for (const step of amount({ sample: [1], ordinary: [0, 1, 2, 3, 4, 6, 8, 12], long: [...Array(40).keys()] })) {
      const run = await play({ read }, false, step, NEVER, KEPT_LARGE);
      if (run.error !== undefined) throw new Error(`gc at step ${step}: ${run.error}`, { cause: run.error });
      counts.set('large', (counts.get('large') ?? 0) + (run.steps > step ? 1 : 0));
    }
  },
  amount({ sample: 30_000, ordinary: 60_000, long: 60_000 }),
);

/** Plays a reader on a fresh store; `steps`: how many calls to storage and jobs of workers it has made. */
async function play(
  reader: Reader,
  inMemory: boolean,
  at: number,
  gap: number,
  kept = KEPT,
): Promise<{ steps: number; error: unknown }> {
  rmSync(PLAY, { recursive: true, force: true });
  copy(kept, PLAY);
  const other = { ...processEnvironment('other').holder, id: 'another' };
  if (inMemory) writeFileSync(join(READER, '.snap/index-in-use'), JSON.stringify(other));
  let steps = 0;
  let isReading = false;
  const step = async (): Promise<void> => {
    if (!isReading) return;
    const now = steps++;
    if (now !== at && now !== at + gap) return;
    isReading = false;
    await collect(now === at ? 3 : 2);
    isReading = true;
  };
  const { repository, workspace } = await openReader(step);
  isReading = true;
  try {
    await reader.read(workspace);
    return { steps, error: undefined };
  } catch (error) {
    return { steps, error };
  } finally {
    isReading = false;
    await repository.close();
  }
}

/** A workspace whose calls to storage, and jobs of workers, each wait for `step` first. */
async function openReader(step: () => Promise<void>): Promise<{ repository: Repository; workspace: Workspace }> {
  const environment = processEnvironment('snap reader');
  const store = fileBackend(realDisk, join(READER, '.snap/store'), environment.uniqueName);
  const storage: Backend = {
    location: store.location,
    get: async (name, range) => step().then(() => store.get(name, range)),
    size: async (name) => step().then(() => store.size(name)),
    list: async function* (name) {
      await step();
      yield* store.list(name);
    },
    putIfAbsent: (name, bytes) => store.putIfAbsent(name, bytes),
    publish: (path, name) => store.publish(path, name),
    remove: (name) => store.remove(name),
    stagingFolder: () => store.stagingFolder(),
    localPath: (name) => store.localPath(name),
    changeablePath: (name) => store.changeablePath(name),
    freeBytes: () => store.freeBytes(),
  };
  const inner = inlineWorkers(realDisk);
  const workers: Workers = { ...inner, run: async (job) => step().then(() => inner.run(job)) };
  const repository = await openRepository(environment, READER, { storage });
  const common = { root: READER, repository, signal: undefined, workers, close: () => repository.close() };
  const workspace: Workspace = {
    ...common,
    exclusively: (work) => work(workspace),
    inTurn: (work) => work(workspace),
  };
  return { repository, workspace };
}

/** Prunes all but the newest snapshots and the tagged one, and waits for nobody. */
async function collect(keepLast: number): Promise<void> {
  const workspace = await openWorkspaceIn(processEnvironment('snap gc'), inlineWorkers(realDisk), COLLECTOR);
  try {
    const result = await gc(workspace, { rules: { keepLast }, all: true, now: true });
    expect(result.rewrittenPacks).toBeGreaterThan(0);
    expect(result.sweptPacks).toBeGreaterThan(0);
  } finally {
    await workspace.close();
  }
}

/** With times to the nanosecond: else every file has changed. */
function copy(from: string, to: string): void {
  execFileSync('cp', ['-a', from, to]);
}

function expectPicture(at: string, kept: string): void {
  expect(samePicture(pictureOf(at), pictures.get(kept) ?? new Map())).toBe(true);
}

async function expectWhole(workspace: Workspace, data: boolean): Promise<void> {
  const { faults, faultCount, hits, data: read } = await verify(workspace, { data });
  expect(faults).toEqual([]);
  expect(faultCount).toBe(0);
  expect(hits).toBeUndefined();
  expect(read === undefined).toBe(!data);
}
