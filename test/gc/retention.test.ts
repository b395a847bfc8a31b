/**
 * Danger: retention that prunes what somebody counted on. Rules only ever add to what is kept, except max-snapshots.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDuration } from '../../src/bytes/quantity.ts';
import { hasCode } from '../../src/errors.ts';
import type { RetentionCandidate } from '../../src/gc/retention.ts';
import { decideRetention } from '../../src/gc/retention.ts';
import type { RetentionRules } from '../../src/gc/rules.ts';
import { describeRules, parseTiers, rulesAreEmpty } from '../../src/gc/rules.ts';

const NOW = new Date('2026-11-20T14:00:00Z');
const DAY = 86_400_000;

function made(time: string, more: Partial<RetentionCandidate> = {}): RetentionCandidate {
  return {
    id: time,
    time: new Date(time),
    zoneMinutes: 0,
    tags: [],
    isHead: false,
    isAutosave: false,
    sequence: 0,
    ...more,
  };
}

function madeAt(...times: string[]): RetentionCandidate[] {
  return times.map((time) => made(time));
}

function daily(count: number): RetentionCandidate[] {
  return Array.from({ length: count }, (_, index) => made(new Date(NOW.getTime() - index * DAY).toISOString()));
}

function kept(candidates: readonly RetentionCandidate[], rules: RetentionRules, now = NOW): Record<string, string[]> {
  const verdicts = decideRetention(candidates, rules, now).filter(({ keep }) => keep);
  return Object.fromEntries(verdicts.map(({ id, reasons }) => [id, [...reasons]]));
}

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

const oneCandidate = fc.record({
  time: fc.integer({ min: -19_200, max: 60 }).map((hours) => new Date(NOW.getTime() + hours * 3_600_000)),
  zoneMinutes: fc.constantFrom(-480, 0, 60, 330),
  tags: fc.subarray(['a', 'b'], { maxLength: 1 }),
  isHead: fc.boolean(),
  isAutosave: fc.boolean(),
  sequence: fc.nat(5),
});
const numbered = fc
  .array(oneCandidate, { maxLength: 40 })
  .map((all) => all.map((one, at) => ({ ...one, id: `s${at}` })));
const count = fc.integer({ min: 0, max: 9 });
const span = fc.constantFrom('0', '3h', '5d', '2mo', '1y').map(parseDuration);
const tiers = fc.constantFrom('7d:all,30d:day', '1y:month', '1mo:week,2y:year').map(parseTiers);
const bucketNames = ['Hourly', 'Daily', 'Weekly', 'Monthly', 'Yearly'];
const bucketRules = bucketNames.flatMap((name) => [
  [`keep${name}`, count] as const,
  [`keepWithin${name}`, span] as const,
]);
const rules: fc.Arbitrary<RetentionRules> = fc.record(
  { ...Object.fromEntries(bucketRules), keepWithin: span, keepTag: fc.subarray(['a', 'b']), tiers, keepUnder: count },
  { requiredKeys: [] },
);

function keptIds(all: readonly RetentionCandidate[], policy: RetentionRules): string[] {
  return Object.keys(kept(all, policy));
}

describe('for any snapshots', () => {
  it('adding a rule never prunes more', () => {
    fc.assert(
      fc.property(numbered, rules, rules, count, (all, one, more, last) => {
        const base = { ...one, keepLast: last + 1 };
        const both = { ...more, ...base };
        const after = new Set(keptIds(all, both));
        expect(keptIds(all, base).filter((id) => !after.has(id))).toEqual([]);
      }),
    );
  });

  it('a higher count never prunes more', () => {
    fc.assert(
      fc.property(numbered, count, fc.constantFrom(...bucketNames.map((name) => `keep${name}`)), (all, n, name) => {
        const after = new Set(keptIds(all, { [name]: n + 2 }));
        expect(keptIds(all, { [name]: n + 1 }).filter((id) => !after.has(id))).toEqual([]);
      }),
    );
  });

  it('each has one verdict with a reason, newest first, whatever the order given; protected ones stay; the maximum holds', () => {
    fc.assert(
      fc.property(numbered, rules, count, count, (all, one, last, max) => {
        const policy = { ...one, keepLast: last + 1, maxSnapshots: max + 1 };
        const verdicts = decideRetention(all, policy, NOW);
        expect(decideRetention(all.toReversed(), policy, NOW)).toEqual(verdicts);
        const byId = new Map(all.map((candidate) => [candidate.id, candidate]));
        const times = verdicts.map(({ id }) => byId.get(id)?.time.getTime() ?? 0);
        expect(times).toEqual(times.toSorted((a, b) => b - a));
        expect(verdicts.every(({ reasons }) => reasons.length > 0)).toBe(true);
        const isProtected = (one: RetentionCandidate): boolean =>
          one.isHead || one.tags.length > 0 || one.time.getTime() > NOW.getTime() + DAY;
        const keptNow = new Set(verdicts.filter(({ keep }) => keep).map(({ id }) => id));
        expect(all.filter((candidate) => isProtected(candidate) && !keptNow.has(candidate.id))).toEqual([]);
        const isSpared = (one: RetentionCandidate): boolean =>
          one.isAutosave && NOW.getTime() - one.time.getTime() < 7 * DAY;
        expect(all.filter((candidate) => isSpared(candidate) && !keptNow.has(candidate.id))).toEqual([]);
        const counts = all.filter((candidate) => !candidate.isAutosave);
        const free = (counts.length > 0 ? counts : all).filter(
          (candidate) => !isProtected(candidate) && !isSpared(candidate) && keptNow.has(candidate.id),
        );
        expect(free.length).toBeLessThanOrEqual(max + 1);
      }),
    );
  });
});
