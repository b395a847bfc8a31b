/** Appending to the journal: who comes second, answers that are lost, and disks that fail. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { StoreState } from '../../src/object/store-state.ts';
import { EMPTY_STATE } from '../../src/object/store-state.ts';
import { appendEntry, readEntriesAfter, readEntry } from '../../src/repo/journal.ts';
import { readState } from '../../src/repo/journal-base.ts';
import { journalName } from '../../src/repo/layout.ts';
import type { Backend } from '../../src/storage/backend.ts';
import { alterEntry } from '../kit/damage.ts';
import { appenders, draft } from './appending.ts';

const { roots, failing, environment, backendAt, appendTo } = appenders();

describe('appending', () => {
  let backend: Backend;
  beforeEach(() => {
    mkdirSync(roots.root, { recursive: true });
    backend = backendAt(join(roots.root, 'store'));
  });

  test('who comes second gets the entries that others published, and changes nothing', async () => {
    const one = await appendTo(backend, EMPTY_STATE);
    const two = await appendTo(backend, one);
    const bytes = readFileSync(join(roots.root, 'store', journalName(1)));
    const late = await appendEntry(backend, environment, EMPTY_STATE, draft);
    expect('conflict' in late && late.conflict.map(({ entry }) => entry.number)).toEqual([1, 2]);
    expect('conflict' in late && late.conflict.at(-1)?.hash).toBe(two.hash);
    expect(readFileSync(join(roots.root, 'store', journalName(1)))).toEqual(bytes);
  });

  test('an entry whose writing was reported as lost, and which is there, is ours', async () => {
    const unclear: Backend = {
      ...backend,
      putIfAbsent: async (name, bytes) => {
        await backend.putIfAbsent(name, bytes);
        return false;
      },
    };
    const result = await appendEntry(unclear, environment, EMPTY_STATE, draft);
    expect(result).toMatchObject({ published: { entry: { number: 1 } }, state: { number: 1 } });
    expect((await readState(backend)).state.number).toBe(1);
  });

  test('a draft that does not follow the state is refused before anything is written', async () => {
    const refs = [{ name: 'tags/x', from: 'a'.repeat(64), to: null }] as never;
    await expect(appendEntry(backend, environment, EMPTY_STATE, { ...draft, refs })).rejects.toMatchObject({
      code: 'corrupt-data',
    });
    expect(existsSync(join(roots.root, 'store', journalName(1)))).toBe(false);
  });

  test('entries carry the time with the zone of the machine', async () => {
    const at = (minutes: number): typeof environment => ({
      ...environment,
      now: () => new Date(Date.UTC(2026, 10, 20, 14, 2, 11, 123)),
      zoneMinutes: () => minutes,
    });
    let state = EMPTY_STATE;
    const times: string[] = [];
    for (const minutes of [0, 60, -210, 345]) {
      const result = await appendEntry(backend, at(minutes), state, draft);
      if ('conflict' in result) throw new Error('conflict');
      times.push(result.published.entry.time);
      state = result.state;
    }
    expect(times).toEqual([
      '2026-11-20T14:02:11.123+00:00',
      '2026-11-20T15:02:11.123+01:00',
      '2026-11-20T10:32:11.123-03:30',
      '2026-11-20T19:47:11.123+05:45',
    ]);
  });
});

describe('an entry of a later version', () => {
  let store: string;
  let backend: Backend;
  const path = (number: number): string => join(store, journalName(number));
  beforeEach(async () => {
    store = join(roots.root, 'store');
    backend = backendAt(store);
    let state = EMPTY_STATE;
    for (let i = 0; i < 3; i++) state = await appendTo(backend, state);
  });
  const later = (text: string): string => text.replace('"format":1', '"format":9');

  test('is none of ours as long as nothing speaks against it', async () => {
    alterEntry(path(3), later);
    await expect(readEntry(backend, 3)).rejects.toMatchObject({ code: 'unsupported-format' });
    await expect(readState(backend)).rejects.toMatchObject({ code: 'unsupported-format' });
    alterEntry(path(2), later);
    writeFileSync(path(3), '');
    await expect(readEntry(backend, 2)).rejects.toMatchObject({ code: 'unsupported-format' });
  });

  test('is damage where its hash is not its own', async () => {
    writeFileSync(path(3), later(readFileSync(path(3), 'utf8')));
    await expect(readEntry(backend, 3)).rejects.toMatchObject({ code: 'corrupt-data', context: { entry: 3 } });
  });

  test('is damage where the entry after it names another', async () => {
    alterEntry(path(2), later);
    await expect(readEntry(backend, 2)).rejects.toMatchObject({ code: 'corrupt-data', context: { entry: 2 } });
  });
});

test('who cannot see the entry that is in the way publishes nothing', async () => {
  const blind: Backend = { ...backendAt(join(roots.root, 'store')), get: async () => undefined };
  await appendTo(backendAt(join(roots.root, 'store')), EMPTY_STATE);
  await expect(appendTo(blind, EMPTY_STATE)).rejects.toMatchObject({
    code: 'corrupt-data',
    message: expect.stringContaining('is there, and cannot be read'),
  });
});

describe('an answer of the storage that is unclear', () => {
  let backend: Backend;
  const append = (state = EMPTY_STATE) => appendEntry(backend, environment, state, draft);
  const isThere = (number: number) => existsSync(join(roots.root, 'store', journalName(number)));
  const toJournal = (path: string): boolean => path.includes('/journal/');
  /** Lets calls fail that are about the journal: the first one, or all. */
  const fail = (name: string, errno: string, count = 1) => {
    let left = count;
    return (call: string, path: string) =>
      call === name && path.includes('/journal') && left-- > 0 ? errno : undefined;
  };
  beforeEach(() => {
    backend = backendAt(join(roots.root, 'store'));
  });

  test('the entry is made and the answer lost: it is published, and durable', async () => {
    const calls: string[] = [];
    failing.hook = (call, path) => void (path.endsWith('/journal') && calls.push(call));
    failing.after = fail('link', 'ETIMEDOUT');
    expect(await append()).toMatchObject({ published: { entry: { number: 1 } }, state: { number: 1 } });
    expect(calls.slice(-3)).toEqual(['open', 'sync', 'close']);
  });

  test('it is made, and its folder could not be synced: no second sync is believed, and it is not known', async () => {
    const { state } = (await append()) as { state: StoreState };
    failing.hook = fail('sync', 'EIO');
    await expect(append(state)).rejects.toMatchObject({
      code: 'io',
      message: expect.stringMatching(/not known whether this was recorded, as journal entry 2: .*\(EIO\)/),
      hint: expect.stringContaining('snap op log'),
    });
    expect(isThere(2)).toBe(true);
  });

  test('nor can it be read back: it is not known whether it was recorded', async () => {
    failing.hook = (call, path) => (call === 'open' && toJournal(path) ? 'ETIMEDOUT' : undefined);
    failing.after = fail('link', 'ETIMEDOUT');
    await expect(append()).rejects.toMatchObject({ message: expect.stringContaining('it is not known whether') });
    expect(isThere(1)).toBe(true);
  });

  test('what is no error of the storage goes through as it is, from entry and checkpoint', async () => {
    const failingAt = (folder: string): Backend => ({
      ...backend,
      putIfAbsent: async (name, bytes) => {
        if (name.startsWith(folder)) throw new TypeError('a mistake of ours');
        return backend.putIfAbsent(name, bytes);
      },
    });
    await expect(appendEntry(failingAt('journal'), environment, EMPTY_STATE, draft)).rejects.toThrow(TypeError);
    expect(isThere(1)).toBe(false);
    const before = { ...EMPTY_STATE, number: 255 };
    await expect(appendEntry(failingAt('checkpoints'), environment, before, draft)).rejects.toThrow(TypeError);
    expect(isThere(256)).toBe(true);
  });

  test('nor has what else lies in its folder a number', async () => {
    await append();
    writeFileSync(join(roots.root, 'store/journal/notes.txt'), 'mine');
    expect((await readEntriesAfter(backend, EMPTY_STATE)).map(({ entry }) => entry.number)).toEqual([1]);
  });

  test('nothing is there: the error is that of the storage', async () => {
    failing.hook = fail('link', 'ENOSPC');
    await expect(append()).rejects.toMatchObject({ code: 'no-space' });
    expect(isThere(1)).toBe(false);
  });

  test('the entry of somebody else is there: they were faster', async () => {
    const others = join(roots.root, 'others');
    await appendTo(backendAt(others), EMPTY_STATE);
    failing.hook = (call, path) => {
      if (call !== 'link' || !toJournal(path)) return undefined;
      copyFileSync(join(others, journalName(1)), path);
      return 'EIO';
    };
    expect(await append()).toMatchObject({ conflict: [{ entry: { number: 1 } }] });
  });
});
