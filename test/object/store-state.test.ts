/** Danger: a journal that does not fit together is applied all the same, and what it says is taken for the store. */
import { describe, expect, test } from 'vitest';
import { blobIdOf } from '../../src/object/blob-id.ts';
import type { JournalEntry, PackRecord } from '../../src/object/journal-entry.ts';
import type { PackId } from '../../src/object/pack-id.ts';
import { snapshotRef, tagRef } from '../../src/object/ref-name.ts';
import type { StoreState } from '../../src/object/store-state.ts';
import { applyEntries, applyEntry, decodeState, EMPTY_STATE, encodeState } from '../../src/object/store-state.ts';

const id = (text: string) => blobIdOf(Buffer.from(text));
const packId = (digit: string) => digit.repeat(32) as PackId;
const pack = (digit: string): PackRecord => ({ id: packId(digit), size: 100, sha256: id(digit), blobs: 2 });
const entry = (number: number, changes: Partial<JournalEntry> = {}): JournalEntry => ({
  number,
  previous: number === 1 ? null : id(`entry ${number - 1}`),
  operation: 'commit',
  note: '',
  writer: '',
  time: '',
  host: '',
  user: '',
  workspace: null,
  head: null,
  refs: [],
  grafts: {},
  packs: [],
  condemned: [],
  swept: [],
  undoes: null,
  program: '',
  ...changes,
});
const fold = (...changes: Partial<JournalEntry>[]): StoreState =>
  applyEntries(
    EMPTY_STATE,
    changes.map((change, i) => ({ entry: entry(i + 1, change), hash: id(`entry ${i + 1}`) })),
  );
const tag = tagRef('v1');
const set = (from: string | null, to: string | null) => ({
  refs: [{ name: tag, from: from === null ? null : id(from), to: to === null ? null : id(to) }],
});

describe('entries that fit', () => {
  test('refs are set, moved and removed', () => {
    expect(fold(set(null, 'a')).refs).toEqual(new Map([[tag, id('a')]]));
    expect(fold(set(null, 'a'), set('a', 'b')).refs).toEqual(new Map([[tag, id('b')]]));
    expect(fold(set(null, 'a'), set('a', null)).refs).toEqual(new Map());
  });

  test('packs come, are condemned, and go', () => {
    const state = fold({ packs: [pack('a'), pack('b')] }, { condemned: [packId('a')] });
    expect([...state.packs.keys()]).toEqual([packId('a'), packId('b')]);
    expect(state.condemned).toEqual(new Set([packId('a')]));
    const swept = applyEntry(state, entry(3, { swept: [packId('a')] }), id('entry 3'));
    expect([...swept.packs.keys()]).toEqual([packId('b')]);
    expect(swept.condemned).toEqual(new Set());
    expect(swept).toMatchObject({ number: 3, hash: id('entry 3') });
  });

  test('grafts are kept', () => {
    expect(fold({ grafts: { [id('child')]: id('parent') } }, {}).grafts).toEqual(
      new Map([[id('child'), id('parent')]]),
    );
  });

  test('the state before stays as it was', () => {
    const state = fold({ packs: [pack('a')], ...set(null, 'a') });
    const before = encodeState(state).toString();
    const next = { packs: [pack('b')], condemned: [packId('a')], grafts: { [id('c')]: id('p') }, ...set('a', null) };
    applyEntry(state, entry(2, next), id('entry 2'));
    expect(encodeState(state).toString()).toBe(before);
  });
});

describe('an entry that does not fit is refused', () => {
  const cases: [string, Partial<JournalEntry>[], RegExp][] = [
    ['the first has another number', [{ number: 2 }], /entry 2 does not fit: it does not follow entry 0/],
    ['a number comes twice', [{}, { number: 1 }], /it does not follow entry 1/],
    ['a number is left out', [{}, { number: 3 }], /it does not follow entry 1/],
    ['the first has one before it', [{ previous: id('x') }], /does not carry the hash/],
    ['another hash', [{}, { previous: id('x') }], /does not carry the hash/],
    ['no hash', [{}, { previous: null }], /does not carry the hash/],
    ['a ref was not there', [set('a', 'b')], /ref tags\/v1 was not what it says/],
    ['a ref was there', [set(null, 'a'), set(null, 'b')], /was not what it says/],
    ['a ref was another', [set(null, 'a'), set('b', 'c')], /was not what it says/],
    ['a pack is added twice', [{ packs: [pack('a')] }, { packs: [pack('a')] }], /is added twice/],
    ['a pack is twice in one entry', [{ packs: [pack('a'), pack('a')] }], /is added twice/],
    ['an unknown pack is condemned', [{ condemned: [packId('a')] }], /is condemned and not there/],
    ['an unknown pack is swept', [{ swept: [packId('a')] }], /was not condemned/],
    ['a pack is swept at once', [{ packs: [pack('a')] }, { swept: [packId('a')] }], /was not condemned/],
  ];
  test.each(cases)('%s', (_, changes, message) => {
    expect(() => fold(...changes)).toThrow(message);
    expect(() => fold(...changes)).toThrow(
      expect.objectContaining({
        code: 'corrupt-data',
        hint: expect.stringContaining('snap verify'),
        context: { entry: changes.at(-1)?.number ?? changes.length },
      }),
    );
  });
});

describe('checkpoints', () => {
  const state = fold(
    { packs: [pack('c'), pack('a'), pack('b')], refs: [{ name: snapshotRef(id('s')), from: null, to: id('s') }] },
    { condemned: [packId('c'), packId('a')], grafts: { [id('child')]: id('parent') } },
  );
  const text = encodeState(state).toString();

  test('one spelling: packs and condemned ones in order, whenever they came', () => {
    const json = JSON.parse(text) as { condemned: string[]; packs: { id: string }[] };
    expect(json.packs.map((found) => found.id)).toEqual([packId('a'), packId('b'), packId('c')]);
    expect(json.condemned).toEqual([packId('a'), packId('c')]);
    expect(encodeState(decodeState(Buffer.from(text))).toString()).toBe(text);
    expect(decodeState(Buffer.from(text)).grafts).toEqual(state.grafts);
  });

  test.each([
    ['another format', text.replace('"format":1', '"format":2'), 'unsupported-format'],
    ['an unknown field', text.replace('"format":1', '"format":1,"future":1'), 'unsupported-format'],
    [
      'condemned packs in another order',
      text.replace(`"${packId('a')}","${packId('c')}"`, `"${packId('c')}","${packId('a')}"`),
      'corrupt-data',
    ],
    ['a pack twice', text.replace(`"id":"${packId('b')}"`, `"id":"${packId('a')}"`), 'corrupt-data'],
    ['packs in another order', text.replace(`"id":"${packId('b')}"`, `"id":"${packId('d')}"`), 'corrupt-data'],
    ['a condemned pack that is no id', text.replace(`["${packId('a')}"`, '["a"'), 'corrupt-data'],
    ['a graft from no id', text.replace(`{"${id('child')}"`, '{"a"'), 'corrupt-data'],
    ['a graft to no id', text.replace(`"${id('parent')}"`, '"a"'), 'corrupt-data'],
    ['a ref to no id', text.replace(`:"${id('s')}"`, ':"a"'), 'corrupt-data'],
    ['a ref of another kind', text.replace('"snapshots/', '"heads/'), 'corrupt-data'],
  ])('%s is refused', (_, damaged, code) => {
    expect(damaged).not.toBe(text);
    expect(() => decodeState(Buffer.from(damaged))).toThrow(expect.objectContaining({ code }));
  });
});
