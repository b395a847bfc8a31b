/** A file gets the microsecond of its time, on every Node that is here: never the next one, never the one before. */
import { execFileSync } from 'node:child_process';
import { closeSync, lstatSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { secondsNotAfter } from '../../src/bytes/seconds.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { SEED } from '../kit/amount.ts';
import { temporaryFolder } from '../kit/folder.ts';
import { systemNode } from '../kit/snap.ts';

let folder: ReturnType<typeof temporaryFolder>;
let path: string;
beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder.path, 'file');
  writeFileSync(path, '');
});
afterEach(() => folder.remove());

const SECOND = 1_000_000_000n;
/** Whole seconds up to 2106, with every kind of rest. */
const times = fc
  .tuple(
    fc.bigInt(0n, 2n ** 32n - 1n),
    fc.oneof(fc.bigInt(0n, SECOND - 1n), fc.constantFrom(0n, 1n, 999n, SECOND - 1n)),
  )
  .map(([seconds, rest]) => seconds * SECOND + rest);

const micros = (nanoseconds: bigint): bigint => nanoseconds / 1000n;

test('of files and links, by random nanoseconds', () => {
  const fd = openSync(path, 'r+');
  try {
    fc.assert(
      fc.property(times, (time) => {
        realDisk.setTimes(fd, time);
        expect(micros(lstatSync(path, { bigint: true }).mtimeNs)).toBe(micros(time));
        realDisk.setLinkTimes(path, time);
        expect(micros(lstatSync(path, { bigint: true }).mtimeNs)).toBe(micros(time));
      }),
      { numRuns: 5000, seed: SEED },
    );
  } finally {
    closeSync(fd);
  }
});

test.each([
  [1_700_000_000_999_999_999n, 1_700_000_000_999_999n],
  [1_795_269_426_123_456_789n, 1_795_269_426_123_456n],
  [999n, 0n],
])('%d nanoseconds are %d microseconds', (time, expected) => {
  realDisk.setLinkTimes(path, time);
  expect(micros(lstatSync(path, { bigint: true }).mtimeNs)).toBe(expected);
});

test('before 1970 it is the millisecond', () => {
  for (const [time, expected] of [
    [-1n, -1],
    [-1_500_000n, -2],
    [-1_000_000n, -1],
  ] as const) {
    realDisk.setLinkTimes(path, time);
    expect(Math.round(lstatSync(path).mtimeMs)).toBe(expected);
  }
});

test('from 2106 on, never a later one', () => {
  fc.assert(
    fc.property(fc.bigInt(2n ** 32n * SECOND, 2n ** 63n - 1n), (time) => {
      const seconds = secondsNotAfter(time);
      const whole = Math.floor(seconds);
      const exact = BigInt(whole) * SECOND + BigInt(Math.floor((seconds - whole) * 1e9));
      expect(exact <= time && time - exact < 3000n).toBe(true);
    }),
    { seed: SEED },
  );
});

const other = systemNode();
describe.runIf(other !== undefined)('the other Node', () => {
  test('sets the same microseconds from the same doubles', () => {
    const samples = fc.sample(times, { numRuns: 2000, seed: SEED });
    const script = `const fs = require('fs'); const [path, ...all] = process.argv.slice(1);
      console.log(all.map((time) => { fs.utimesSync(path, Number(time), Number(time)); return fs.statSync(path, { bigint: true }).mtimeNs / 1000n; }).join(' '));`;
    const set = execFileSync(other ?? '', [
      '-e',
      script,
      path,
      ...samples.map((time) => String(secondsNotAfter(time))),
    ]);
    expect(set.toString().trim().split(' ')).toEqual(samples.map((time) => String(micros(time))));
  });
});
