/**
 * Sizes, durations and counts as people write and read them. Sizes are decimal (kB = 1000 bytes) unless the unit
 * has an "i" (KiB = 1024). A duration keeps calendar months apart from milliseconds, because a month has no fixed
 * length. What a parser refuses is always `usage`, with a hint of good forms.
 */
import { SnapError } from '../errors.ts';

/** A span of time: first go back `months` calendar months, then `milliseconds`. Both are whole and at least 0. */
export interface Duration {
  readonly months: number;
  readonly milliseconds: number;
}

/** A duration whose whole days are apart, for callers that count local calendar days. */
export interface DurationParts extends Duration {
  readonly days: number;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** The first instant that a Date can hold, in milliseconds of the Unix time. */
const TIME_MS_MIN = -8.64e15;

const SIZE_PREFIXES = ['', 'k', 'm', 'g', 't', 'p'];
const SIZE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];

type PartUnit = readonly [part: keyof DurationParts, factor: number];

const DURATION_UNITS = new Map<string, PartUnit>([
  ...named(['ms', 'msec', 'millisecond', 'milliseconds'], 'milliseconds', 1),
  ...named(['s', 'sec', 'secs', 'second', 'seconds'], 'milliseconds', SECOND),
  ...named(['m', 'min', 'mins', 'minute', 'minutes'], 'milliseconds', MINUTE),
  ...named(['h', 'hr', 'hrs', 'hour', 'hours'], 'milliseconds', HOUR),
  ...named(['d', 'day', 'days'], 'days', 1),
  ...named(['w', 'week', 'weeks'], 'days', 7),
  ...named(['mo', 'month', 'months'], 'months', 1),
  ...named(['y', 'yr', 'year', 'years'], 'months', 12),
]);

/** The bytes that `text` ("20GB", "1.5 GiB", "500k", "123") stands for. Throws `usage`. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([kmgtp])(i?)b?|b)?$/i.exec(text.trim());
  if (match === null) throw badSize(text, 'it is not a number with a unit');
  const [, digits = '', prefix = '', binary = ''] = match;
  if (prefix === '' && digits.includes('.')) throw badSize(text, 'a byte cannot be split');
  const base = binary === '' ? 1000 : 1024;
  const bytes = Math.round(Number(digits) * base ** SIZE_PREFIXES.indexOf(prefix.toLowerCase()));
  if (!Number.isSafeInteger(bytes)) throw badSize(text, 'it is too large');
  return bytes;
}

/** `bytes` in decimal units with at most three significant digits: "812 B", "120 kB", "3.1 MB", "1.30 GB". */
export function formatSize(bytes: number): string {
  const sign = bytes < 0 ? '-' : '';
  const size = Math.abs(bytes);
  for (const [power, unit] of SIZE_UNITS.entries()) {
    const digits = threeDigits(size / 1000 ** power, Math.min(2, Math.ceil(power / 2)));
    if (digits !== undefined) return `${sign}${digits} ${unit}`;
  }
  return `${sign}${(size / 1e18).toFixed(0)} EB`;
}

/** How a duration is written, for people. */
export const DURATION_FORMS = '90s, 5min, 12h, 30d, 2w, 6mo (months), 1y or 1d12h';

/**
 * Reads "30d", "2w", "12h", "5min", "6mo", "1y", "1d12h", "90s", "2 days" or "0". Not "6m": it would be minutes, and
 * other programs that prune take it for months. Throws `usage`.
 */
export function parseDuration(text: string): Duration {
  const { months, days, milliseconds } = parseDurationParts(text);
  if (/\d\s*m(?![a-z])/i.test(text)) throw badDuration(text, '"m" could be minutes or months');
  return { months, milliseconds: days * DAY + milliseconds };
}

