/**
 * Who works on the store of a schedule: committers, collectors, readers and those who take something back, each with
 * the real code of its verb, a workspace of its own and a clock that may be wrong.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { undo } from '../../../src/api/undo.ts';
import type { Workspace } from '../../../src/api/workspace.ts';
import type { CommitOptions } from '../../../src/commit/commit.ts';
import { commit } from '../../../src/commit/commit.ts';
import type { Zstd } from '../../../src/compress/zstd.ts';
import { realDisk } from '../../../src/disk/disk.ts';
import { processEnvironment } from '../../../src/environment.ts';
import { hasCode } from '../../../src/errors.ts';
import type { GcOptions, GcResult } from '../../../src/gc/gc.ts';
import { gc } from '../../../src/gc/gc.ts';
import type { BlobId } from '../../../src/object/blob-id.ts';
import { snapshotOfRef, snapshotRef } from '../../../src/object/ref-name.ts';
import type { Environment } from '../../../src/repo/environment.ts';
import type { Repository } from '../../../src/repo/repository.ts';
import { openRepository } from '../../../src/repo/repository.ts';
import { setTag } from '../../../src/repo/tagging.ts';
import { everything } from '../../../src/scan/selection.ts';
import { randomFrom } from '../amount.ts';
import { inlineWorkers } from '../crash/inline-workers.ts';
import type { Picture } from '../crash/stage.ts';
import { readPicture, samePicture } from '../crash/stage.ts';
import { noise } from '../folder.ts';
import type { MemoryStore } from './memory-store.ts';
import { memoryBackend } from './memory-store.ts';
import type { Gate } from './schedule.ts';

const HOME = processEnvironment('snap test');
const NOON_MS = Date.UTC(2026, 10, 20, 12);
const DAY_MS = 86_400_000;
const CONTENTS = 5;
const FILES = ['a', 'b', 'd/c'];

const COMMIT: CommitOptions = {
  message: '',
  origin: 'commit',
  selection: everything,
  exclude: [],
  meta: {},
  tag: undefined,
  allowEmpty: false,
  rescan: false,
  compression: 'off',
  signal: undefined,
  progress: () => undefined,
};
const GC: GcOptions = {
  rules: {},
  all: true,
  now: true,
  signal: undefined,
  progress: () => undefined,
  exclusively: (work) => work(),
};

/** What an actor shares with the others. */
export interface World {
  readonly store: MemoryStore;
  readonly zstd: Zstd;
  readonly folder: string;
  /** What acknowledged snapshots must give back. */
  readonly acknowledged: Map<BlobId, Picture>;
  readonly faults: string[];
  /** How often what happened. */
  readonly counts: Map<string, number>;
}

/** A place to work at: a workspace folder, and the environment of the process that works there. */
export interface Place {
  readonly root: string;
  readonly name: string;
  readonly random: () => number;
  readonly environment: Environment;
}

/** `seed` makes its names, its clock and its choices. A clock that is off is so by years, and steps back as well. */
export function makePlace(world: World, name: string, seed: number, clockIsOff = false): Place {
  const root = `${world.folder}/${name}`;
  const random = randomFrom(seed);
  mkdirSync(`${root}/.snap/tmp`, { recursive: true });
  mkdirSync(`${root}/d`, { recursive: true });
  mkdirSync(`${root}/.staging`, { recursive: true });
  const id = createHash('sha256').update(name).digest('hex').slice(0, 32);
  const config = `[workspace]\nid = "${id}"\nname = "${name}"\n[store]\npath = "elsewhere"\n[gc]\ngrace = "1d"\n`;
  writeFileSync(`${root}/.snap/config.toml`, config);
  writeFileSync(`${root}/.snapignore`, '.staging/\n');
  // Somebody else has the index: this process works from memory.
  writeFileSync(`${root}/.snap/index-in-use`, JSON.stringify({ ...HOME.holder, id: 'another' }));
  return { root, name, random, environment: environmentOf(random, clockIsOff) };
}

function environmentOf(random: () => number, clockIsOff: boolean): Environment {
  const name = (): string =>
    Array.from({ length: 4 }, () =>
      Math.floor(random() * 2 ** 32)
        .toString(16)
        .padStart(8, '0'),
    ).join('');
  const offMs = clockIsOff ? (random() - 0.5) * 20 * 365 * DAY_MS : 0;
  let ticks = 0;
  return {
    ...HOME,
    disk: { ...realDisk, sync: () => undefined, syncLater: async () => undefined },
    holder: { ...HOME.holder, id: name() },
    uniqueName: name,
    zoneMinutes: () => 0,
    now: () => new Date(NOON_MS + offMs + ++ticks * 1000 + (clockIsOff ? (random() - 0.5) * 365 * DAY_MS : 0)),
    elapsed: () => ++ticks,
  };
}

export async function openAt(world: World, place: Place, gate: Gate): Promise<Repository> {
  const backend = memoryBackend(world.store, `${place.root}/.staging`, world.zstd, gate);
  return openRepository(place.environment, place.root, { storage: backend });
}

/** Changes files, commits, and so on; now and then as another process. */
export async function committer(world: World, place: Place, commits: number, gate: Gate): Promise<void> {
  const { random } = place;
  let repository = await openAt(world, place, gate);
  for (let i = 0; i < commits; i++) {
    if (random() < 0.3) repository = await openAt(world, place, gate);
    const picture = changeFiles(place);
    const tag = random() < 0.2 ? `${place.name}-${i}` : undefined;
    await attempt(world, place, 'commit', ['conflict', 'exists'], async () => {
      const { id } = await commit(repository, inlineWorkers(place.environment.disk), {
        ...COMMIT,
        message: `${place.name} ${i}`,
        tag,
      });
      if (id !== undefined) world.acknowledged.set(id, picture);
    });
  }
}

