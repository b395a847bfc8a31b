/** Retention rules: their form, how they are read from the settings `gc.*` and from text, and how they are told. */
import type { Duration } from '../bytes/quantity.ts';
import { formatDuration, formatSize, parseDuration, parseSize } from '../bytes/quantity.ts';
import type { Tier } from '../bytes/tiers.ts';
import { parseTiers } from '../bytes/tiers.ts';
import type { SettingKey, Settings } from '../repo/settings.ts';
import { countSetting, textSetting, textsSetting } from '../repo/settings.ts';

/** Counts are whole numbers; a count or duration of 0 is a rule that keeps nothing; undefined is no rule. */
export interface RetentionRules {
  readonly keepLast?: number | undefined;
  readonly keepHourly?: number | undefined;
  readonly keepDaily?: number | undefined;
  readonly keepWeekly?: number | undefined;
  readonly keepMonthly?: number | undefined;
  readonly keepYearly?: number | undefined;
  readonly keepWithin?: Duration | undefined;
  readonly keepWithinHourly?: Duration | undefined;
  readonly keepWithinDaily?: Duration | undefined;
  readonly keepWithinWeekly?: Duration | undefined;
  readonly keepWithinMonthly?: Duration | undefined;
  readonly keepWithinYearly?: Duration | undefined;
  readonly keepTag?: readonly string[] | undefined;
  readonly maxSnapshots?: number | undefined;
  readonly tiers?: readonly Tier[] | undefined;
  /** Bytes. Sizes are not known here, so it only makes rulesAreEmpty() false. */
  readonly keepUnder?: number | undefined;
}

export const PERIODS = [
  { period: 'hour', name: 'hourly', count: 'keepHourly', within: 'keepWithinHourly' },
  { period: 'day', name: 'daily', count: 'keepDaily', within: 'keepWithinDaily' },
  { period: 'week', name: 'weekly', count: 'keepWeekly', within: 'keepWithinWeekly' },
  { period: 'month', name: 'monthly', count: 'keepMonthly', within: 'keepWithinMonthly' },
  { period: 'year', name: 'yearly', count: 'keepYearly', within: 'keepWithinYearly' },
] as const;

/** The forms were checked when the file was read. */
export function rulesOfSettings(settings: Settings): RetentionRules {
  const duration = (key: SettingKey): Duration | undefined => {
    const text = textSetting(settings, key);
    return text === undefined ? undefined : parseDuration(text);
  };
  const under = textSetting(settings, 'gc.keep-under');
  const tiers = textSetting(settings, 'gc.tiers');
  return {
    keepLast: countSetting(settings, 'gc.keep-last'),
    keepHourly: countSetting(settings, 'gc.keep-hourly'),
    keepDaily: countSetting(settings, 'gc.keep-daily'),
    keepWeekly: countSetting(settings, 'gc.keep-weekly'),
    keepMonthly: countSetting(settings, 'gc.keep-monthly'),
    keepYearly: countSetting(settings, 'gc.keep-yearly'),
    keepWithin: duration('gc.keep-within'),
    keepWithinHourly: duration('gc.keep-within-hourly'),
    keepWithinDaily: duration('gc.keep-within-daily'),
    keepWithinWeekly: duration('gc.keep-within-weekly'),
    keepWithinMonthly: duration('gc.keep-within-monthly'),
    keepWithinYearly: duration('gc.keep-within-yearly'),
    keepTag: textsSetting(settings, 'gc.keep-tag'),
    maxSnapshots: countSetting(settings, 'gc.max-snapshots'),
    keepUnder: under === undefined ? undefined : parseSize(under),
    tiers: tiers === undefined ? undefined : parseTiers(tiers),
  };
}

/** How long packs stay after they were condemned: `gc.grace`. */
export function graceOfSettings(settings: Settings): Duration {
  return parseDuration(textSetting(settings, 'gc.grace') ?? '0');
}

/** True if `rules` has no rule at all; an empty list is no rule, a count of 0 is one. */
export function rulesAreEmpty(rules: RetentionRules): boolean {
  return !choosesByItself(rules) && rules.maxSnapshots === undefined && rules.keepUnder === undefined;
}

/** The rules in one line: "last 5, 7 daily, within 30d, hourly within 2d, tag v1, tiers 7d:all, at most 50, under 20.0 GB". */
export function describeRules(rules: RetentionRules): string {
  const parts: string[] = [];
  if (rules.keepLast !== undefined) parts.push(`last ${rules.keepLast}`);
  for (const { count, name } of PERIODS) {
    if (rules[count] !== undefined) parts.push(`${rules[count]} ${name}`);
  }
  if (rules.keepWithin !== undefined) parts.push(`within ${formatDuration(rules.keepWithin)}`);
  for (const { within, name } of PERIODS) {
    const span = rules[within];
    if (span !== undefined) parts.push(`${name} within ${formatDuration(span)}`);
  }
  for (const tag of rules.keepTag ?? []) parts.push(`tag ${tag}`);
  const tiers = rules.tiers ?? [];
  if (tiers.length > 0)
    parts.push(`tiers ${tiers.map(({ within, every }) => `${formatDuration(within)}:${every}`).join(',')}`);
  if (rules.maxSnapshots !== undefined) parts.push(`at most ${rules.maxSnapshots}`);
  if (rules.keepUnder !== undefined) parts.push(`under ${formatSize(rules.keepUnder)}`);
  return parts.length === 0 ? 'no rules' : parts.join(', ');
}

/** True if a rule other than max-snapshots and keep-under is set. */
export function choosesByItself(rules: RetentionRules): boolean {
  const { maxSnapshots: _max, keepUnder: _under, keepTag = [], tiers = [], ...others } = rules;
  return keepTag.length > 0 || tiers.length > 0 || Object.values(others).some((value) => value !== undefined);
}
