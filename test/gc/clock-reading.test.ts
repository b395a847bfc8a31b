/** Which readings of false clocks retention is given: `danger` is a rule that prunes by a time that nobody can trust. */
import { expect, test } from 'vitest';
import { clockReadings } from '../../src/gc/clock-reading.ts';
import type { RetentionCandidate } from '../../src/gc/retention.ts';

const NOW = new Date('2026-11-20T14:00:00Z');
const MINUTE = 60_000;

/** A snapshot of so many minutes ago. */
function made(sequence: number, minutesAgo: number, zoneMinutes = 0): RetentionCandidate {
  const time = new Date(NOW.getTime() - minutesAgo * MINUTE);
  return { id: `s${sequence}`, time, zoneMinutes, tags: [], isHead: false, isAutosave: false, sequence };
}

/** Minutes ago by the sequence of publishing, for each reading. */
function read(...snapshots: RetentionCandidate[]): number[][] {
  return clockReadings(snapshots, NOW).map((reading) =>
    [...reading].sort((a, b) => a.sequence - b.sequence).map(({ time }) => (NOW.getTime() - time.getTime()) / MINUTE),
  );
}

test('clocks that agree with the journal, or nearly, have one reading', () => {
  expect(read()).toEqual([[]]);
  expect(read(made(1, 30), made(2, 20), made(3, 10))).toEqual([[30, 20, 10]]);
  expect(read(made(3, 10), made(1, 30), made(2, 20))).toEqual([[30, 20, 10]]);
  expect(read(made(1, 30), made(2, 40), made(3, 10))).toEqual([[30, 40, 10]]);
});

test('one that fell back has a reading in which it is raised, and one in which those before it are lowered', () => {
  expect(read(made(1, 30), made(2, 500), made(3, 10))).toEqual([
    [30, 500, 10],
    [30, 30, 10],
    [500, 500, 10],
  ]);
  expect(read(made(1, 30), made(2, 41))).toEqual([
    [30, 41],
    [30, 30],
    [41, 41],
  ]);
});

test('none lies in the future, in any reading', () => {
  expect(read(made(1, 30), made(2, -60))).toEqual([[30, 0]]);
  expect(read(made(1, -60), made(2, 30))).toEqual([
    [0, 30],
    [0, 0],
    [30, 30],
  ]);
});

test('a zone that does not exist counts as UTC', () => {
  const zones = [-735, -720, -45, 1, 345, 840, 855];
  const [reading] = clockReadings(
    zones.map((zone, i) => made(i, 10 - i, zone)),
    NOW,
  );
  expect(reading?.map(({ zoneMinutes }) => zoneMinutes)).toEqual([0, -720, -45, 0, 345, 840, 0]);
});
