/**
 * Decides which snapshots a retention policy keeps: pure, no clock, no store. A snapshot that any rule keeps is kept;
 * HEAD, tagged snapshots and those from the future (a wrong clock) are kept whatever the rules say. Buckets are hours,
 * days, ISO weeks, months and years in the zone of each snapshot; the newest of a bucket stands for it. As in restic,
 * a rule with buckets left over also keeps the oldest snapshot, so that history can grow to the length asked for.
 * Autosaves are not counted: they take no commit's place, and are kept for a week, or by rules of age and size.
 * Times are claims: where the journal contradicts them, what any reading of the clocks keeps is kept.
 */
import type { Duration } from '../bytes/quantity.ts';
import { formatDuration, subtractDuration } from '../bytes/quantity.ts';
import type { Period } from '../bytes/tiers.ts';
import { SnapError } from '../errors.ts';
import { clockReadings } from './clock-reading.ts';
import type { RetentionRules } from './rules.ts';
import { choosesByItself, describeRules, PERIODS, rulesAreEmpty } from './rules.ts';

export interface RetentionCandidate {
  readonly id: string;
  readonly time: Date;
  /** Minutes east of Greenwich of the zone in which it was made. */
  readonly zoneMinutes: number;
  readonly tags: readonly string[];
  readonly isHead: boolean;
  /** Made by a checkout of what was not committed, by nobody's wish. */
  readonly isAutosave: boolean;
  /** The number of its journal entry; the higher is the newer of two with the same time. */
  readonly sequence: number;
}

export interface RetentionVerdict {
  readonly id: string;
  readonly keep: boolean;
  /** Why: "last 2", "day 2026-11-20", "tag v1.2.0", "HEAD", "within 30d"; if pruned "no rule" or "over max-snapshots 50". */
  readonly reasons: readonly string[];
}

type Keep = (candidate: RetentionCandidate, reason: string) => void;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A clock may be ahead by this much before its snapshots count as made in the future. */
const CLOCK_AHEAD_MS_MAX = DAY_MS;

/** As long as this, what a checkout saved is there for `undo`, whatever the rules say. */
const AUTOSAVE_MS = 7 * DAY_MS;

/** The reason for which an autosave is kept for that long. */
export const FRESH_AUTOSAVE = 'autosave of the last 7d';

/**
 * One verdict for each of `candidates`, newest first. "Within" counts back from the newest snapshot that is not from
 * the future, or from `now` if that is earlier. Throws `usage` for a malformed number in `rules`, and `refused` for
 * rules that would keep nothing of their own accord.
 */
export function decideRetention(
  candidates: readonly RetentionCandidate[],
  rules: RetentionRules,
  now: Date,
): RetentionVerdict[] {
  checkRules(rules);
  const sorted = newestFirst(candidates);
  const present = sorted.filter(({ time }) => !isFuture(time, now));
  const reasons = new Map(sorted.map((candidate) => [candidate.id, protections(candidate, now)]));
  const isProtected = new Set(sorted.filter(({ id }) => reasons.get(id)?.size !== 0).map(({ id }) => id));
  for (const { id, isAutosave, time } of present)
    if (isAutosave && now.getTime() - time.getTime() < AUTOSAVE_MS) reasons.get(id)?.add(FRESH_AUTOSAVE);
  const [claimed = [], ...others] = clockReadings(present, now).map(newestFirst);
  const ruled = new Set<string>();
  applyRules(claimed, rules, ({ id }, reason) => {
    ruled.add(id);
    reasons.get(id)?.add(reason);
  });
  const ruledAsClaimed = new Set(ruled);
  for (const reading of others) {
    applyRules(reading, rules, ({ id }, reason) => {
      ruled.add(id);
      if (!ruledAsClaimed.has(id)) reasons.get(id)?.add(`${reason}, by journal order`);
    });
  }
  if (present.length > 0 && ruled.size === 0) throw keepsNothing(rules);
  const stay = claimed.filter(countsIn(claimed)).flatMap(({ id }) => {
    const why = reasons.get(id);
    return why === undefined || why.size === 0 || why.has(FRESH_AUTOSAVE) ? [] : [id];
  });
  const over = overMaximum(stay, isProtected, rules.maxSnapshots);

  return sorted.map(({ id }) => {
    const found = [...(reasons.get(id) ?? [])];
    if (over.has(id)) return { id, keep: false, reasons: [`over max-snapshots ${rules.maxSnapshots}`] };
    return { id, keep: found.length > 0, reasons: found.length > 0 ? found : ['no rule'] };
  });
}

