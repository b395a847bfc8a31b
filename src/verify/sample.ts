/** Which packs a check of the bytes reads: all, or a random part by share, bytes or time. */
import { parseDurationParts, parseSize } from '../bytes/quantity.ts';
import { hasCode, SnapError } from '../errors.ts';

const DAY_MS = 86_400_000;

export type Sample = { readonly share: number } | { readonly bytes: number } | { readonly milliseconds: number };

/** Reads "10%", "2GB" or "5m" (minutes). Throws `usage`. */
export function parseSample(text: string): Sample {
  const percent = /^\s*(\d+(?:\.\d+)?)\s*%\s*$/.exec(text)?.[1];
  if (percent !== undefined) {
    const share = Number(percent) / 100;
    if (share > 0 && share <= 1) return { share };
    throw badSample(text);
  }
  try {
    const { months, days, milliseconds: rest } = parseDurationParts(text);
    const milliseconds = days * DAY_MS + rest;
    if (months === 0 && milliseconds > 0) return { milliseconds };
  } catch (error) {
    if (!hasCode(error, 'usage')) throw error;
    return parseBytes(text);
  }
  throw badSample(text);
}

/** `items` in a random order that `random` (hex digits) fixes. */
export function shuffled<T>(items: readonly T[], random: string): T[] {
  const order = [...items];
  let state = Number.parseInt(random.slice(0, 8), 16) | 1;
  for (let i = order.length - 1; i > 0; i--) {
    // xorshift32: even enough for a sample.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const j = (state >>> 0) % (i + 1);
    const moved = order[i];
    const other = order[j];
    if (moved !== undefined && other !== undefined) [order[i], order[j]] = [other, moved];
  }
  return order;
}

function parseBytes(text: string): Sample {
  try {
    const bytes = parseSize(text);
    if (bytes > 0) return { bytes };
  } catch (error) {
    if (!hasCode(error, 'usage')) throw error;
  }
  throw badSample(text);
}

function badSample(text: string): SnapError {
  return new SnapError('usage', `${JSON.stringify(text)} is not a sample`, {
    hint: 'Write a share as 10%, a size as 2GB, or a time as 5m (minutes).',
  });
}
