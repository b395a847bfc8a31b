/**
 * Danger: retention that prunes what somebody counted on. Rules only ever add to what is kept, except max-snapshots.
 */
import { describe, expect, it } from 'vitest';
import { parseDuration } from '../../src/bytes/quantity.ts';
import { parseTiers } from '../../src/bytes/tiers.ts';
import { hasCode } from '../../src/errors.ts';
import { decideRetention } from '../../src/gc/retention.ts';
import type { RetentionRules } from '../../src/gc/rules.ts';
import { describeRules, rulesAreEmpty } from '../../src/gc/rules.ts';
import { DAY, daily, kept, made, madeAt, NOW } from './candidates.ts';

function codeOf(action: () => unknown, code: 'usage' | 'refused'): boolean {
  try {
    action();
  } catch (error) {
    return hasCode(error, code) && error.hint !== undefined;
  }
  return false;
}

describe('buckets', () => {
  it('keep the newest of each and count slots, and the oldest if slots are left', () => {
    const candidates = [
      ...madeAt('2026-11-20T08:00Z', '2026-11-20T12:00Z'),
      ...madeAt('2026-11-19T23:00Z', '2026-11-19T01:00Z', '2026-11-19T00:30Z'),
    ];
    expect(kept(candidates, { keepDaily: 2 })).toEqual({
      '2026-11-20T12:00Z': ['day 2026-11-20'],
      '2026-11-19T23:00Z': ['day 2026-11-19'],
    });
    expect(kept(candidates, { keepDaily: 7, keepLast: 2 })).toEqual({
      '2026-11-20T12:00Z': ['last 1', 'day 2026-11-20'],
      '2026-11-20T08:00Z': ['last 2'],
      '2026-11-19T23:00Z': ['day 2026-11-19'],
      '2026-11-19T00:30Z': ['oldest, day 2026-11-19'],
    });
  });

  it('know the ISO week at the turn of the year', () => {
    const recent = madeAt('2027-01-03T12:00Z', '2026-12-31T12:00Z', '2025-12-29T00:00Z');
    const candidates = [...recent, ...madeAt('2025-12-28T23:59Z', '2021-01-03T12:00Z')];
    expect(kept(candidates, { keepWeekly: 9 }, new Date('2027-01-04T00:00Z'))).toEqual({
      '2027-01-03T12:00Z': ['week 2026-W53'],
      '2025-12-29T00:00Z': ['week 2026-W01'],
      '2025-12-28T23:59Z': ['week 2025-W52'],
      '2021-01-03T12:00Z': ['week 2020-W53'],
    });
  });

  it('are those of the zone of each snapshot', () => {
    const candidates = [
      made('2026-11-19T23:30:00Z', { zoneMinutes: 60 }),
      made('2026-11-19T22:30:00Z', { zoneMinutes: 60 }),
    ];
    expect(Object.values(kept(candidates, { keepDaily: 2 }))).toEqual([['day 2026-11-20'], ['day 2026-11-19']]);
    const western = candidates.map((one) => ({ ...one, zoneMinutes: -480 }));
    expect(Object.values(kept(western, { keepDaily: 1 }))).toEqual([['day 2026-11-19']]);
  });

  it('tell the two hours apart that autumn shows with the same number', () => {
    const candidates = [
      made('2026-10-25T01:30:00Z', { zoneMinutes: 60 }),
      made('2026-10-25T00:30:00Z', { zoneMinutes: 120 }),
    ];
    expect(Object.values(kept(candidates, { keepHourly: 2 }))).toEqual([
      ['hour 2026-10-25 02:00'],
      ['hour 2026-10-25 02:00'],
    ]);
  });

  it('a day of 25 hours is one day', () => {
    const candidates = [
      made('2026-10-25T22:59:00Z', { zoneMinutes: 60 }),
      made('2026-10-25T12:00:00Z', { zoneMinutes: 60 }),
      made('2026-10-24T22:00:00Z', { zoneMinutes: 120 }),
    ];
    expect(Object.keys(kept(candidates, { keepDaily: 1 }))).toEqual(['2026-10-25T22:59:00Z']);
  });
});

