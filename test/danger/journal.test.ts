/** Danger: entries lost, cut off or flipped, which those who have read past them, or have no index, do not notice. */
import { chmodSync, cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { commit } from '../../src/api/commit.ts';
import { gc } from '../../src/api/gc.ts';
import { reindex } from '../../src/api/reindex.ts';
import { repair } from '../../src/api/repair.ts';
import { initWorkspace } from '../../src/api/workspace.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { snapshotRef } from '../../src/object/ref-name.ts';
import { encodeState } from '../../src/object/store-state.ts';
import { checkStore } from '../kit/checker/check-store.ts';
import { alterEntry, verifyAll } from '../kit/damage.ts';
import { makeSmallHistory } from '../kit/small-history.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { scratchFolder } from '../kit/small-workspace.ts';
import { snap } from '../kit/snap.ts';
import { entriesOf, expectDamage, open, otherNote } from './lost-entries.ts';

const folder = scratchFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let base: SmallWorkspace;
let made: SmallWorkspace;
let ids: BlobId[];

beforeAll(async () => {
  ({ base, ids } = await makeSmallHistory(join(folder, 'base')));
});
beforeEach(async () => {
  made = await base.copy();
});
afterEach(() => made.close());

const { entry, withoutIndex, flipNote } = entriesOf(() => made);
const entryCount = (): number => readdirSync(join(made.store, 'journal')).length;

describe('a hole', () => {
  test.each([2, 3, 4])('entry %d is gone: seen without the index, and nobody takes its number', async (number) => {
    await withoutIndex();
    rmSync(entry(number));
    rmSync(join(made.root, '.snap/HEAD'));
    await made.reopen();
    await expectDamage(made.workspace, new RegExp(`entry ${number} is missing`));
    expect(entryCount()).toBe(4);
  });

  test('that this workspace has read past: verify, gc and repair tell of it, and gc says what to do', async () => {
    rmSync(entry(3));
    await made.reopen();
    expect(made.workspace.repository.damage).toBeUndefined();
    await expect(gc(made.workspace, { now: true })).rejects.toMatchObject({
      code: 'corrupt-data',
      message: 'journal entry 3 is missing, and a later one is there',
      hint: expect.stringContaining('snap repair'),
    });
    expect((await verifyAll(made.workspace)).faults[0]).toMatchObject({ what: 'journal', entry: 3 });
    expect(await repair(made.workspace)).toMatchObject({ remains: false, mend: { isExact: true } });
    await gc(made.workspace, { now: true });
  });

  test('several entries in a row are gone: nobody who has not seen them takes their numbers', async () => {
    await withoutIndex();
    for (const number of [2, 3, 4]) rmSync(entry(number));
    rmSync(join(made.root, '.snap/HEAD'));
    await made.reopen();
    await expectDamage(made.workspace, /entry 2 is missing/);
  });

  test('several entries in a row are lost: everyone goes on from the base, also who comes new', async () => {
    const bystander = `${made.root}-bystander`;
    await initWorkspace(bystander, { store: made.store });
    await made.reopen();
    // All that the bystander has not seen, and the end.
    for (const number of [2, 3, 4, 5, 6]) rmSync(entry(number), { force: true });
    await made.reopen();
    expect(await repair(made.workspace)).toMatchObject({ remains: false });
    const { state } = made.workspace.repository;
    await withoutIndex();
    await made.reopen();
    expect(made.workspace.repository.damage).toBeUndefined();
    expect(encodeState(made.workspace.repository.state())).toEqual(encodeState(state()));
    const comer = `${made.root}-comer`;
    await initWorkspace(comer, { store: made.store });
    for (const root of [bystander, comer]) {
      const workspace = await open(root);
      expect(workspace.repository.damage, root).toBeUndefined();
      for (const id of ids) expect(workspace.repository.state().refs.has(snapshotRef(id))).toBe(true);
      writeFileSync(join(root, 'own'), root);
      await commit(workspace, { message: 'own' });
      await workspace.close();
    }
    await made.reopen();
    expect((await verifyAll(made.workspace)).faults).toEqual([]);
    expect(checkStore(made.store)).toEqual([]);
  });

  test('that comes about while a command is at work: its number is not taken', async () => {
    const { repository } = made.workspace;
    cpSync(entry(5), entry(7));
    const draft = { operation: 'tag', note: '' } as const;
    await expect(repository.publish(draft, {}, () => draft)).rejects.toMatchObject({ code: 'corrupt-data' });
    expect(entryCount()).toBe(6);
  });

  test.each([
    ['a folder', (path: string) => mkdirSync(path)],
    ['cut off', (path: string) => writeFileSync(path, '{')],
  ])('an entry that is %s ends with exit code 20', async (_what, put) => {
    await made.workspace.close();
    rmSync(entry(3));
    put(entry(3));
    rmSync(join(made.root, '.snap/index'), { recursive: true });
    for (const args of [['log'], ['verify'], ['commit', '-m', 'on top'], ['gc'], ['reindex']])
      expect(snap(['-C', made.root, ...args]), args.join(' ')).toMatchObject({ code: 20 });
    rmSync(entry(3), { recursive: true });
    await made.reopen();
  });

  test.skipIf(process.getuid?.() === 0)('so does one that nobody may read', async () => {
    await made.workspace.close();
    chmodSync(entry(5), 0);
    expect(snap(['-C', made.root, 'log'])).toMatchObject({ code: 20 });
    expect(snap(['-C', made.root, 'commit', '-m', 'on top'])).toMatchObject({ code: 20 });
    chmodSync(entry(5), 0o600);
    await made.reopen();
  });
});

describe('reindex', () => {
  test('keeps an index that knows more than the journal', async () => {
    rmSync(entry(3));
    await made.workspace.close();
    await expect(reindex(made.root)).rejects.toMatchObject({ code: 'corrupt-data' });
    await expect(reindex(made.root, { acceptStore: true })).rejects.toMatchObject({ code: 'corrupt-data' });
    await made.reopen();
    for (const id of ids) expect(made.workspace.repository.state().refs.has(snapshotRef(id))).toBe(true);
  });

  test('an older store that was put back on purpose is accepted when that is said', async () => {
    rmSync(entry(5));
    await made.workspace.close();
    const plain = snap(['-C', made.root, 'reindex']);
    expect(plain).toMatchObject({ code: 20, stderr: expect.stringMatching(/snap repair.*reindex --accept-store/s) });
    expect(snap(['-C', made.root, 'reindex', '--accept-store'])).toMatchObject({ code: 0 });
    await made.reopen();
    const { repository } = made.workspace;
    expect(repository.damage).toBeUndefined();
    expect(repository.head().snapshot).toBe(ids[2]);
    made.write('on top', 'of the older one');
    await made.commit('on top');
    expect((await verifyAll(made.workspace)).faults).toEqual([]);
  });
});

test.each<[string, () => void, RegExp]>([
  ['a flipped bit is found by its own hash', () => flipNote(3), /entry 3: its bytes are not those that were written/],
  ['a flipped bit in the newest one is, too', () => flipNote(5), /entry 5: its bytes are not those that were written/],
  ['another one that is whole is found by the next', () => alterEntry(entry(3), otherNote), /entry 4 does not fit/],
])('in the place of an entry: %s', async (_, harm, what) => {
  harm();
  await withoutIndex();
  await made.reopen();
  await expectDamage(made.workspace, what);
});
