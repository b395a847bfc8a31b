/**
 * Danger: "the state of yesterday" that is off by a day or an hour, above all when the clocks change.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatAge, formatWhen, parseTime } from '../../src/bytes/time-expression.ts';
import { hasCode } from '../../src/errors.ts';

const zoneBefore = process.env.TZ;
beforeAll(() => {
  process.env.TZ = 'Europe/Berlin';
});
afterAll(() => {
  if (zoneBefore === undefined) delete process.env.TZ;
  else process.env.TZ = zoneBefore;
});

const NOW = '2026-11-20T13:02:30.000Z'; // 14:02:30 in Berlin

function iso(text: string, now = NOW): string {
  return parseTime(text, { now: new Date(now) }).toISOString();
}

describe('parseTime', () => {
  it.each([
    ['2026-11-20', '2026-11-19T23:00:00.000Z'],
    ['2026-11-20 14:00', '2026-11-20T13:00:00.000Z'],
    ['2026-11-20T14:00:05Z', '2026-11-20T14:00:05.000Z'],
    ['2026-11-20T14:00:05.25+05:30', '2026-11-20T08:30:05.250Z'],
    ['2026-11-20 14:00 -0800', '2026-11-20T22:00:00.000Z'],
    ['2026-07-01 14:00', '2026-07-01T12:00:00.000Z'],
    ['now', NOW],
    ['today', '2026-11-19T23:00:00.000Z'],
    ['yesterday', '2026-11-18T23:00:00.000Z'],
    ['Yesterday 18:40', '2026-11-19T17:40:00.000Z'],
    ['today 09:00', '2026-11-20T08:00:00.000Z'],
    ['2 days ago', '2026-11-18T13:02:30.000Z'],
    ['3h ago', '2026-11-20T10:02:30.000Z'],
    ['an hour ago', '2026-11-20T12:02:30.000Z'],
    ['1d12h ago', '2026-11-19T01:02:30.000Z'],
    ['last week', '2026-11-13T13:02:30.000Z'],
    ['1 month ago', '2026-10-20T12:02:30.000Z'],
    ['1y ago', '2025-11-20T13:02:30.000Z'],
  ])('reads %j', (text, expected) => expect(iso(text)).toBe(expected));

  it.each([
    ['2026-11-20', '2026-11-20T22:59:59.999Z'],
    ['2026-10-25', '2026-10-25T22:59:59.999Z'],
    ['yesterday', '2026-11-19T22:59:59.999Z'],
    ['2026-11-20 14:00', '2026-11-20T13:00:59.999Z'],
    ['today 00:00', '2026-11-19T23:00:59.999Z'],
    ['2026-11-20 14:00 -0800', '2026-11-20T22:00:59.999Z'],
    ['2026-11-20T14:00:05Z', '2026-11-20T14:00:05.999Z'],
    ['2026-11-20T14:00:05.25Z', '2026-11-20T14:00:05.250Z'],
    ['now', NOW],
    ['2 days ago', '2026-11-18T13:02:30.000Z'],
  ])('up to %j is to its end', (text, expected) =>
    expect(parseTime(text, { now: new Date(NOW), upTo: true }).toISOString()).toBe(expected));

  it.each([
    '',
    'tomorrow',
    '2026-02-30',
    '2026-13-01',
    '2026-11-20 24:00',
    '2026-11-20 14:60',
    '2026-11-20T14',
    '0001-01-01',
    '2026-11-20T14:00+25:00',
    '20.11.2026',
    'yesterday 25:00',
    'days ago',
    '2 moons ago',
    '-2 days ago',
    '999999999y ago',
    'last 3',
    'ago',
  ])('refuses %j and names the accepted forms', (text) => {
    expect(() => iso(text)).toThrow(
      expect.toSatisfy((error) => hasCode(error, 'usage') && error.hint?.includes('2 days ago') === true),
    );
  });

  it('keeps the time of day over a change of clocks, but counts hours exactly', () => {
    const now = '2026-10-26T11:00:00.000Z'; // 12:00, a day after the end of summer time
    expect(iso('2 days ago', now)).toBe('2026-10-24T10:00:00.000Z');
    expect(iso('48h ago', now)).toBe('2026-10-24T11:00:00.000Z');
    expect(iso('yesterday', now)).toBe('2026-10-24T22:00:00.000Z');
  });

  it('reads a skipped time as the one after the jump, and one that comes twice as the first', () => {
    expect(iso('2026-03-29 02:30')).toBe('2026-03-29T01:30:00.000Z');
    expect(iso('2026-10-25 02:30')).toBe('2026-10-25T00:30:00.000Z');
  });

  it('a month before the 31st is the last day of the shorter month', () => {
    expect(iso('1 month ago', '2026-03-31T10:00:00.000Z')).toBe('2026-02-28T11:00:00.000Z');
    expect(iso('last year', '2024-02-29T11:00:00.000Z')).toBe('2023-02-28T11:00:00.000Z');
  });

  it('does not change the date it is given', () => {
    const now = new Date(NOW);
    parseTime('1 month ago', { now });
    expect(parseTime('now', { now })).not.toBe(now);
    expect(now.toISOString()).toBe(NOW);
  });
});

describe('formatWhen', () => {
  it.each([
    ['2026-11-20T13:02:00Z', 'today 14:02'],
    ['2026-11-19T23:00:00Z', 'today 00:00'],
    ['2026-11-19T17:40:00Z', 'yesterday 18:40'],
    ['2026-11-11T08:12:00Z', '11 Nov 09:12'],
    ['2025-12-31T23:30:00Z', '1 Jan 00:30'],
    ['2025-11-11T08:12:00Z', '11 Nov 2025'],
    ['2027-01-05T08:12:00Z', '5 Jan 2027'],
  ])('%s is %s', (time, text) => expect(formatWhen(new Date(time), new Date(NOW))).toBe(text));

  it('knows yesterday at new year and after a day of 25 hours', () => {
    expect(formatWhen(new Date('2025-12-31T12:00:00Z'), new Date('2026-01-01T12:00:00Z'))).toBe('yesterday 13:00');
    expect(formatWhen(new Date('2026-10-24T22:30:00Z'), new Date('2026-10-26T22:30:00Z'))).toBe('yesterday 00:30');
  });
});

it.each([
  [-5, '0 seconds'],
  [1000, '1 second'],
  [59_999, '59 seconds'],
  [180_000, '3 minutes'],
  [3_600_000, '1 hour'],
  [2 * 86_400_000, '2 days'],
  [13.9 * 86_400_000, '13 days'],
  [14 * 86_400_000, '2 weeks'],
  [61 * 86_400_000, '2 months'],
  [731 * 86_400_000, '2 years'],
])('an age of %d ms is %s', (ms, text) => expect(formatAge(ms)).toBe(text));
