/**
 * Danger: bytes that rot, get lost, or come from somewhere else. Whatever is done to any stored file: what is read is right
 * or an error, damage of packs and journal is found and named, damage of what is derived heals, nothing hangs or dies, and
 * a damaged blob costs only the files that use it (those that the independent checker cannot read either).
 */
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AMOUNT, amount, randomFrom, SEED } from '../kit/amount.ts';
import { Examiner } from './corruption/examiner.ts';
import type { Fixture } from './corruption/fixture.ts';
import { makeFixture } from './corruption/fixture.ts';
import { judge, snapshotPaths } from './corruption/judge.ts';
import type { Mutation } from './corruption/mutations.ts';
import { changeFile, flip, mutationsOf, targetsOf } from './corruption/mutations.ts';

const base = fs.mkdtempSync(join(fs.existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'snap-corruption-'));
const examiner = new Examiner();
let fixture: Fixture;
let stranger: Fixture;
let count = 0;

beforeAll(async () => {
  fixture = await makeFixture(join(base, 'fixture'), 1, AMOUNT !== 'sample');
  stranger = await makeFixture(join(base, 'stranger'), 20, AMOUNT !== 'sample');
});
afterAll(() => {
  examiner.end();
  fs.rmSync(base, { recursive: true, force: true });
});

/** Applies a mutation to a copy, examines that, and gives everything that is not as it must be. */
async function faultsAfter(mutation: Mutation, withIndex: boolean): Promise<string[]> {
  const name = `${++count}`;
  const root = join(base, name, 'work');
  fs.cpSync(fixture.root, root, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  if (!withIndex) fs.rmSync(join(root, '.snap/index'), { recursive: true });
  try {
    if (!mutation.apply(root)) return [];
    const question = { root, target: join(base, name, 'out'), snapshots: snapshotPaths(fixture) };
    const pristine = join(base, name, 'examined');
    fs.cpSync(join(root, '.snap/store'), pristine, { recursive: true });
    return judge(mutation, fixture, pristine, question, await examiner.ask(question));
  } finally {
    fs.rmSync(join(base, name), { recursive: true, force: true });
  }
}

async function tryAll(mutations: readonly Mutation[], random: () => number): Promise<void> {
  const failures: string[] = [];
  for (const [number, mutation] of mutations.entries()) {
    const withIndex = mutation.class.startsWith('index ') || random() < 0.7;
    for (const fault of await faultsAfter(mutation, withIndex))
      failures.push(
        `SNAP_SEED=${SEED}, mutation ${number}, ${withIndex ? '' : 'without index, '}${mutation.what}: ${fault}`,
      );
    if (failures.length > 20) break;
  }
  expect(failures).toEqual([]);
}

const MINUTES = 60_000;

describe.skipIf(!process.features.typescript)('stored files', () => {
  test('nothing is found where nothing is damaged', async () => {
    const nothing: Mutation = { class: 'nothing', fileClass: 'derived', what: 'nothing', file: '', apply: () => true };
    expect(await faultsAfter(nothing, true)).toEqual([]);
    expect(await faultsAfter(nothing, false)).toEqual([]);
  });

  test('every kind of file, region and way of damage', { timeout: 120 * MINUTES }, async () => {
    const random = randomFrom(SEED);
    const wanted = amount({ sample: 60, ordinary: 1200, long: 20_000 });
    const mutations: Mutation[] = [];
    while (mutations.length < wanted) {
      const round = mutationsOf(fixture.root, stranger.root, random);
      if (round.length === 0) throw new Error('nothing to damage');
      mutations.push(...round);
    }
    // A sample begins where the seed says, so that every run has other classes.
    const start = AMOUNT === 'sample' ? Math.floor(random() * Math.max(1, mutations.length - wanted)) : 0;
    await tryAll(mutations.slice(start, start + wanted), random);
  });

  test.runIf(AMOUNT === 'long')('every bit of files up to 4 KiB', { timeout: 600 * MINUTES }, async () => {
    const mutations = targetsOf(fixture.root).flatMap((target) => {
      const { size } = fs.statSync(join(fixture.root, target.file));
      if (size > 4096) return [];
      return Array.from({ length: size * 8 }, (_, bit) =>
        changeFile(target, '', 'flip', ` at ${bit >> 3}, bit ${bit & 7}`, flip(bit >> 3, bit & 7)),
      );
    });
    await tryAll(mutations, randomFrom(SEED));
  });
});