export async function collector(
  world: World,
  place: Place,
  rounds: number,
  gate: Gate,
  mutex: Mutex = (work) => work(),
  options: Partial<GcOptions> = {},
): Promise<GcResult | undefined> {
  let result: GcResult | undefined;
  for (let i = 0; i < rounds; i++) {
    await attempt(world, place, 'gc', ['conflict'], async () => {
      const repository = await openAt(world, place, gate);
      const now = place.random() < 0.7;
      const rules = place.random() < 0.6 ? { keepLast: 1 } : {};
      result = await gc(repository, inlineWorkers(place.environment.disk), {
        ...GC,
        now,
        rules,
        exclusively: mutex,
        ...options,
      });
      count(world, 'sweeps', result.sweptPacks > 0 ? 1 : 0);
      count(world, 'rewritten', result.rewrittenPacks);
      count(world, 'leftovers', result.leftovers.files);
    });
  }
  return result;
}

/** Reads snapshots that there are. What it gets is right; what it does not get was pruned or moved meanwhile. */
export async function reader(world: World, place: Place, rounds: number, gate: Gate): Promise<void> {
  for (let i = 0; i < rounds; i++) {
    await attempt(world, place, 'read', [], async () => {
      const repository = await openAt(world, place, gate);
      const ids = [...repository.state().refs.keys()].flatMap((ref) => snapshotOfRef(ref) ?? []);
      const id = ids[Math.floor(place.random() * ids.length)];
      if (id === undefined) return;
      try {
        const picture = await readPicture(repository, id);
        const expected = world.acknowledged.get(id);
        if (expected !== undefined && !samePicture(picture, expected))
          world.faults.push(`${place.name} read other bytes of ${id.slice(0, 10)} than were committed`);
      } catch (error) {
        if (!hasCode(error, 'corrupt-data') || world.store.state.refs.has(snapshotRef(id))) throw error;
      }
    });
  }
}

/** Takes the newest operation of its workspace back, or tags a snapshot. */
export async function meddler(
  world: World,
  place: Place,
  rounds: number,
  gate: Gate,
  mutex: Mutex,
  tags = 0.25,
): Promise<void> {
  for (let i = 0; i < rounds; i++) {
    await attempt(world, place, 'undo', ['not-found', 'refused', 'conflict', 'exists'], async () => {
      const repository = await openAt(world, place, gate);
      const ids = [...repository.state().refs.values()];
      const id = ids[Math.floor(place.random() * ids.length)];
      if (place.random() < tags && id !== undefined) await mutex(() => setTag(repository, `t${i}`, id, true));
      else await undo(workspaceOf(repository, mutex));
    });
  }
}

export type Mutex = <T>(work: () => Promise<T>) => Promise<T>;

/** The lock of a workspace whose processes are actors here: no clock, no waiting in steps, free when its holder dies. */
export class SharedLock {
  #last: Promise<unknown> = Promise.resolve();

  /** For one actor. */
  of(died: Promise<void>): Mutex {
    return (work) => {
      const done = this.#last.then(work);
      this.#last = Promise.race([done.catch(() => undefined), died]);
      return done;
    };
  }
}

/** A gc that nobody disturbs; without rules and grace unless told. */
export async function collectAll(world: World, place: Place, options: Partial<GcOptions> = {}): Promise<GcResult> {
  const repository = await openAt(world, place, async () => undefined);
  return gc(repository, inlineWorkers(place.environment.disk), { ...GC, ...options });
}

function workspaceOf(repository: Repository, mutex: Mutex): Workspace {
  const { root, environment } = repository;
  const workers = inlineWorkers(environment.disk);
  const common = { root, repository, signal: undefined, workers, close: async () => undefined };
  const held: Workspace = { ...common, exclusively: (work) => work(held), inTurn: (work) => work(held) };
  return {
    ...common,
    inTurn: (work) => work(held),
    exclusively: (work) =>
      mutex(async () => {
        await repository.refresh();
        return work(held);
      }),
  };
}

/** Files as they are now, some of them with another of a few contents. */
function changeFiles({ root, random }: Place): Picture {
  const picture = new Map<string, string>([['d', 'folder']]);
  const at = Math.floor(random() * FILES.length);
  for (const [i, name] of ['.snapignore', ...FILES].entries()) {
    const path = `${root}/${name}`;
    const which = Math.floor(random() * CONTENTS);
    if (i > 0 && (i - 1 === at || random() < 0.4)) writeFileSync(path, noise(600 + which, 100 * i + which));
  }
  for (const name of ['.snapignore', ...FILES]) {
    const path = `${root}/${name}`;
    if (existsSync(path)) picture.set(name, createHash('sha1').update(readFileSync(path)).digest('hex'));
  }
  return picture;
}

async function attempt(
  world: World,
  place: Place,
  what: string,
  expected: Parameters<typeof hasCode>[1][],
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
    count(world, what);
  } catch (error) {
    if (hasCode(error, ...expected)) count(world, `${what}: ${error.code}`);
    else world.faults.push(`${place.name}: ${what}: ${error instanceof Error ? error.stack : String(error)}`);
  }
}

function count({ counts }: World, what: string, by = 1): void {
  counts.set(what, (counts.get(what) ?? 0) + by);
}
