/** Danger: journal entries and states that a later version reads otherwise, or hashes otherwise. journal.json is frozen. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { JournalEntry } from '../../src/object/journal-entry.ts';
import { decodeJournalEntry, encodeJournalEntry, journalEntryHash } from '../../src/object/journal-entry.ts';
import { applyEntry, decodeState, EMPTY_STATE, encodeState } from '../../src/object/store-state.ts';
import { refusesTruncations, tamper } from '../kit/tamper.ts';
import { vectors } from './load.ts';

describe('the journal', () => {
  const { entries, states } = vectors<{
    entries: { value: JournalEntry; text: string; hash: string }[];
    states: { after: number; text: string }[];
  }>('journal');

  // The texts are of entries without a hash of their own, as early versions wrote them.
  test.each(entries)('entry $value.number: $value.operation', ({ value, text, hash }) => {
    expect(decodeJournalEntry(Buffer.from(text), value.number)).toEqual(value);
    expect(journalEntryHash(Buffer.from(text))).toBe(hash);
    const bytes = Buffer.from(`{"check":"${createHash('sha256').update(text).digest('hex')}",${text.slice(1)}`);
    const again = (damaged: Buffer): Uint8Array => encodeJournalEntry(decodeJournalEntry(damaged, value.number));
    expect(encodeJournalEntry(value).toString()).toBe(bytes.toString());
    expect(decodeJournalEntry(bytes, value.number)).toEqual(value);
    expect(refusesTruncations(bytes, again)).toBe(true);
    tamper(bytes, again);
    expect(() => decodeJournalEntry(bytes, value.number + 1)).toThrow('field "number"');
  });

  test('its entries form a chain, and fold to the states', () => {
    let state = EMPTY_STATE;
    for (const { text, hash } of entries) {
      const entry = decodeJournalEntry(Buffer.from(text), state.number + 1);
      expect(entry.previous).toBe(state.hash);
      state = applyEntry(state, entry, hash);
      const frozen = states.find(({ after }) => after === state.number);
      if (frozen !== undefined) expect(encodeState(state).toString()).toBe(frozen.text);
    }
    expect(state.number).toBe(7);
  });

  test('any change of an entry breaks the chain', () => {
    const first = entries[0];
    const second = entries[1];
    if (first === undefined || second === undefined) throw new Error('the vectors are gone');
    const altered = Buffer.from(first.text.replace('store created', 'store treated'));
    const state = applyEntry(EMPTY_STATE, decodeJournalEntry(altered, 1), journalEntryHash(altered));
    expect(() => applyEntry(state, second.value, second.hash)).toThrow('does not carry the hash');
  });

  test.each(states)('state after entry $after', ({ after, text }) => {
    const bytes = Buffer.from(text);
    const state = decodeState(bytes);
    expect(state.number).toBe(after);
    expect(encodeState(state).equals(bytes)).toBe(true);
    expect(refusesTruncations(bytes, (damaged) => encodeState(decodeState(damaged)))).toBe(true);
  });
});
