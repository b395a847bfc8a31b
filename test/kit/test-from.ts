/** Tests that only larger amounts have; apart from amount.ts, which runs outside of the test runner too. */
import { test } from 'vitest';
import type { Amount } from './amount.ts';
import { AMOUNT } from './amount.ts';

/** `test` where at least so much is wanted, else nothing: what an amount leaves out is no skipped test. */
export function testFrom(least: Exclude<Amount, 'sample'>): (name: string, ...rest: TestRest) => void {
  if (AMOUNT === 'sample' || (least === 'long' && AMOUNT !== 'long')) return () => undefined;
  return (name, ...rest) => (rest.length === 1 ? test(name, rest[0]) : test(name, rest[0], rest[1]));
}

type TestRest = [work: () => unknown] | [options: { readonly timeout?: number }, work: () => unknown];
