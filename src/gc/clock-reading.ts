/**
 * When snapshots were made, if clocks may lie (RELIABILITY.md §2 row 33). The journal's numbers are the order in which
 * snapshots were published; their times are only claims. Where the two contradict by more than CLOCK_SKEW_MS_MAX nobody
 * knows which claim is wrong, so every reading is returned and retention keeps what any of them keeps. In each reading
 * a false time is worth no more than a true one: no claim lies after `now`, and no zone is one that does not exist.
 */
import type { RetentionCandidate } from './retention.ts';

/** Clocks of honest machines differ by this much without their order being in doubt. */
const CLOCK_SKEW_MS_MAX = 600_000;
const ZONE_MINUTES_MIN = -12 * 60;
const ZONE_MINUTES_MAX = 14 * 60;

/**
 * `present` as claimed; and, only if the journal contradicts the claims, with times raised so that none is older than
 * a snapshot published before it, and with times lowered so that none is newer than one published after it.
 */
export function clockReadings(present: readonly RetentionCandidate[], now: Date): RetentionCandidate[][] {
  const claimed = present
    .map((one) => ({ ...one, time: one.time < now ? one.time : now, zoneMinutes: realZone(one.zoneMinutes) }))
    .sort((a, b) => a.sequence - b.sequence || a.time.getTime() - b.time.getTime());
  const raised = bounded(claimed, 1);
  const lowered = bounded(claimed.toReversed(), -1);
  const agrees = claimed.every((one, at) => one.time === raised[at]?.time && one.time === lowered.at(-1 - at)?.time);
  return agrees ? [claimed] : [claimed, raised, lowered];
}

/** Moves every time that lies behind (direction 1) or ahead (-1) of those before it in `ordered` up to theirs. */
function bounded(ordered: readonly RetentionCandidate[], direction: 1 | -1): RetentionCandidate[] {
  let bound = ordered[0]?.time ?? new Date(0);
  return ordered.map((one) => {
    const behindMs = direction * (bound.getTime() - one.time.getTime());
    if (behindMs <= 0) bound = one.time;
    return behindMs > CLOCK_SKEW_MS_MAX ? { ...one, time: bound } : one;
  });
}

/** Zones are quarters of an hour from -12:00 to +14:00; any other counts as UTC, or each would open its own hour. */
function realZone(zoneMinutes: number): number {
  const exists = zoneMinutes >= ZONE_MINUTES_MIN && zoneMinutes <= ZONE_MINUTES_MAX && zoneMinutes % 15 === 0;
  return exists ? zoneMinutes : 0;
}
