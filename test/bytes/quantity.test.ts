/**
 * Danger: a limit or a retention age that means something other than what was typed.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatCount,
  formatDuration,
  formatDurationMs,
  formatSize,
  parseDuration,
  parseSize,
  subtractDuration,
} from '../../src/bytes/quantity.ts';
import { hasCode, type SnapError } from '../../src/errors.ts';

const DAY = 86_400_000;

function usageOf(action: () => unknown): SnapError {
  try {
    action();
  } catch (error) {
    if (hasCode(error, 'usage')) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('sizes', () => {
  it.each([
    ['0', 0],
    ['123', 123],
    ['123 B', 123],
    ['500k', 500_000],
    ['500kB', 500_000],
    ['1K', 1000],
    ['20GB', 20e9],
    ['2T', 2e12],
    ['1.5 GiB', 1.5 * 1024 ** 3],
    ['4KiB', 4096],
    [' 1mib ', 1024 ** 2],
  ])('reads %j', (text, bytes) => expect(parseSize(text)).toBe(bytes));

  it.each([
    '',
    'GB',
    '-1',
    '1.5',
    '1.',
    '.5k',
    '1e3',
    '1 XB',
    '1iB',
    '1 G B',
    '1,5GB',
    '99999999PB',
    'NaN',
    '0x10',
  ])('refuses %j with a hint', (text) => expect(usageOf(() => parseSize(text)).hint).toContain('1.5GiB'));

  it.each([
    [0, '0 B'],
    [812, '812 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [120_000, '120 kB'],
    [999_499, '999 kB'],
    [999_500, '1.0 MB'],
    [3_140_000, '3.1 MB'],
    [99_960_000, '100 MB'],
    [1_300_000_000, '1.30 GB'],
    [9_996_000_000, '10.0 GB'],
    [128e12, '128 TB'],
    [-3_140_000, '-3.1 MB'],
  ])('writes %d', (bytes, text) => expect(formatSize(bytes)).toBe(text));

  it('what is written is read back within 5 %', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9e14 }), (bytes) => {
        const text = formatSize(bytes);
        expect(text.replace(/\D/g, '').length).toBeLessThanOrEqual(3);
        expect(Math.abs(parseSize(text) - bytes)).toBeLessThanOrEqual(bytes * 0.05);
      }),
    );
  });
});

describe('durations', () => {
  it.each([
    ['0', 0, 0],
    ['30d', 0, 30 * DAY],
    ['2w', 0, 14 * DAY],
    ['12h', 0, DAY / 2],
    ['5min', 0, 300_000],
    ['6mo', 6, 0],
    ['1y', 12, 0],
    ['1d12h', 0, 1.5 * DAY],
    ['90s', 0, 90_000],
    ['1y 6mo', 18, 0],
    ['2 days', 0, 2 * DAY],
    ['1 Month', 1, 0],
  ])('reads %j', (text, months, milliseconds) => expect(parseDuration(text)).toEqual({ months, milliseconds }));

  it.each([
    '',
    '30',
    'd',
    '-1d',
    '1.5h',
    '5M',
    '6m',
    '1y 6 m',
    '1m30s',
    '1x',
    '1d1d',
    '1d 2 days',
    '1h30',
    '1e9d',
    '9999999999d',
  ])('refuses %j with a hint', (text) => expect(usageOf(() => parseDuration(text)).hint).toContain('6mo'));

  it('what is written is read back', () => {
    fc.assert(
      fc.property(fc.nat(1e6), fc.nat(1e15), (months, milliseconds) => {
        expect(parseDuration(formatDuration({ months, milliseconds }))).toEqual({ months, milliseconds });
      }),
    );
    expect(formatDuration(parseDuration('30d'))).toBe('30d');
    expect(formatDuration(parseDuration('18mo'))).toBe('1y6mo');
  });

  it.each([
    [0, '0 ms'],
    [850, '850 ms'],
    [999.7, '1.0 s'],
    [9_949, '9.9 s'],
    [9_951, '10 s'],
    [59_600, '1 m 0 s'],
    [192_000, '3 m 12 s'],
    [7_500_000, '2 h 5 m'],
    [3 * DAY + 4 * 3_600_000, '3 d 4 h'],
  ])('writes %d ms', (ms, text) => expect(formatDurationMs(ms)).toBe(text));

  it.each([
    ['2026-03-31T10:00:00.000Z', '1mo', '2026-02-28T10:00:00.000Z'],
    ['2024-02-29T10:00:00.000Z', '1y', '2023-02-28T10:00:00.000Z'],
    ['2024-03-31T10:00:00.000Z', '1mo', '2024-02-29T10:00:00.000Z'],
    ['2026-01-15T00:00:00.000Z', '2mo', '2025-11-15T00:00:00.000Z'],
    ['2026-01-01T00:00:00.000Z', '1d12h', '2025-12-30T12:00:00.000Z'],
  ])('%s minus %s', (time, span, result) =>
    expect(subtractDuration(new Date(time), parseDuration(span)).toISOString()).toBe(result));

  it('a span longer than the calendar reaches its beginning', () => {
    const first = new Date(-8.64e15);
    expect(subtractDuration(new Date(0), parseDuration('999999999y'))).toEqual(first);
    expect(subtractDuration(new Date(0), parseDuration('999999999w'))).toEqual(first);
  });
});

it.each([
  [0, '0'],
  [999, '999'],
  [78579, '78,579'],
  [1234567, '1,234,567'],
  [-1000, '-1,000'],
])('counts %d', (count, text) => expect(formatCount(count)).toBe(text));
