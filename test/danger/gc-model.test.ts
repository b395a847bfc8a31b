/**
 * Commits, garbage collection, reading and undo at once, on a store that has nothing but its journal to order them: the
 * real code over a store in memory, each call to it a step of a schedule. SNAP_SEED=<printed seed> plays a failure again.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defaultChunkParams } from '../../src/chunk/chunk-params.ts';
import type { Zstd } from '../../src/compress/zstd.ts';
import { loadZstd } from '../../src/compress/zstd.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { snapshotRef } from '../../src/object/ref-name.ts';
import { EMPTY_STATE } from '../../src/object/store-state.ts';
import { appendEntry, readEntriesAfter } from '../../src/repo/journal.ts';
import { STORE_CONFIG } from '../../src/repo/layout.ts';
import { encodeStoreConfig } from '../../src/repo/store-config.ts';
import { removeTag, setTag } from '../../src/repo/tagging.ts';
import { AMOUNT, amount, randomFrom, SEED } from '../kit/amount.ts';
import type { Picture } from '../kit/crash/stage.ts';
import { readPicture, samePicture } from '../kit/crash/stage.ts';
import type { World } from '../kit/protocol/actors.ts';
import {
  collectAll,
  collector,
  committer,
  makePlace,
  meddler,
  openAt,
  reader,
  SharedLock,
} from '../kit/protocol/actors.ts';
import { MemoryStore, memoryBackend } from '../kit/protocol/memory-store.ts';
import type { Fate, Gate } from '../kit/protocol/schedule.ts';
import { Schedule } from '../kit/protocol/schedule.ts';

const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'snap-schedules-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const free = async (): Promise<void> => undefined;
const counts = new Map<string, number>();
let zstd: Zstd;
/** Stores to begin with: with history, and with packs that were condemned and are not swept. */
let templates: { readonly store: MemoryStore; readonly acknowledged: ReadonlyMap<BlobId, Picture> }[];

beforeAll(async () => {
  zstd = await loadZstd();
  templates = [await template(1), await template(4, 'prune'), await template(11), await template(3, 'prune', 254)];
});

describe('schedules of the real code', () => {
  test(
    'what is published is whole, what is acknowledged stays, and all garbage goes',
    async () => {
      const schedules = amount({ sample: 40, ordinary: 1000, long: 100_000 });
      for (let i = 0; i < schedules; i++) await play(SEED + i);
      const done = [...counts].map(([what, times]) => `${what} ${times}`).join(', ');
      console.info(`schedules: ${schedules} (${AMOUNT}); ${done}`);
      if (AMOUNT !== 'sample')
        expect([...counts.keys()]).toEqual(expect.arrayContaining(['commit', 'gc', 'read', 'undo']));
    },
    amount({ sample: 60_000, ordinary: 300_000, long: 7_200_000 }),
  );
});

describe('schedules with a name', () => {
  test('a commit sleeps before its entry, while gc takes its packs for leftovers', async () => {
    const world = worldOn(0);
    await playOut(world, 2, (schedule) => {
      schedule.start('w', { sleepsAtChange: 1 }, (gate) => committer(world, makePlace(world, 'w0', 1), 1, gate));
      schedule.start('g', {}, sweeper(world, 'g', 1));
    });
    expect([...world.store.removed].filter((name) => name.startsWith('packs/'))).toHaveLength(1);
    expect(world.acknowledged.size).toBe(2);
  });

  test('an undo sleeps before its entry, while gc sweeps what it would bring back', async () => {
    const world = worldOn(1);
    const lock = new SharedLock();
    const before = world.store.state.refs.size;
    await playOut(world, 1, (schedule) => {
      const at = makePlace(world, 'g0', 5);
      schedule.start('u', { sleepsAtChange: 0 }, (gate, died) => meddler(world, at, 1, gate, lock.of(died), 0));
      schedule.start('g', {}, sweeper(world, 'g', 1));
    });
    expect(world.counts.get('undo: refused')).toBe(1);
    expect(world.store.state.refs.size).toBe(before);
  });

  test('a commit sleeps before its entry, while its parent is taken back', async () => {
    const world = worldOn(0);
    const [parent] = world.acknowledged.keys();
    await playOut(world, 1, (schedule) => {
      const [at, first] = [makePlace(world, 'w0', 1), publisher()];
      schedule.start('w', { sleepsAtChange: 1 }, (gate) => committer(world, at, 1, first.tells(gate)));
      // In a copy of the workspace's folder, whose lock is another one.
      schedule.start('u', {}, async (gate, died) => {
        await first.isAsleep;
        await meddler(world, at, 1, gate, new SharedLock().of(died), 0);
      });
    });
    expect(world.counts.get('undo')).toBe(1);
    expect([...world.store.unnamed.keys()]).toEqual([parent]);
    expect(world.store.state.refs.size).toBe(1);
  });

  test.each([
    ['condemns', false],
    ['condemns and sweeps', true],
  ] as const)('a collector sleeps before its entry, while another %s the same', async (_what, sweeps) => {
    const world = worldOn(2);
    await pruneAll(world);
    let condemned: string[] = [];
    await playOut(world, 1, (schedule) => {
      const first = publisher();
      schedule.start('g', { sleepsAtChange: 1 }, (gate) => sweeper(world, 'g', 2)(first.tells(gate)));
      schedule.start('h', {}, async (gate) => {
        await first.isAsleep;
        await sweeper(world, 'h', 1, sweeps)(gate);
        condemned = [...world.store.state.condemned];
      });
    });
    expect(condemned.length > 0).toBe(!sweeps);
    expect(world.counts.get('gc')).toBe(3);
    // Nobody condemned, nor moved into a new pack, what the other had moved by then.
    expect(await entriesOf(world, 'condemn')).toBe(1);
  });
});