/** Calls `keep` for every reason of every snapshot of `present`, which is newest first and has none after now. */
function applyRules(present: readonly RetentionCandidate[], rules: RetentionRules, keep: Keep): void {
  const newest = present[0];
  if (newest === undefined) return;
  if (!choosesByItself(rules)) {
    const decider =
      rules.maxSnapshots === undefined ? 'left to keep-under' : `within max-snapshots ${rules.maxSnapshots}`;
    const members = rules.maxSnapshots === undefined ? present : present.filter(countsIn(present));
    for (const candidate of members) keep(candidate, rulesAreEmpty(rules) ? 'no rules' : decider);
    return;
  }
  const counts = countsIn(present);
  const counted = present.filter(counts);
  const oldest = counted.at(-1);
  const isWithin = (span: Duration): ((candidate: RetentionCandidate) => boolean) => {
    const limit = subtractDuration(newest.time, span);
    return ({ time }) => time > limit;
  };

  for (const [rank, candidate] of counted.slice(0, rules.keepLast ?? 0).entries()) keep(candidate, `last ${rank + 1}`);
  if (rules.keepWithin !== undefined) {
    const reason = `within ${formatDuration(rules.keepWithin)}`;
    for (const candidate of present.filter(isWithin(rules.keepWithin))) keep(candidate, reason);
  }
  for (const { period, count, within } of PERIODS) {
    keepBuckets(counted, period, rules[count] ?? 0, keep, oldest);
    const span = rules[within];
    if (span === undefined) continue;
    const keepWithin: Keep = (candidate, label) => keep(candidate, `${label} within ${formatDuration(span)}`);
    keepBuckets(counted.filter(isWithin(span)), period, Infinity, keepWithin, oldest);
  }
  for (const candidate of present) {
    for (const tag of rules.keepTag ?? []) if (candidate.tags.includes(tag)) keep(candidate, `tag ${tag}`);
  }
  let rest = present;
  for (const { within, every } of rules.tiers ?? []) {
    const covers = isWithin(within);
    const reason = `tier ${formatDuration(within)}:${every}`;
    const members = rest.filter(covers);
    rest = rest.filter((candidate) => !covers(candidate));
    if (every === 'all') for (const candidate of members) keep(candidate, reason);
    else
      keepBuckets(
        members.filter(counts),
        every,
        Infinity,
        (candidate, label) => keep(candidate, `${reason}, ${label}`),
        undefined,
      );
  }
}

/** What rules that count take in: no autosaves, unless there is nothing else. */
function countsIn(present: readonly RetentionCandidate[]): (candidate: RetentionCandidate) => boolean {
  const hasWanted = present.some(({ isAutosave }) => !isAutosave);
  return ({ isAutosave }) => !isAutosave || !hasWanted;
}

/** Keeps the newest of each of the first `bucketsMax` buckets of `sorted`, and `oldest` if buckets are left over. */
function keepBuckets(
  sorted: readonly RetentionCandidate[],
  period: Period,
  bucketsMax: number,
  keep: Keep,
  oldest: RetentionCandidate | undefined,
): void {
  const seen = new Set<string | number>();
  for (const candidate of sorted) {
    if (seen.size >= bucketsMax) return;
    const { key, label } = bucketOf(candidate, period);
    if (!seen.has(key)) keep(candidate, label);
    else if (candidate === oldest) keep(candidate, `oldest, ${label}`);
    seen.add(key);
  }
}

/** An hour is known by its instant, so the hour that comes twice in autumn is two buckets; the rest by their label. */
function bucketOf({ time, zoneMinutes }: RetentionCandidate, period: Period): { key: string | number; label: string } {
  const local = new Date(time.getTime() + zoneMinutes * 60_000);
  const [day = '', clock = ''] = local.toISOString().split('T');
  if (period === 'hour') {
    const startMs = time.getTime() - (local.getTime() - Math.floor(local.getTime() / HOUR_MS) * HOUR_MS);
    return { key: startMs, label: `hour ${day} ${clock.slice(0, 2)}:00` };
  }
  const name = { day, week: isoWeek(local), month: day.slice(0, -3), year: day.slice(0, -6) }[period];
  return { key: name, label: `${period} ${name}` };
}

/** The ISO week of the UTC day of `date`: the week belongs to the year of its Thursday. */
function isoWeek(date: Date): string {
  const thursday = new Date(date);
  thursday.setUTCDate(date.getUTCDate() + 3 - ((date.getUTCDay() + 6) % 7));
  const year = thursday.getUTCFullYear();
  const week = 1 + Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * DAY_MS));
  return `${year}-W${String(week).padStart(2, '0')}`;
}

function newestFirst(candidates: readonly RetentionCandidate[]): RetentionCandidate[] {
  return candidates.toSorted(
    (a, b) => b.time.getTime() - a.time.getTime() || b.sequence - a.sequence || (a.id < b.id ? 1 : -1),
  );
}

function isFuture(time: Date, now: Date): boolean {
  return time.getTime() > now.getTime() + CLOCK_AHEAD_MS_MAX;
}

function protections(candidate: RetentionCandidate, now: Date): Set<string> {
  const reasons = new Set(candidate.tags.map((tag) => `tag ${tag}`));
  if (candidate.isHead) reasons.add('HEAD');
  if (isFuture(candidate.time, now)) reasons.add('time in the future');
  return reasons;
}

/** Those of `kept` (newest first) that go, as there are more than `max`: the oldest, but no protected one nor the newest. */
function overMaximum(kept: readonly string[], isProtected: ReadonlySet<string>, max = Infinity): Set<string> {
  const excess = Math.max(0, kept.length - max);
  const prunable = kept.slice(1).filter((id) => !isProtected.has(id));
  return new Set(prunable.slice(Math.max(0, prunable.length - excess)));
}

/** Throws `usage` for a number that is negative, not whole or not a number; `refused` for max-snapshots 0. */
function checkRules(rules: RetentionRules): void {
  const { keepTag: _tags, tiers = [], ...others } = rules;
  const spans = tiers.map(({ within }): [string, Duration] => ['tiers', within]);
  for (const [name, value] of [...Object.entries(others), ...spans]) {
    const numbers = value === undefined ? [] : typeof value === 'number' ? [value] : [value.months, value.milliseconds];
    if (numbers.every((number) => Number.isSafeInteger(number) && number >= 0)) continue;
    throw new SnapError('usage', `the rule ${name} is not a whole number of at least 0`, {
      hint: 'Use whole numbers such as 7, and durations such as 30d.',
    });
  }
  if (rules.maxSnapshots === 0) throw keepsNothing(rules);
}

function keepsNothing(rules: RetentionRules): SnapError {
  return new SnapError('refused', `these rules would keep no snapshot: ${describeRules(rules)}`, {
    hint: 'Add a rule that always keeps some, such as keep-last 5.',
  });
}
