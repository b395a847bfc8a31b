/** Tiers of ages as people write them: "7d:all,30d:day,90d:week". */
import { SnapError } from '../errors.ts';
import type { Duration } from './quantity.ts';
import { parseDuration, subtractDuration } from './quantity.ts';

/** Up to the age `within`, the newest of each `every` is kept. */
export interface Tier {
  readonly within: Duration;
  readonly every: 'all' | Period;
}

export type Period = 'hour' | 'day' | 'week' | 'month' | 'year';

const TIER_PERIODS = ['all', 'hour', 'day', 'week', 'month', 'year'] as const;

/** Reads "7d:all,30d:day,90d:week": ages that grow, each with all, hour, day, week, month or year. Throws `usage`. */
export function parseTiers(text: string): Tier[] {
  const tiers: Tier[] = [];
  let beforeMs = 0;
  for (const part of text.split(',')) {
    const [age = '', period = '', ...more] = part.split(':').map((side) => side.trim());
    const every = TIER_PERIODS.find((known) => known === period);
    if (every === undefined || age === '' || more.length > 0)
      throw badTiers(text, `${JSON.stringify(part.trim())} is not an age and a period`);
    const within = parseDuration(age);
    const reachMs = -subtractDuration(new Date(0), within).getTime();
    if (reachMs <= beforeMs) throw badTiers(text, 'the ages must grow');
    beforeMs = reachMs;
    tiers.push({ within, every });
  }
  return tiers;
}

function badTiers(text: string, reason: string): SnapError {
  return new SnapError('usage', `${JSON.stringify(text)} are not tiers: ${reason}`, {
    hint: 'Write tiers from young to old, as 7d:all,30d:day,90d:week.',
  });
}