/** An actor that another one waits for: until it is about to publish its first entry, where it is to sleep. */
function publisher(): { tells(gate: Gate): Gate; readonly isAsleep: Promise<void> } {
  let tell = (): void => undefined;
  const isAsleep = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const tells = (gate: Gate): Gate => {
    return (what) => {
      const passed = gate(what);
      if (what.startsWith('put journal/')) tell();
      return passed;
    };
  };
  return { tells, isAsleep };
}

/** Prunes all but the newest snapshot and the tagged ones, and leaves the rest of a gc to others. */
async function pruneAll(world: World): Promise<void> {
  const repository = await openAt(world, makePlace(world, 'p', 1), free);
  const all = [...repository.state().refs];
  const tagged = new Set(all.filter(([name]) => name.startsWith('tags/')).map(([, id]) => id));
  const snapshots = all.filter(([name]) => name.startsWith('snapshots/')).slice(0, -1);
  const refs = snapshots.filter(([, id]) => !tagged.has(id)).map(([name, from]) => ({ name, from, to: null }));
  await repository.publish({ operation: 'prune', note: '', refs }, {}, () => {
    throw new Error('nobody else is there');
  });
}

async function entriesOf(world: World, operation: string): Promise<number> {
  const backend = memoryBackend(world.store, world.folder, world.zstd, free);
  const entries = await readEntriesAfter(backend, EMPTY_STATE);
  return entries.filter(({ entry }) => entry.operation === operation).length;
}

/** Runs gc without rules; with `now`, without graces. */
function sweeper(world: World, name: string, rounds: number, now = true): (gate: Gate) => Promise<void> {
  // Of a seed of its own: two with one would give their packs the same names.
  const place = makePlace(world, name, name.charCodeAt(0));
  return async (gate) => {
    await collector(world, place, rounds, gate, undefined, { now, rules: {} });
  };
}

/** A store to play on, from one of the templates. */
function worldOn(number: number): World {
  const start = templates[number];
  if (start === undefined) throw new Error('no such template');
  const { store, acknowledged } = start;
  return {
    store: new MemoryStore(store),
    zstd,
    folder: join(folder, 'play'),
    acknowledged: new Map(acknowledged),
    faults: [],
    counts: new Map(),
  };
}

/** Plays one schedule from its seed. */
async function play(seed: number): Promise<void> {
  const random = randomFrom(seed);
  const pick = (below: number): number => Math.floor(random() * below);
  // The journal of 254 entries costs as much as ten of the others.
  const world = worldOn(random() < 0.05 ? 3 : pick(3));
  const fate = (): Fate => ({
    sleepsAt: random() < 0.15 ? pick(80) : undefined,
    sleepsAtChange: random() < 0.4 ? pick(5) : undefined,
    diesAt: random() < 0.15 ? pick(100) : undefined,
  });
  const place = (name: string) => makePlace(world, name, pick(2 ** 31), random() < 0.3);
  const lock = new SharedLock();
  await playOut(world, seed, (schedule) => {
    for (let i = 0, writers = 1 + pick(2); i < writers; i++) {
      const at = place(`w${i}`);
      schedule.start(at.name, fate(), (gate) => committer(world, at, 1 + pick(3), gate));
    }
    for (let i = 0, collectors = 1 + pick(3); i < collectors; i++) {
      const at = place(`g${i}`);
      schedule.start(at.name, fate(), async (gate, died) => {
        await collector(world, at, 1 + pick(2), gate, i === 0 ? lock.of(died) : undefined);
      });
    }
    if (random() < 0.5) {
      const at = place('r');
      schedule.start('r', fate(), (gate) => reader(world, at, 2, gate));
    }
    if (random() < 0.4) {
      const at = { ...place('g0'), name: 'u' };
      schedule.start('u', fate(), (gate, died) => meddler(world, at, 2, gate, lock.of(died)));
    }
  });
  for (const [what, times] of world.counts) counts.set(what, (counts.get(what) ?? 0) + times);
}

