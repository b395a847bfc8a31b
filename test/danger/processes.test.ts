/**
 * Everything at once, by real processes: four committers, gc, reindex, two checkouts, log and status on one store, and
 * somebody who kills one of them every 200 ms. Whatever was acknowledged is there, byte for byte, and nobody has to
 * unlock or repair anything. SNAP_SEED replays the choices, not the scheduler of the system.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openWorkspace } from '../../src/api/workspace.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { snapshotRef } from '../../src/object/ref-name.ts';
import { AMOUNT, amount, randomFrom, SEED } from '../kit/amount.ts';
import type { Picture } from '../kit/crash/stage.ts';
import { pictureOf, readPicture, samePicture } from '../kit/crash/stage.ts';
import { noise } from '../kit/folder.ts';
import type { Running } from '../kit/processes/run.ts';
import { run, start } from '../kit/processes/run.ts';

const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'snap-chaos-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const KILL_EVERY_MS = 200;
/** A worker whose commands were killed so often in a row is spared until one ends: on a busy machine none would. */
const KILLED_IN_A_ROW_MAX = 3;
const LENGTH_MS = amount({ sample: 4_000, ordinary: 60_000, long: 20 * 60_000 });
const STORE = join(folder, 'store');
/** Its own snapshots are pruned, all but the last three and the tagged ones. */
const PRUNED = 'c3';
const random = randomFrom(SEED);

interface Acknowledged {
  readonly id: BlobId;
  readonly picture: Picture;
  readonly mayGo: boolean;
}

/** What the loops share. */
interface Chaos {
  /** What runs, and how many commands of its worker were killed in a row before it. */
  readonly running: Map<Running, number>;
  readonly acknowledged: Acknowledged[];
  /** By verb: how often it ended well, was killed, failed in a way that is meant to be. */
  readonly tally: Map<string, { good: number; killed: number; refused: number }>;
  readonly faults: string[];
  over: boolean;
  kills: number;
}

/** One iteration of a worker: a command, in a workspace; `check` sees the output of one that ended well. */
interface Step {
  readonly verb: string;
  readonly workspace: string;
  readonly args: readonly string[];
  readonly check?: (stdout: string) => void;
}

test(
  'nothing acknowledged is lost, and everything goes on without help',
  async () => {
    const chaos: Chaos = { running: new Map(), acknowledged: [], tally: new Map(), faults: [], over: false, kills: 0 };
    await makeWorkspace(chaos, 'c0');
    await Promise.all(['c1', 'c2', PRUNED, 'walker'].map((name) => makeWorkspace(chaos, name)));
    const workers = [...['c0', 'c1', 'c2', PRUNED].map((name) => committer(chaos, name)), ...others(chaos)];
    const loops = workers.map((next) => loop(chaos, next));
    const killer = setInterval(() => killOne(chaos), KILL_EVERY_MS);
    await new Promise((resolve) => setTimeout(resolve, LENGTH_MS));
    clearInterval(killer);
    chaos.over = true;
    await Promise.all(loops);
    const told = [...chaos.tally]
      .map(([verb, { good, killed, refused }]) => `${verb} ${good} (${killed} killed, ${refused} excused)`)
      .join(', ');
    console.info(
      `processes (${AMOUNT}): ${chaos.kills} kills, ${chaos.acknowledged.length} acknowledged commits; ${told}`,
    );
    // A sample is too short for that while others are killed: there, the calm rounds at the end count.
    await Promise.all(workers.map((next) => one(chaos, next(), AMOUNT === 'sample')));
    if (AMOUNT === 'sample') await aloneWhereNeeded(chaos, workers);
    for (const [verb, { good }] of chaos.tally) expect(good, verb).toBeGreaterThan(0);
    expect(chaos.faults, `SNAP_SEED=${SEED}`).toEqual([]);
    await checkEnd(chaos);
  },
  LENGTH_MS * 2 + 120_000,
);