describe('protection and limits', () => {
  it('HEAD and tags stay, with their reasons', () => {
    const candidates = [
      made('2026-11-20T12:00Z'),
      made('2020-01-02T00:00Z', { tags: ['v1.2.0'] }),
      made('2020-01-01T00:00Z', { isHead: true }),
      made('2019-01-01T00:00Z'),
    ];
    expect(decideRetention(candidates, { keepLast: 1 }, NOW).map(({ reasons }) => reasons)).toEqual([
      ['last 1'],
      ['tag v1.2.0'],
      ['HEAD'],
      ['no rule'],
    ]);
    expect(Object.keys(kept(candidates, { keepTag: ['v1.2.0'] }))).toHaveLength(2);
  });

  it('max-snapshots prunes the oldest that are not protected; protected ones count', () => {
    const candidates = daily(6).map((one, index) => ({
      ...one,
      id: `d${index}`,
      isHead: index === 5,
      tags: index === 4 ? ['t'] : [],
    }));
    expect(Object.keys(kept(candidates, { maxSnapshots: 3 }))).toEqual(['d0', 'd4', 'd5']);
    expect(Object.keys(kept(candidates, { maxSnapshots: 1 }))).toEqual(['d0', 'd4', 'd5']);
    expect(kept(candidates, { maxSnapshots: 3 }).d0).toEqual(['within max-snapshots 3']);
    const verdicts = decideRetention(candidates, { keepLast: 3, maxSnapshots: 4 }, NOW);
    expect(verdicts.slice(2, 4).map(({ reasons }) => reasons)).toEqual([['over max-snapshots 4'], ['no rule']]);
  });

  it('no rules, or keep-under alone, keep everything', () => {
    expect(rulesAreEmpty({ keepLast: undefined, keepTag: [], tiers: [] })).toBe(true);
    expect(rulesAreEmpty({ keepLast: 0 })).toBe(false);
    expect(rulesAreEmpty({ keepUnder: 1 })).toBe(false);
    expect(Object.values(kept(daily(2), {}))).toEqual([['no rules'], ['no rules']]);
    expect(Object.keys(kept(daily(5), { keepUnder: 1 }))).toHaveLength(5);
  });

  it('refuses rules that keep nothing of their own accord', () => {
    const zero = parseDuration('0');
    const old = [made('2020-01-01T00:00Z', { isHead: true, tags: ['x'] })];
    const policies: RetentionRules[] = [
      { keepLast: 0 },
      { keepWithin: zero },
      { keepTag: ['y'] },
      { maxSnapshots: 0 },
      { keepLast: 3, maxSnapshots: 0 },
    ];
    for (const rules of policies) expect(codeOf(() => decideRetention(old, rules, NOW), 'refused')).toBe(true);
    expect(decideRetention([], { keepLast: 0 }, NOW)).toEqual([]);
  });

  it.each([-1, Number.NaN, 1.5, Infinity])('refuses the count %d', (count) => {
    for (const name of ['keepLast', 'keepHourly', 'keepYearly', 'maxSnapshots', 'keepUnder']) {
      expect(codeOf(() => decideRetention([], { [name]: count }, NOW), 'usage')).toBe(true);
    }
    expect(codeOf(() => decideRetention([], { keepWithin: { months: count, milliseconds: 0 } }, NOW), 'usage')).toBe(
      true,
    );
  });
});

describe('tiers', () => {
  it('thin out by age and end', () => {
    const candidates = Array.from({ length: 60 * 4 }, (_, index) =>
      made(new Date(NOW.getTime() - index * (DAY / 4)).toISOString()),
    );
    const reasons = Object.values(kept(candidates, { tiers: parseTiers('2d:all, 10d:day, 30d:week') })).flat();
    expect(reasons.filter((reason) => reason === 'tier 2d:all')).toHaveLength(8);
    expect(reasons.filter((reason) => reason.startsWith('tier 10d:day, day'))).toHaveLength(9);
    expect(reasons.filter((reason) => reason.startsWith('tier 30d:week, week'))).toHaveLength(4);
  });

  it.each([
    '',
    '7d',
    '7d:fortnight',
    '7d:all,',
    '30d:day,7d:all',
    '7d:all,7d:day',
    '0:all',
    '1mo:day,30d:week',
  ])('refuses %j', (text) => {
    expect(codeOf(() => parseTiers(text), 'usage')).toBe(true);
  });

  it.each(['7d', ':day', '7d:', '7d:day:x', '7d:fortnight'])('names the part %j that is none', (part) => {
    expect(() => parseTiers(`1d:all, ${part} `)).toThrow(`"${part}" is not an age and a period`);
  });
});

it('autosaves take no place of what was committed, and stay for a week', () => {
  const saved = { isAutosave: true };
  const candidates = [
    made('2026-11-20T12:00Z', saved),
    made('2026-11-20T11:00Z'),
    made('2026-11-20T10:00Z', saved),
    made('2026-11-19T11:00Z'),
    made('2026-11-10T12:00Z', saved),
    made('2026-11-10T11:00Z'),
  ];
  expect(kept(candidates, { keepLast: 2, keepDaily: 3 })).toEqual({
    '2026-11-20T12:00Z': ['autosave of the last 7d'],
    '2026-11-20T11:00Z': ['last 1', 'day 2026-11-20'],
    '2026-11-20T10:00Z': ['autosave of the last 7d'],
    '2026-11-19T11:00Z': ['last 2', 'day 2026-11-19'],
    '2026-11-10T11:00Z': ['day 2026-11-10'],
  });
  expect(Object.keys(kept(candidates, { keepWithin: parseDuration('30d') }))).toHaveLength(6);
});

it('a maximum counts no autosave, and prunes none of the last week', () => {
  const saved = { isAutosave: true };
  const candidates = [
    made('2026-11-20T12:00Z', saved),
    made('2026-11-20T11:00Z'),
    made('2026-11-20T10:00Z'),
    made('2026-11-20T09:00Z', saved),
    made('2026-11-20T08:00Z'),
    made('2026-11-10T12:00Z', saved),
  ];
  expect(kept(candidates, { maxSnapshots: 2 })).toEqual({
    '2026-11-20T12:00Z': ['autosave of the last 7d'],
    '2026-11-20T11:00Z': ['within max-snapshots 2'],
    '2026-11-20T10:00Z': ['within max-snapshots 2'],
    '2026-11-20T09:00Z': ['autosave of the last 7d'],
  });
  expect(Object.keys(kept(candidates, { keepLast: 3, maxSnapshots: 2 }))).toEqual(
    Object.keys(kept(candidates, { maxSnapshots: 2 })),
  );
  const alone = candidates.filter(({ isAutosave }) => isAutosave);
  expect(Object.keys(kept(alone, { maxSnapshots: 1 }))).toHaveLength(3);
});

it('describes rules in one line', () => {
  const within = parseDuration('30d');
  const all = { keepLast: 5, keepDaily: 7, keepWithin: within, keepWithinWeekly: within, keepTag: ['v1'] };
  const rules = { ...all, tiers: parseTiers('7d:all,1y:day'), maxSnapshots: 50, keepUnder: 20e9 };
  expect(describeRules(rules)).toBe(
    'last 5, 7 daily, within 30d, weekly within 30d, tag v1, tiers 7d:all,1y:day, at most 50, under 20.0 GB',
  );
  expect(describeRules({})).toBe('no rules');
});
