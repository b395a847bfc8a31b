/** Danger: two names that become one, or a name that comes back as another. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareNames, decodeName, encodeName, systemPath } from '../../src/bytes/names.ts';
import { nameBytes } from '../kit/arbitrary.ts';

describe('names', () => {
  test('any bytes come back', () => {
    fc.assert(
      fc.property(nameBytes, (bytes) => encodeName(decodeName(bytes)).equals(bytes)),
      { numRuns: 2000 },
    );
  });

  test('different bytes are different strings, in the order of their bytes', () => {
    fc.assert(
      fc.property(nameBytes, nameBytes, (a, b) => {
        expect(Math.sign(compareNames(decodeName(a), decodeName(b)))).toBe(Math.sign(Buffer.compare(a, b)));
        expect(decodeName(a) === decodeName(b)).toBe(a.equals(b));
      }),
      { numRuns: 2000 },
    );
  });

  test('valid UTF-8 decodes to itself', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => decodeName(Buffer.from(text)) === text));
  });

  test('joined names are the names joined', () => {
    fc.assert(
      fc.property(nameBytes, nameBytes, (a, b) =>
        encodeName(`${decodeName(a)}/${decodeName(b)}`).equals(Buffer.concat([a, Buffer.from('/'), b])),
      ),
    );
  });

  test('a system call gets a string where a string can say it, else bytes', () => {
    fc.assert(fc.property(nameBytes, (bytes) => Buffer.from(systemPath(decodeName(bytes))).equals(bytes)));
  });
});