/** A reindex may have met somebody who used the index each time: by itself it has to end well. */
async function aloneWhereNeeded(chaos: Chaos, workers: readonly (() => Step)[]): Promise<void> {
  for (const next of workers) {
    const step = next();
    if (chaos.tally.get(step.verb)?.good === 0) await one(chaos, step, true);
  }
}

async function makeWorkspace(chaos: Chaos, name: string): Promise<void> {
  const root = join(folder, name);
  mkdirSync(join(root, 'd'), { recursive: true });
  for (let i = 0; i < 6; i++) writeFileSync(join(root, i % 2 === 0 ? `f${i}` : `d/f${i}`), noise(3000, i));
  expect((await run(['init', '--store', STORE, root], folder)).stderr).toBe('');
  for (const tag of [`${name}-a`, `${name}-b`]) {
    writeFileSync(join(root, 'f0'), tag);
    const picture = pictureOf(root);
    const { code, stdout, stderr } = await run(['commit', '-m', tag, '--tag', tag, '--json'], root);
    expect(code, stderr).toBe(0);
    chaos.acknowledged.push({ id: idOf(stdout), picture, mayGo: false });
  }
}

function committer(chaos: Chaos, name: string): () => Step {
  const root = join(folder, name);
  let n = 0;
  return () => {
    n++;
    const tagged = n % 3 === 0;
    // Contents that come back let commits reuse what gc has condemned.
    for (let i = 0; i < 3; i++) writeFileSync(join(root, `f${2 * i}`), noise(2000 + i, Math.floor(random() * 12)));
    writeFileSync(join(root, 'd', 'large'), noise(200_000, Math.floor(random() * 5)));
    writeFileSync(join(root, 'n'), `${name} ${n}`);
    const picture = pictureOf(root);
    const tag = tagged ? ['--tag', `${name}-${n}`] : [];
    return {
      verb: 'commit',
      workspace: name,
      args: ['commit', '-m', `${name} ${n}`, ...tag, '--json'],
      check: (stdout) => chaos.acknowledged.push({ id: idOf(stdout), picture, mayGo: name === PRUNED && !tagged }),
    };
  };
}

function others(chaos: Chaos): (() => Step)[] {
  let copies = 0;
  let walks = 0;
  return [
    () => ({ verb: 'gc', workspace: PRUNED, args: ['gc', '--now', '--keep-last', '3'] }),
    () => ({ verb: 'reindex', workspace: 'c0', args: ['reindex'] }),
    () => ({ verb: 'log', workspace: 'c2', args: ['log', '--all'] }),
    () => ({ verb: 'status', workspace: 'c2', args: ['status'] }),
    () => {
      const { id, picture } = chaos.acknowledged.find(({ mayGo }) => !mayGo && random() < 0.3) ?? firstOf(chaos);
      const to = join(folder, `copy${copies++}`);
      const check = (): void => {
        if (!samePicture(pictureOf(to), picture)) chaos.faults.push(`${to} is not what ${id} was`);
        rmSync(to, { recursive: true });
      };
      return { verb: 'checkout --to', workspace: 'c1', args: ['checkout', id, '--to', to], check };
    },
    () => {
      const { id, picture } = chaos.acknowledged.filter(({ mayGo }) => !mayGo)[walks++ % 4] ?? firstOf(chaos);
      const root = join(folder, 'walker');
      const check = (): void => {
        if (!samePicture(pictureOf(root), picture)) chaos.faults.push(`${root} is not what ${id} was`);
      };
      return { verb: 'checkout', workspace: 'walker', args: ['checkout', id], check };
    },
  ];
}

async function loop(chaos: Chaos, next: () => Step): Promise<void> {
  for (let killed = 0; !chaos.over; ) killed = (await one(chaos, next(), true, killed)) === null ? killed + 1 : 0;
}

