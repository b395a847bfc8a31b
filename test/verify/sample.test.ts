import { describe, expect, test } from 'vitest';
import { parseSample, shuffled } from '../../src/verify/sample.ts';

describe('parseSample', () => {
  test.each([
    ['10%', { share: 0.1 }],
    [' 2.5 % ', { share: 0.025 }],
    ['100%', { share: 1 }],
    ['2GB', { bytes: 2_000_000_000 }],
    ['500k', { bytes: 500_000 }],
    ['1 MiB', { bytes: 1_048_576 }],
    ['12', { bytes: 12 }],
    ['5m', { milliseconds: 300_000 }],
    ['1d', { milliseconds: 86_400_000 }],
    ['90s', { milliseconds: 90_000 }],
    ['1h30m', { milliseconds: 5_400_000 }],
  ])('reads %s', (text, sample) => expect(parseSample(text)).toEqual(sample));

  test.each(['', '0%', '101%', '-5%', '0', '0s', '6mo', 'all', '5 %%', '0GB'])('refuses %j', (text) => {
    expect(() => parseSample(text)).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});

test('shuffled keeps every item, and other random digits give another order', () => {
  const items = Array.from({ length: 50 }, (_, i) => i);
  const orders = new Set<string>();
  for (let i = 0; i < 40; i++) {
    const order = shuffled(items, (i * 0x01234567 + 1).toString(16).padStart(8, '0'));
    expect([...order].sort((a, b) => a - b)).toEqual(items);
    orders.add(order.join());
  }
  expect(orders.size).toBeGreaterThan(35);
  expect(shuffled([], 'ff')).toEqual([]);
});
