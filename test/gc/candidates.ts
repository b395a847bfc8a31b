/** Snapshots for retention to decide about, and what it keeps of them. */
import type { RetentionCandidate } from '../../src/gc/retention.ts';
import { decideRetention } from '../../src/gc/retention.ts';
import type { RetentionRules } from '../../src/gc/rules.ts';

export const NOW = new Date('2026-11-20T14:00:00Z');
export const DAY = 86_400_000;

export function made(time: string, more: Partial<RetentionCandidate> = {}): RetentionCandidate {
  return {
    id: time,
    time: new Date(time),
    zoneMinutes: 0,
    tags: [],
    isHead: false,
    isAutosave: false,
    sequence: 0,
    ...more,
  };
}

export function madeAt(...times: string[]): RetentionCandidate[] {
  return times.map((time) => made(time));
}

export function daily(count: number): RetentionCandidate[] {
  return Array.from({ length: count }, (_, index) => made(new Date(NOW.getTime() - index * DAY).toISOString()));
}

export function kept(
  candidates: readonly RetentionCandidate[],
  rules: RetentionRules,
  now = NOW,
): Record<string, string[]> {
  const verdicts = decideRetention(candidates, rules, now).filter(({ keep }) => keep);
  return Object.fromEntries(verdicts.map(({ id, reasons }) => [id, [...reasons]]));
}

export function keptIds(all: readonly RetentionCandidate[], policy: RetentionRules): string[] {
  return Object.keys(kept(all, policy));
}