/** Plays a schedule to its end, and looks at what is left. Throws, with the seed and the last steps, if anything broke. */
async function playOut(world: World, seed: number, cast: (schedule: Schedule) => void): Promise<void> {
  const schedule = new Schedule(seed);
  cast(schedule);
  try {
    await schedule.run();
    await checkEnd(world);
    const faults = [...world.store.faults, ...world.faults];
    if (faults.length > 0) throw new Error(faults.slice(0, 3).join('\n'));
  } catch (error) {
    const steps = schedule.log.slice(-Number(process.env.SNAP_STEPS ?? 40)).join('\n  ');
    throw new Error(`SNAP_SEED=${seed}: ${error instanceof Error ? error.message : String(error)}\n  ${steps}`, {
      cause: error,
    });
  } finally {
    rmSync(world.folder, { recursive: true, force: true });
  }
}

/** Everything has ended: what was acknowledged and not pruned is there, and gc frees all that is needed by nobody. */
async function checkEnd(world: World): Promise<void> {
  const { store } = world;
  for (const id of world.acknowledged.keys())
    if (!store.state.refs.has(snapshotRef(id)) && !store.unnamed.has(id))
      world.faults.push(`the acknowledged snapshot ${id.slice(0, 10)} has no ref, and no entry took it away`);
  const place = makePlace(world, 'last', 1);
  await collectAll(world, place);
  await collectAll(world, place);
  const packs = [...store.objects.keys()].filter((name) => name.startsWith('packs/'));
  if (packs.length !== store.state.packs.size)
    world.faults.push(`${packs.length} packs, ${store.state.packs.size} in the state`);
  if (store.state.condemned.size > 0) world.faults.push(`${store.state.condemned.size} packs stay condemned`);
  if (store.uselessPacks().length > 0) world.faults.push(`useless packs: ${store.uselessPacks().join(', ')}`);
  const repository = await openAt(world, place, free);
  for (const [id, picture] of world.acknowledged) {
    if (!store.state.refs.has(snapshotRef(id))) continue;
    if (!samePicture(await readPicture(repository, id), picture))
      world.faults.push(`${id.slice(0, 10)} gives back other bytes than were committed`);
  }
}

async function template(commits: number, then?: 'prune', entries = 0): Promise<(typeof templates)[number]> {
  const world: World = {
    store: new MemoryStore(),
    zstd,
    folder: join(folder, `template-${templates?.length ?? 0}-${commits}`),
    acknowledged: new Map(),
    faults: [],
    counts: new Map(),
  };
  mkdirSync(world.folder);
  const place = makePlace(world, 'w0', commits);
  const backend = memoryBackend(world.store, `${place.root}/.staging`, zstd, free);
  const config = { id: place.environment.uniqueName(), chunker: defaultChunkParams, packBytes: 8192 };
  await backend.putIfAbsent(STORE_CONFIG, encodeStoreConfig(config));
  await appendEntry(backend, place.environment, EMPTY_STATE, { operation: 'init', note: '' });
  await committer(world, place, commits, free);
  const repository = await openAt(world, place, free);
  // Packs that are condemned and wait, so that commits reuse what is in them.
  if (then === 'prune') await collectAll(world, makePlace(world, 'g0', 7), { now: false, rules: { keepLast: 1 } });
  // The next checkpoint is near.
  await repository.refresh();
  const [id] = repository.state().refs.values();
  for (let i = world.store.state.number; id !== undefined && i < entries; i += 2)
    await setTag(repository, `t${i % 2}`, id, true).then(() => removeTag(repository, `t${i % 2}`));
  if (world.faults.length > 0) throw new Error(world.faults.join('\n'));
  return { store: world.store, acknowledged: world.acknowledged };
}
