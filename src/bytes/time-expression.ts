/**
 * Points in time as people write and read them. Without a zone a time is local. A day, a minute or a second
 * is a stretch of time: its first moment is meant, or, where all up to it is asked for, its last. "2 days ago" counts calendar days, so it keeps the time of day when the clocks change; hours,
 * minutes and seconds are exact. What cannot be read is `usage`. The present comes in as an argument.
 */
import { SnapError } from '../errors.ts';
import type { DurationParts } from './quantity.ts';
import { parseDurationParts } from './quantity.ts';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const CLOCK = String.raw`(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?`;
const ISO = new RegExp(String.raw`^([1-9]\d{3})-(\d{2})-(\d{2})(?:(?:t|\s+)${CLOCK}\s*(z|[+-]\d{2}:?\d{2})?)?$`, 'i');
const DAY_WORD = new RegExp(String.raw`^(today|yesterday)(?:\s+(?:at\s+)?${CLOCK})?$`, 'i');

interface Clock {
  readonly hours: number;
  readonly minutes: number;
  readonly seconds: number;
  readonly milliseconds: number;
}

/** What holds for the parts of a clock that are left out. */
const FIRST: Clock = { hours: 0, minutes: 0, seconds: 0, milliseconds: 0 };
const LAST: Clock = { hours: 23, minutes: 59, seconds: 59, milliseconds: 999 };

/**
 * The time that `expression` names: "2026-11-20", "2026-11-20 14:00", "2026-11-20T14:00:05Z", "now", "today",
 * "yesterday 18:40", "2 days ago", "3h ago", "last week". A local time that the clocks skip is read as the same time
 * after the jump; one that comes twice is the first. With `upTo` the last millisecond of the day, minute or second that
 * is named, else the first. Throws `usage`.
 */
export function parseTime(
  expression: string,
  options: { readonly now: Date; readonly upTo?: boolean | undefined },
): Date {
  const text = expression.trim();
  const missing = options.upTo === true ? LAST : FIRST;
  const time = isoTime(text, missing) ?? dayWord(text, options.now, missing) ?? relativeTime(text, options.now);
  if (time === undefined || Number.isNaN(time.getTime())) throw badTime(expression);
  return time;
}

/** `date` in the local zone: "today 14:02", "yesterday 18:40", "11 Nov 09:12" (the year of `now`), "11 Nov 2025". */
export function formatWhen(date: Date, now: Date): string {
  const clock = `${twoDigits(date.getHours())}:${twoDigits(date.getMinutes())}`;
  if (isSameDay(date, now)) return `today ${clock}`;
  if (isSameDay(date, startOfDay(now, -1))) return `yesterday ${clock}`;
  const day = `${date.getDate()} ${MONTHS[date.getMonth()]}`;
  return date.getFullYear() === now.getFullYear() ? `${day} ${clock}` : `${day} ${date.getFullYear()}`;
}

/** An age of `ms` milliseconds in its largest whole unit: "40 seconds", "3 minutes", "2 days", "5 weeks", "2 years". */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const days = Math.floor(seconds / 86_400);
  if (seconds < 60) return plural(seconds, 'second');
  if (seconds < 3600) return plural(seconds / 60, 'minute');
  if (days < 1) return plural(seconds / 3600, 'hour');
  if (days < 14) return plural(days, 'day');
  if (days < 61) return plural(days / 7, 'week');
  if (days < 731) return plural(days / 30.436875, 'month');
  return plural(days / 365.2425, 'year');
}

function isoTime(text: string, missing: Clock): Date | undefined {
  const match = ISO.exec(text);
  if (match === null) return undefined;
  const [year, month, day] = [Number(match[1]), Number(match[2]) - 1, Number(match[3])];
  const clock = clockOf(match.slice(4, 8), missing);
  const utc = new Date(Date.UTC(year, month, day));
  if (clock === undefined || utc.getUTCMonth() !== month || utc.getUTCDate() !== day) return undefined;
  const zone = match[8];
  if (zone === undefined) return atClock(new Date(year, month, day), clock);
  const offset = zoneMinutes(zone);
  if (offset === undefined) return undefined;
  utc.setUTCHours(clock.hours, clock.minutes - offset, clock.seconds, clock.milliseconds);
  return utc;
}

function dayWord(text: string, now: Date, missing: Clock): Date | undefined {
  const match = DAY_WORD.exec(text);
  if (match === null) return undefined;
  const clock = clockOf(match.slice(2, 6), missing);
  if (clock === undefined) return undefined;
  return atClock(startOfDay(now, match[1]?.toLowerCase() === 'yesterday' ? -1 : 0), clock);
}

function relativeTime(text: string, now: Date): Date | undefined {
  if (/^now$/i.test(text)) return new Date(now);
  const last = /^last\s+(day|week|month|year)$/i.exec(text)?.[1];
  const ago = /^(.*\S)\s+ago$/i.exec(text)?.[1];
  const span = last === undefined ? ago?.replace(/^an?\s+/i, '1 ') : `1 ${last}`;
  if (span === undefined) return undefined;
  try {
    return localBefore(now, parseDurationParts(span));
  } catch (error) {
    if (error instanceof SnapError && error.code === 'usage') throw badTime(text, error);
    throw error;
  }
}

/** Goes back months, then days, at the same local time of day, then the exact rest. */
function localBefore(now: Date, span: DurationParts): Date {
  const date = new Date(now);
  if (span.months > 0) {
    const first = new Date(now.getFullYear(), now.getMonth() - span.months, 1);
    const dayMax = new Date(first.getFullYear(), first.getMonth() + 1, 0).getDate();
    date.setFullYear(first.getFullYear(), first.getMonth(), Math.min(now.getDate(), dayMax));
  }
  if (span.days > 0) date.setDate(date.getDate() - span.days);
  return new Date(date.getTime() - span.milliseconds);
}

/** The clock of the matched hours, minutes, seconds and fraction; undefined if there is no such time of day. */
function clockOf([h, m, s, fraction]: readonly (string | undefined)[], missing: Clock): Clock | undefined {
  const clock = {
    hours: h === undefined ? missing.hours : Number(h),
    minutes: m === undefined ? missing.minutes : Number(m),
    seconds: s === undefined ? missing.seconds : Number(s),
    milliseconds: fraction === undefined ? missing.milliseconds : Number(fraction.padEnd(3, '0').slice(0, 3)),
  };
  return clock.hours > 23 || clock.minutes > 59 || clock.seconds > 59 ? undefined : clock;
}

function zoneMinutes(zone: string): number | undefined {
  if (/^z$/i.test(zone)) return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(-2));
  if (hours > 23 || minutes > 59) return undefined;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

function startOfDay(date: Date, days: number): Date {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + days);
}

function atClock(day: Date, clock: Clock): Date {
  const { hours, minutes, seconds, milliseconds } = clock;
  return new Date(day.getFullYear(), day.getMonth(), day.getDate(), hours, minutes, seconds, milliseconds);
}

function isSameDay(one: Date, other: Date): boolean {
  return startOfDay(one, 0).getTime() === startOfDay(other, 0).getTime();
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

function plural(count: number, unit: string): string {
  const whole = Math.floor(count);
  return `${whole} ${unit}${whole === 1 ? '' : 's'}`;
}

function badTime(text: string, cause?: unknown): SnapError {
  return new SnapError('usage', `${JSON.stringify(text)} is not a time`, {
    hint: 'Write 2026-11-20, "2026-11-20 14:00", 2026-11-20T14:00:05Z, now, today, "yesterday 18:40", "2 days ago", "3h ago" or "last week".',
    cause,
  });
}
