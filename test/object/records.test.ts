/** Danger: snapshots and journal entries with two spellings, fields that are dropped, texts that do not come back. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Json } from '../../src/bytes/canonical-json.ts';
import { decodeCanonicalJson, encodeCanonicalJson } from '../../src/bytes/canonical-json.ts';
import { decodeJournalEntry, encodeJournalEntry } from '../../src/object/journal-entry.ts';
import { decodeSnapshot, encodeSnapshot } from '../../src/object/snapshot.ts';
import { journalEntries, snapshots, texts } from '../kit/arbitrary.ts';
import { attempt, tamper } from '../kit/tamper.ts';

const againSnapshot = (bytes: Buffer): Uint8Array => encodeSnapshot(decodeSnapshot(bytes));

describe('snapshots', () => {
  test('decode what was encoded', () => {
    fc.assert(
      fc.property(snapshots, (snapshot) => {
        const bytes = encodeSnapshot(snapshot);
        const decoded = decodeSnapshot(bytes);
        expect({ ...decoded, meta: Object.entries(decoded.meta).sort() }).toEqual({
          ...snapshot,
          meta: Object.entries(snapshot.meta).sort(),
        });
        expect(encodeSnapshot(decoded).equals(bytes)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test('damaged bytes are refused, or are another snapshot in its only encoding', () => {
    fc.assert(
      fc.property(snapshots, (snapshot) => void tamper(encodeSnapshot(snapshot), againSnapshot)),
      { numRuns: 3 },
    );
  });

  test('a field that is not known is refused, not dropped', () => {
    fc.assert(
      fc.property(snapshots, (snapshot) => {
        const more = Buffer.from(encodeSnapshot(snapshot).toString().replace('"git":', '"future":0,"git":'));
        expect(() => decodeSnapshot(more)).toThrow('unknown field "future"');
      }),
      { numRuns: 20 },
    );
  });
});

describe('journal entries', () => {
  test('decode what was encoded', () => {
    fc.assert(
      fc.property(journalEntries, (entry) => {
        const bytes = encodeJournalEntry(entry);
        const decoded = decodeJournalEntry(bytes, entry.number);
        expect({ ...decoded, grafts: { ...decoded.grafts } }).toEqual(entry);
        expect(encodeJournalEntry(decoded).equals(bytes)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test('damaged bytes are refused, or are another entry in its only encoding', () => {
    fc.assert(
      fc.property(
        journalEntries,
        (entry) =>
          void tamper(encodeJournalEntry(entry), (bytes) =>
            encodeJournalEntry(decodeJournalEntry(bytes, entry.number)),
          ),
      ),
      { numRuns: 3 },
    );
  });
});

describe('canonical JSON', () => {
  const values = fc.letrec<{ value: Json }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(null, true, false),
      fc.maxSafeInteger(),
      texts,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(texts, tie('value'), { maxKeys: 4 }),
    ),
  })).value;

  test('a value has one spelling, and comes back', () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = encodeCanonicalJson(value);
        expect(encodeCanonicalJson(decodeCanonicalJson(bytes, 'record')).equals(bytes)).toBe(true);
      }),
    );
  });

  test('every other spelling is refused', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const bytes = Buffer.from(text);
        return (
          attempt(bytes, (given) => encodeCanonicalJson(decodeCanonicalJson(given, 'record')))?.equals(bytes) ?? true
        );
      }),
    );
  });

  test.each([
    '{"b":1,"a":2}',
    '{"a":1,"a":1}',
    ' 1',
    '1 ',
    '1.0',
    '1e3',
    '-0',
    '9007199254740993',
    '1.5',
    '"\\u0061"',
    '"\\/"',
    '"\\uDCFF"',
    '\ufeff1',
    '',
  ])('%j is refused', (text) => {
    expect(() => decodeCanonicalJson(Buffer.from(text), 'record')).toThrow('damaged record');
  });
});
