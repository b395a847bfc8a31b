/**
 * The model of the gc protocol under many more schedules than the code itself can be put through (gc-model.test.ts):
 * committers, readers, collectors, undo, each of whom may sleep for ever so long or die. SNAP_SEED plays a failure again.
 */
import { describe, expect, test } from 'vitest';
import { AMOUNT, amount, randomFrom, SEED } from '../kit/amount.ts';
import type { Actor, Rule } from '../kit/protocol/model.ts';
import { Model } from '../kit/protocol/model.ts';

const counts = new Map<string, number>();

describe('the protocol', () => {
  test(
    'keeps every published snapshot whole, and leaves no garbage',
    () => {
      const schedules = amount({ sample: 1000, ordinary: 20_000, long: 1_000_000 });
      for (let i = 0; i < schedules; i++) expect(play(SEED + i), `SNAP_SEED=${SEED + i}`).toEqual([]);
      console.info(`schedules of the model: ${schedules} (${AMOUNT}); ${[...counts].flat().join(' ')}`);
    },
    amount({ sample: 60_000, ordinary: 300_000, long: 3_600_000 }),
  );

  const RULES: Rule[] = [
    'commit looks for sweeps',
    'sweep on the walked state',
    'leftovers get an entry',
    'undo looks again',
  ];
  test.each(RULES)('needs its rule: %s', (rule) => {
    for (let i = 0; i < 5000; i++) if (play(i, rule).length > 0) return;
    throw new Error('5000 schedules do without it');
  });
});

interface Player {
  readonly actor: Actor;
  readonly sleepsAt: number;
  readonly diesAt: number;
  steps: number;
}

/** What broke. */
function play(seed: number, without?: Rule): string[] {
  const random = randomFrom(seed);
  const model = new Model(random, without);
  const pick = (below: number): number => Math.floor(random() * below);
  finish(model.commits(3));
  const actors = [model.commits(1 + pick(3)), model.collects(1 + pick(2)), model.collects(1), model.undoes(2)];
  if (random() < 0.5) actors.push(model.commits(2));
  if (random() < 0.5) actors.push(model.reads(3));
  let players: Player[] = actors.map((actor) => ({
    actor,
    sleepsAt: random() < 0.4 ? pick(25) : -1,
    diesAt: random() < 0.1 ? pick(30) : -1,
    steps: 0,
  }));
  const bursts = random() < 0.5;
  let asleep: Player[] = [];
  let last: Player | undefined;
  while (players.length > 0 || asleep.length > 0) {
    if (players.length === 0) [players, asleep] = [asleep, []];
    const before: Player | undefined = last;
    const again = bursts && random() < 0.85 && before !== undefined && players.includes(before) ? before : undefined;
    const next: Player | undefined = again ?? players[pick(players.length)];
    if (next === undefined) break;
    last = next;
    const step = next.steps++;
    if (step === next.sleepsAt) asleep.push(next);
    if (step === next.sleepsAt || step === next.diesAt || next.actor.next().done === true)
      players = players.filter((player) => player !== next);
  }
  finish(model.collectsAll());
  if (model.garbage() > 0) model.faults.push(`${model.garbage()} packs of garbage stay`);
  for (const [what, times] of model.done) counts.set(what, (counts.get(what) ?? 0) + times);
  return model.faults;
}

function finish(actor: Actor): void {
  while (actor.next().done !== true);
}
