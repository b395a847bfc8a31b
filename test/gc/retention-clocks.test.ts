/** Danger: retention that prunes by times that nobody can trust: of the future, set back, of zones that do not exist. */
import { describe, expect, it } from 'vitest';
import { parseDuration } from '../../src/bytes/quantity.ts';
import type { RetentionCandidate } from '../../src/gc/retention.ts';
import { decideRetention } from '../../src/gc/retention.ts';
import type { RetentionRules } from '../../src/gc/rules.ts';
import { DAY, daily, kept, keptIds, made, madeAt, NOW } from './candidates.ts';

describe('order and clocks', () => {
  it('the higher journal number is the newer of a tie', () => {
    const candidates = [1, 3, 2].map((sequence) => made('2026-11-20T12:00Z', { id: `s${sequence}`, sequence }));
    expect(decideRetention(candidates, { keepLast: 1 }, NOW).map(({ id, keep }) => [id, keep])).toEqual([
      ['s3', true],
      ['s2', false],
      ['s1', false],
    ]);
  });

  it('a snapshot of the future is kept and takes no slot', () => {
    const candidates = madeAt('2031-01-01T00:00Z', '2026-11-20T12:00Z', '2026-11-19T12:00Z');
    const hour = parseDuration('1h');
    for (const rules of [{ keepLast: 1 }, { maxSnapshots: 1 }, { keepYearly: 1 }, { keepWithin: hour }]) {
      expect(Object.keys(kept(candidates, rules))).toEqual(['2031-01-01T00:00Z', '2026-11-20T12:00Z']);
    }
    expect(kept(candidates, { keepLast: 1 })['2031-01-01T00:00Z']).toEqual(['time in the future']);
    expect(Object.keys(kept(candidates.slice(0, 1), { keepLast: 1 }))).toHaveLength(1);
  });

  it('"within" counts from the newest snapshot, not from a later now', () => {
    const within = kept(daily(10), { keepWithin: parseDuration('3d') }, new Date('2036-01-01T00:00Z'));
    expect(Object.values(within)).toEqual([['within 3d'], ['within 3d'], ['within 3d']]);
    const ahead = [made('2026-11-21T10:00Z'), made('2026-11-20T13:30Z'), made('2026-11-20T12:30Z')];
    expect(Object.keys(kept(ahead, { keepWithin: parseDuration('1h') }))).toHaveLength(2);
  });

  it('"within" by month is exact', () => {
    const rules = { keepWithinMonthly: parseDuration('2mo') };
    expect(Object.values(kept(daily(100), rules))).toEqual([
      ['month 2026-11 within 2mo'],
      ['month 2026-10 within 2mo'],
      ['month 2026-09 within 2mo'],
    ]);
  });
});

describe('false clocks', () => {
  const HOUR = DAY / 24;
  const at = (
    id: string,
    ms: number,
    sequence: number,
    more: Partial<RetentionCandidate> = {},
  ): RetentionCandidate => ({
    ...made(new Date(ms).toISOString(), more),
    id,
    sequence,
  });
  const series = (name: string, length: number, stepMs: number, first: number, offsetMs = 0): RetentionCandidate[] =>
    Array.from({ length }, (_, i) => at(`${name}${i}`, NOW.getTime() - i * stepMs + offsetMs, first - i));
  const realKept = (all: readonly RetentionCandidate[], policy: RetentionRules): number =>
    keptIds(all, policy).filter((id) => id.startsWith('real')).length;

  it('hours that have not come yet fill the bucket of the present one only', () => {
    const fakes = series('fake', 24, -0.9 * HOUR, 300, HOUR / 2);
    expect(realKept([...series('real', 24, HOUR, 100), ...fakes], { keepHourly: 24 })).toBe(23);
  });

  it('snapshots dated back take no bucket from those published before them', () => {
    const between = series('fake', 48, DAY, 300, -HOUR / 2);
    expect(realKept([...series('real', 7, 7 * DAY, 100), ...between], { keepDaily: 7 })).toBe(7);
    const sameDays = series('fake', 7, DAY, 300, 9 * HOUR);
    expect(realKept([...series('real', 7, DAY, 100), ...sameDays], { keepDaily: 7 })).toBe(6);
  });

  it('a false future that has become past takes no bucket from those published after it', () => {
    const fakes = Array.from({ length: 7 }, (_, i) => at(`fake${i}`, NOW.getTime() - i * DAY + 9 * HOUR - DAY, i));
    expect(realKept([...series('real', 7, DAY, 100, -DAY), ...fakes], { keepDaily: 7 })).toBe(7);
  });

  it('zones that do not exist open no hours of their own', () => {
    const fakes = Array.from({ length: 60 }, (_, i) => at(`fake${i}`, NOW.getTime(), 200 + i, { zoneMinutes: i }));
    expect(realKept([...series('real', 24, HOUR, 100), ...fakes], { keepHourly: 24 })).toBeGreaterThanOrEqual(20);
  });

  it('the last snapshots of a machine whose clock fell back to 1970 are the last ones', () => {
    const fallen = [0, 1, 2].map((i) => at(`real${i}`, i * HOUR, 300 + i));
    const all = kept([...series('old', 7, DAY, 100), ...fallen], { keepLast: 3 });
    expect(Object.keys(all)).toEqual(['old0', 'old1', 'old2', 'real2', 'real1', 'real0']);
    expect(all.real2).toEqual(['last 1, by journal order']);
  });

  it('the order of clocks a few minutes apart is not in doubt', () => {
    const all = [at('a', NOW.getTime() - 300_000, 2), at('b', NOW.getTime(), 1), at('c', NOW.getTime() - DAY, 0)];
    expect(keptIds(all, { keepLast: 1 })).toEqual(['b']);
  });
});
