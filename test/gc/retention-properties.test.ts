/** What holds of retention for any snapshots and rules (P11 of test/danger/properties.test.ts). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDuration } from '../../src/bytes/quantity.ts';
import { parseTiers } from '../../src/bytes/tiers.ts';
import type { RetentionCandidate } from '../../src/gc/retention.ts';
import { decideRetention } from '../../src/gc/retention.ts';
import type { RetentionRules } from '../../src/gc/rules.ts';
import { DAY, keptIds, NOW } from './candidates.ts';

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