/** Runs a command; returns its exit code. If it was not killed, it has to end well, or to say that others were faster. */
async function one(chaos: Chaos, step: Step, counts: boolean, killedBefore = 0): Promise<number | null> {
  const running = start(step.args, join(folder, step.workspace));
  chaos.running.set(running, killedBefore);
  const { code, stdout, stderr } = await running.done;
  chaos.running.delete(running);
  const tally = chaos.tally.get(step.verb) ?? { good: 0, killed: 0, refused: 0 };
  chaos.tally.set(step.verb, tally);
  if (code === null) tally.killed++;
  else if (code === 0) {
    if (counts) tally.good++;
    step.check?.(stdout);
  } else if (isMeant(step.verb, code, stderr)) tally.refused++;
  else chaos.faults.push(`${step.verb} in ${step.workspace} ended with ${code}: ${stderr}`);
  return code;
}

function isMeant(verb: string, code: number, stderr: string): boolean {
  // The index is LevelDB's, which admits one process; reindex does not wait for it.
  if (verb === 'reindex' && code === 11) return true;
  return code === 1 && /other commands changed the store|there is a tag/.test(stderr);
}

function killOne(chaos: Chaos): void {
  const running = [...chaos.running].filter(([, killed]) => killed < KILLED_IN_A_ROW_MAX).map(([one]) => one);
  const chosen = running[Math.floor(random() * running.length)];
  if (chosen?.child.kill('SIGKILL') === true) chaos.kills++;
}

async function checkEnd(chaos: Chaos): Promise<void> {
  await Promise.all(
    ['c0', 'c1', 'c2', PRUNED, 'walker'].map(async (name) => {
      const ran = await run(['commit', '-m', 'last', '--lock-timeout', '0'], join(folder, name));
      expect(ran.code, `${name}: ${ran.stderr}`).toBe(0);
    }),
  );
  const verified = await run(['verify', '--data'], join(folder, 'c0'));
  expect(verified.code, verified.stdout + verified.stderr).toBe(0);
  age(folder);
  expect(await run(['gc', '--now'], join(folder, PRUNED))).toMatchObject({ code: 0 });
  expect(await run(['gc', '--now'], join(folder, PRUNED))).toMatchObject({ code: 0 });
  expect(readdirSync(join(STORE, 'tmp'))).toEqual([]);
  expect(readdirSync(join(STORE, 'locks'), { recursive: true }).filter((name) => name !== 'sessions')).toEqual([]);
  const workspace = await openWorkspace(join(folder, 'c0'));
  try {
    const { repository } = workspace;
    const { refs, packs } = repository.state();
    const files = readdirSync(join(STORE, 'packs'), { recursive: true, encoding: 'utf8' });
    expect(files.filter((name) => name.endsWith('.pack')).length).toBe(packs.size);
    for (const { id, picture, mayGo } of chaos.acknowledged) {
      if (mayGo && !refs.has(snapshotRef(id))) continue;
      expect(refs.has(snapshotRef(id)), `${id} is acknowledged and not there; SNAP_SEED=${SEED}`).toBe(true);
      expect(samePicture(await readPicture(repository, id), picture), `${id}; SNAP_SEED=${SEED}`).toBe(true);
    }
  } finally {
    await workspace.close();
  }
}

/** Makes all files in the store's and the workspaces' temporary folders an hour older. */
function age(root: string): void {
  const then = Date.now() / 1000 - 3600;
  for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' }))
    if (/(^|\/)(tmp|locks|\.snap)\/[^/]*$/.test(name) && statSync(join(root, name)).isFile())
      utimesSync(join(root, name), then, then);
}

function firstOf(chaos: Chaos): Acknowledged {
  const [first] = chaos.acknowledged;
  if (first === undefined) throw new Error('nothing is committed yet');
  return first;
}

function idOf(stdout: string): BlobId {
  return (JSON.parse(stdout) as { id: BlobId }).id;
}
