/** Checkpoints: where reading the journal begins, passed over where they are wrong, and never believed against it. */
import { createHash } from 'node:crypto';
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { StoreState } from '../../src/object/store-state.ts';
import { applyEntries, EMPTY_STATE } from '../../src/object/store-state.ts';
import { decodeCheckpoint, encodeCheckpoint, newestCheckpoint, readEntriesAfter } from '../../src/repo/journal.ts';
import { readState } from '../../src/repo/journal-base.ts';
import { checkpointName, journalName } from '../../src/repo/layout.ts';
import type { Backend } from '../../src/storage/backend.ts';
import { flipBit } from '../kit/damage.ts';
import { appenders } from './appending.ts';

const { roots, failing, backendAt, appendTo } = appenders();

/** A backend that counts what is read. */
const counting = (backend: Backend): Backend & { readonly read: string[] } => {
  const read: string[] = [];
  return {
    ...backend,
    read,
    get: (name, range) => {
      read.push(name);
      return backend.get(name, range);
    },
  };
};

describe('checkpoints', () => {
  test('that cannot be written are left out: the entry is recorded', async () => {
    const state = { ...EMPTY_STATE, number: 255, hash: 'a'.repeat(64) };
    const written = backendAt(join(roots.root, 'store'));
    failing.hook = (call, path) => (call === 'link' && path.includes('/checkpoints/') ? 'ENOSPC' : undefined);
    expect((await appendTo(written, state)).number).toBe(256);
    expect(readdirSync(join(roots.root, 'store/checkpoints'))).toEqual([]);
  });

  let store: string;
  let backend: ReturnType<typeof counting>;
  const states = new Map<number, StoreState>();
  const at = (name: string): string => join(store, name);

  beforeAll(async () => {
    store = `${roots.root}-long`;
    let state = EMPTY_STATE;
    for (let number = 1; number <= 770; number++) {
      state = await appendTo(backendAt(store), state);
      if (number % 256 === 0)
        expect(readdirSync(at('checkpoints')), `after ${number}`).toHaveLength(number < 768 ? number / 256 : 2);
      states.set(number, state);
    }
  });
  beforeEach(() => {
    backend = counting(backendAt(store));
  });

  test('follow every 256th entry; the newest two are kept', () => {
    expect(readdirSync(at('checkpoints')).sort()).toEqual(['000000000512.state', '000000000768.state']);
  });

  test('spare the reading of what is before them', async () => {
    const { state, from, entries } = await readState(backend);
    expect(state).toEqual(states.get(770));
    expect(from).toEqual(states.get(768));
    expect(entries.map(({ entry }) => entry.number)).toEqual([769, 770]);
    expect(backend.read).toEqual(
      [768, 768, 769, 770, 771].map((n, i) => (i === 0 ? checkpointName(n) : journalName(n))),
    );
  });

  test('a state that is known is gone on from, one of another journal is damage', async () => {
    const known = states.get(767) as StoreState;
    expect((await readState(backend, known)).from).toBe(known);
    expect(backend.read).toEqual([767, 768, 769, 770, 771].map(journalName));
    const stranger = { ...known, hash: 'f'.repeat(64) };
    await expect(readState(backend, stranger)).rejects.toMatchObject({ code: 'corrupt-data' });
    const ahead = { ...known, number: 999 };
    await expect(readState(backend, ahead)).rejects.toMatchObject({ code: 'corrupt-data' });
  });

  test('replaying reads every entry and none of them, and comes to the same', async () => {
    const entries = await readEntriesAfter(backend, EMPTY_STATE);
    expect(applyEntries(EMPTY_STATE, entries)).toEqual(states.get(770));
    expect(backend.read.filter((name) => name.startsWith('checkpoints'))).toEqual([]);
    expect(await readEntriesAfter(backend, states.get(770) as StoreState)).toEqual([]);
  });

  test.each<[string, (path: string) => void, number]>([
    ['damaged', (path) => flipBit(path, 70), 512],
    ['cut off', (path) => writeFileSync(path, readFileSync(path).subarray(0, 40)), 512],
    ['empty', (path) => writeFileSync(path, ''), 512],
    ['whole, and of another number', (path) => copyFileSync(at(checkpointName(512)), path), 512],
    [
      'whole, and of another journal',
      (path) => writeFileSync(path, encodeCheckpoint({ ...(states.get(768) as StoreState), hash: 'a'.repeat(64) })),
      512,
    ],
    ['of a version that is not known', (path) => writeFileSync(path, sealed('{"format":2}')), 512],
    ['there, beside files that are none', () => writeFileSync(at('checkpoints/000000000769.state~'), 'x'), 768],
  ])('one that is %s', async (_, harm, expected) => {
    const path = at(checkpointName(768));
    const bytes = readFileSync(path);
    harm(path);
    expect((await newestCheckpoint(backend)).number).toBe(expected);
    expect((await readState(backend)).state).toEqual(states.get(770));
    writeFileSync(path, bytes);
    rmSync(at('checkpoints/000000000769.state~'), { force: true });
  });

  test('that vanish while they are listed are passed over; without any the journal is read from the start', async () => {
    const gone: Backend = {
      ...backend,
      get: async (name, range) => (name.startsWith('check') ? undefined : backend.get(name, range)),
    };
    expect((await newestCheckpoint(gone)).number).toBe(0);
    expect((await readState(gone)).state).toEqual(states.get(770));
  });

  test('that the disk has lost are passed over; that cannot be read now, they are an error, not a longer way round', async () => {
    failing.hook = (call, path) => (call === 'read' && path.endsWith('.state') ? 'EIO' : undefined);
    expect((await readState(backend)).state).toEqual(states.get(770));
    failing.hook = (call, path) => (call === 'read' && path.endsWith('.state') ? 'EMFILE' : undefined);
    await expect(readState(backend)).rejects.toMatchObject({ code: 'io' });
  });

  test('are the state behind its hash', () => {
    const bytes = readFileSync(at(checkpointName(512)));
    expect(decodeCheckpoint(bytes)).toEqual(states.get(512));
    expect(decodeCheckpoint(bytes.subarray(0, -1))).toBeUndefined();
  });
});

function sealed(body: string): string {
  return `${createHash('sha256').update(body).digest('hex')}\n${body}`;
}
