/** Danger: snapshots and journal entries with two spellings, fields that are dropped, texts that do not come back. */
import { createHash } from 'node:crypto';
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

describe('what no writer writes is refused', () => {
  const id = 'ab'.repeat(32);
  const pack = 'cd'.repeat(16);
  type Fields = Record<string, Json>;
  const snapshot: Fields = {
    changes: { added: 1, changed: 2, newBytes: 3, removed: 4, storedBytes: 5 },
    folder: { gid: 1, mode: 493, mtime: '-1790000000123456789', uid: 2 },
    format: 1,
    git: { branch: null, commit: 'c' },
    host: 'h',
    message: 'm',
    meta: { key: 'value' },
    origin: 'commit',
    parent: id,
    program: 'p',
    skipped: [{ path: 'a', reason: 'b' }],
    time: '2026-07-26T12:00:00.000+02:00',
    totals: { bytes: 1, files: 2, folders: 3, others: 4 },
    tree: id,
    unsteady: ['u'],
    user: 'u',
    workspace: { id: 'a0'.repeat(16), name: 'n' },
  };
  const entry: Fields = {
    condemned: [pack],
    format: 1,
    grafts: { [id]: id },
    head: { from: null, to: id },
    host: 'h',
    note: 'n',
    number: 7,
    operation: 'commit',
    packs: [{ blobs: 1, id: pack, sha256: id, size: 100 }],
    previous: id,
    program: 'p',
    refs: [{ from: id, name: 'tags/v1', to: null }],
    swept: [pack],
    time: '2026-07-26T12:00:00.000+02:00',
    undoes: 3,
    user: 'u',
    workspace: 'b1'.repeat(16),
    writer: 'c2'.repeat(16),
  };
  const checked = (bytes: Buffer): Buffer =>
    Buffer.concat([Buffer.from(`{"check":"${createHash('sha256').update(bytes).digest('hex')}",`), bytes.subarray(1)]);
  const read = (record: 'snapshot' | 'entry', fields: Fields): unknown => {
    const bytes = encodeCanonicalJson(fields);
    return record === 'snapshot' ? decodeSnapshot(bytes) : decodeJournalEntry(checked(bytes), 7);
  };
  const of = { snapshot, entry };

  test.each(['snapshot', 'entry'] as const)('a whole %s is taken', (record) => {
    expect(read(record, of[record])).toBeDefined();
  });

  /** Each object in a record, as the path to it. */
  const inner = (['snapshot', 'entry'] as const).flatMap((record) =>
    Object.entries(of[record]).flatMap(([name, value]) =>
      Array.isArray(value)
        ? typeof value[0] === 'object'
          ? [{ record, name, change: (more: Fields) => [{ ...(value[0] as Fields), ...more }] as Json }]
          : []
        : typeof value === 'object' && !['meta', 'grafts'].includes(name)
          ? [{ record, name, change: (more: Fields) => ({ ...(value as Fields), ...more }) as Json }]
          : [],
    ),
  );
  test.each(inner)('an unknown field in $name of a $record', ({ record, name, change }) => {
    expect(() => read(record, { ...of[record], [name]: change({ future: 1 }) })).toThrow(
      expect.objectContaining({ code: 'unsupported-format', message: expect.stringContaining('"future"') }),
    );
  });
  test('that were all of them', () => expect(inner).toHaveLength(9));

  const LATER: [keyof typeof of, Fields][] = [
    ['snapshot', { format: 2 }],
    ['entry', { format: 2 }],
    ['entry', { operation: 'explode' }],
    ['snapshot', { future: 1 }],
    ['entry', { future: 1 }],
  ];
  test.each(LATER)('a %s of a later version: %j', (record, change) => {
    expect(() => read(record, { ...of[record], ...change })).toThrow(
      expect.objectContaining({ code: 'unsupported-format', hint: expect.stringContaining('newer version') }),
    );
  });

  test.each(
    LATER.filter(([record]) => record === 'entry'),
  )('an %s without a hash of its own is of no later version: %j', (_, change) => {
    expect(() => decodeJournalEntry(encodeCanonicalJson({ ...entry, ...change }), 7)).toThrow(
      expect.objectContaining({ code: 'corrupt-data' }),
    );
  });

  test('no flipped bit makes an entry of a later version', () => {
    const bytes = checked(encodeCanonicalJson(entry));
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => decodeJournalEntry(bytes, 7), `bit ${bit}`).toThrow(
        expect.objectContaining({ code: 'corrupt-data' }),
      );
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    }
    expect(decodeJournalEntry(bytes, 7)).toMatchObject({ note: 'n' });
  });

  const DAMAGED: [keyof typeof of, Fields][] = [
    ['snapshot', { origin: 'elsewhere' }],
    ['snapshot', { tree: 'a' }],
    ['snapshot', { parent: 'a' }],
    ...[
      'yesterday',
      '2026-07-26T12:00:00.000Z',
      '2026-07-26T12:00:00+02:00',
      '2026-13-26T12:00:00.000+02:00',
      'x2026-07-26T12:00:00.000+02:00',
      '2026-07-26T12:00:00.000+02:00x',
      '2026-07-26T12:00:00.0000+02:00',
      '2026-07-26T12:00:00.000*02:00',
      '2026-07-26T12:00:00.000+2:00',
      '2026-07-26T12:00:00.000+02:0',
      '2026-7-26T12:00:00.000+02:00',
      '26-07-26T12:00:00.000+02:00',
    ].flatMap((time): [keyof typeof of, Fields][] => [
      ['snapshot', { time }],
      ['entry', { time }],
    ]),
    ...['', 'A0'.repeat(16), 'a0'.repeat(15), 'a0'.repeat(17)].flatMap((id): [keyof typeof of, Fields][] => [
      ['snapshot', { workspace: { id, name: 'n' } }],
      ['entry', { workspace: id }],
      ['entry', { writer: id }],
      ['entry', { previous: id }],
    ]),
    ...['', '-', '1x', 'x1', '+1', '12345678901234567890', '1.5'].map((mtime): [keyof typeof of, Fields] => [
      'snapshot',
      { folder: { gid: 1, mode: 493, mtime, uid: 2 } },
    ]),
    ['entry', { number: 8 }],
    ['entry', { grafts: { a: id } }],
    ['entry', { grafts: { [id]: 'a' } }],
    ['entry', { condemned: ['a'] }],
    ['entry', { swept: [id] }],
    ['entry', { head: { from: 'a', to: null } }],
    ['entry', { head: { from: null, to: 'a' } }],
    ['entry', { refs: [{ name: 'v1', from: null, to: id }] }],
    ['entry', { refs: [{ name: 'tags/v1', from: 'a', to: id }] }],
    ['entry', { packs: [{ id, sha256: id, size: 1, blobs: 1 }] }],
    ['entry', { packs: [{ id: pack, sha256: pack, size: 1, blobs: 1 }] }],
    ['entry', { undoes: -1 }],
  ];
  test.each(DAMAGED)('a damaged %s: %j', (record, change) => {
    expect(() => read(record, { ...of[record], ...change })).toThrow(expect.objectContaining({ code: 'corrupt-data' }));
  });

  test.each([
    ['0'],
    ['-1'],
    ['1790000000123456789'],
    ['-9223372036854775808'],
  ])('the time %s of a folder is taken', (mtime) => {
    expect(read('snapshot', { ...snapshot, folder: { gid: 1, mode: 493, mtime, uid: 2 } })).toMatchObject({
      folder: { mtime },
    });
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
