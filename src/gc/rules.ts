/** The retention rules of a workspace's settings: the keys `gc.*` of config.toml. */
import type { Duration } from '../bytes/quantity.ts';
import { parseDuration, parseSize } from '../bytes/quantity.ts';
import type { SettingKey, Settings } from '../repo/settings.ts';
import { countSetting, textSetting, textsSetting } from '../repo/settings.ts';
import type { RetentionRules } from './retention.ts';
import { parseTiers } from './retention.ts';

/** Throws `usage` for tiers that cannot be read; the other forms were checked when the file was read. */
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