/** As parseDuration, with "5m" for minutes, and the days (and weeks) not yet turned into milliseconds. Throws `usage`. */
export function parseDurationParts(text: string): DurationParts {
  const trimmed = text.trim();
  const parts = { months: 0, days: 0, milliseconds: 0 };
  if (trimmed === '0') return parts;
  if (!/^(?:\d{1,9}\s*[a-z]+\s*)+$/i.test(trimmed)) throw badDuration(text, 'it is not a number with a unit');
  const seen = new Set<PartUnit>();
  for (const [, digits = '', unit = ''] of trimmed.matchAll(/(\d+)\s*([a-z]+)/gi)) {
    if (unit === 'M') throw badDuration(text, '"M" could be minutes or months');
    const known = DURATION_UNITS.get(unit.toLowerCase());
    if (known === undefined) throw badDuration(text, `"${unit}" is not a unit of time`);
    if (seen.has(known)) throw badDuration(text, `the unit "${unit}" comes twice`);
    seen.add(known);
    parts[known[0]] += Number(digits) * known[1];
  }
  return parts;
}

/** The shortest text that parseDuration reads as `duration`: "30d", "1y6mo", "1d12h", "0". */
export function formatDuration(duration: Duration): string {
  let text = '';
  const take = (amount: number, units: readonly (readonly [string, number])[]): void => {
    let rest = amount;
    for (const [unit, size] of units) {
      const count = Math.floor(rest / size);
      if (count > 0) text += `${count}${unit}`;
      rest -= count * size;
    }
  };
  take(duration.months, [
    ['y', 12],
    ['mo', 1],
  ]);
  take(duration.milliseconds, [
    ['d', DAY],
    ['h', HOUR],
    ['min', MINUTE],
    ['s', SECOND],
    ['ms', 1],
  ]);
  return text === '' ? '0' : text;
}

/** Time that passed, for reports: "850 ms", "1.8 s", "42 s", "3 m 12 s", "2 h 5 m", "3 d 4 h". `ms` is milliseconds. */
export function formatDurationMs(ms: number): string {
  const whole = Math.round(Math.max(0, ms));
  if (whole < SECOND) return `${whole} ms`;
  const tenths = Math.round(whole / 100);
  if (tenths < 100) return `${(tenths / 10).toFixed(1)} s`;
  const seconds = Math.round(whole / SECOND);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${seconds % 60} s`;
  const minutes = Math.round(whole / MINUTE);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} m`;
  const hours = Math.round(whole / HOUR);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** A whole number with commas: 78579 → "78,579". */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(?:\d{3})+$)/g, ',');
}

/** "1 file", "2,000 files". */
export function counted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/**
 * `time` minus `duration`, in the calendar of UTC: one month before 31 March is the last day of February. A result
 * before the first Date there is becomes that first Date, so "9999999y" reaches back to everything.
 */
export function subtractDuration(time: Date, duration: Duration): Date {
  const date = new Date(time);
  if (duration.months > 0) {
    const day = date.getUTCDate();
    date.setUTCDate(1);
    date.setUTCMonth(date.getUTCMonth() - duration.months);
    date.setUTCDate(Math.min(day, new Date(new Date(date).setUTCMonth(date.getUTCMonth() + 1, 0)).getUTCDate()));
  }
  const ms = date.getTime() - duration.milliseconds;
  return new Date(Number.isNaN(ms) ? TIME_MS_MIN : Math.max(ms, TIME_MS_MIN));
}

/** `value` with as many of `decimalsMax` decimals as leave three digits; undefined if even the whole needs four. */
function threeDigits(value: number, decimalsMax: number): string | undefined {
  for (let decimals = decimalsMax; decimals >= 0; decimals--) {
    const text = value.toFixed(decimals);
    if (text.replace('.', '').length <= 3) return text;
  }
  return undefined;
}

function named(names: readonly string[], part: keyof DurationParts, factor: number): [string, PartUnit][] {
  const unit: PartUnit = [part, factor];
  return names.map((name) => [name, unit]);
}

function badSize(text: string, reason: string): SnapError {
  return new SnapError('usage', `${JSON.stringify(text)} is not a size: ${reason}`, {
    hint: 'Write a size as 20GB, 1.5GiB, 500k or 123 (bytes).',
  });
}

function badDuration(text: string, reason: string): SnapError {
  return new SnapError('usage', `${JSON.stringify(text)} is not a duration: ${reason}`, {
    hint: `Write a duration as ${DURATION_FORMS}.`,
  });
}
