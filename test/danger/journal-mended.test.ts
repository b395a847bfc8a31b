/** Each entry harmed in each way, mended with what is left: the index, HEAD, or nothing; and others of the store after. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { commit } from '../../src/api/commit.ts';
import { gc } from '../../src/api/gc.ts';
import { repair } from '../../src/api/repair.ts';
import { initWorkspace } from '../../src/api/workspace.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { snapshotRef } from '../../src/object/ref-name.ts';
import { encodeState } from '../../src/object/store-state.ts';
import { mendJournal, planMend } from '../../src/repair/mend-journal.ts';
import { Overtaken } from '../../src/repair/publish.ts';
import { alterEntry, verifyAll } from '../kit/damage.ts';
import { makeSmallHistory } from '../kit/small-history.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { scratchFolder } from '../kit/small-workspace.ts';
import { snap } from '../kit/snap.ts';
import { storeHashes } from '../kit/store-damage.ts';
import { entriesOf, open, otherNote } from './lost-entries.ts';

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

const { entry, withoutIndex, flipNote, expectMended } = entriesOf(() => made);

const HARMS: readonly [string, (number: number) => void][] = [
  ['gone', (number) => rmSync(entry(number))],
  ['cut off', (number) => writeFileSync(entry(number), readFileSync(entry(number)).subarray(0, 200))],
  ['flipped', flipNote],
  ['another one', (number) => alterEntry(entry(number), otherNote)],
  [
    'a folder',
    (number) => {
      rmSync(entry(number));
      mkdirSync(entry(number));
    },
  ],
];

describe.each(HARMS)('repair of an entry that is %s', (what, harm) => {
  describe.each([1, 2, 3, 4, 5])('number %d', (number) => {
    test.each(['index', 'HEAD', 'nothing'] as const)('with %s', async (left) => {
      await made.workspace.close();
      if (left !== 'index') rmSync(join(made.root, '.snap/index'), { recursive: true });
      if (left === 'nothing') rmSync(join(made.root, '.snap/HEAD'));
      harm(number);
      // Nobody can know then that there was one, or that it was another one.
      const isUnknown = left === 'nothing' && number === 5 && (what === 'gone' || what === 'another one');
      await made.reopen();
      const before = storeHashes(made.store);
      const plan = await repair(made.workspace, { dryRun: true });
      expect(storeHashes(made.store)).toEqual(before);
      expect(plan.remains).toBe(!isUnknown);
      const done = await repair(made.workspace);
      expect(done.remains).toBe(false);
      if (isUnknown) return;
      expect(done.mend).toMatchObject({
        source: left === 'index' && what !== 'flipped' && what !== 'another one' ? 'index' : expect.any(String),
      });
      // Of a tag in a lost entry only the index knows.
      if (left === 'index') expect(made.workspace.repository.state().refs.has('tags/v2' as never)).toBe(true);
      if (left !== 'nothing') expect(made.workspace.repository.head().snapshot).toBe(ids[3]);
      await expectMended(ids);
    });
  });
});

test('the commands: told, planned, mended, and told that it was, each with its exit code', async () => {
  await withoutIndex();
  writeFileSync(entry(3), '');
  const run = (...args: string[]): ReturnType<typeof snap> => snap(['-C', made.root, ...args]);
  expect(run('log')).toMatchObject({ code: 20, stderr: expect.stringContaining('snap repair') });
  const plan = run('repair', '--dry-run');
  expect(plan).toMatchObject({
    code: 20,
    stdout: expect.stringContaining('a base would stand for the entries up to 5'),
  });
  expect(JSON.parse(run('repair', '-n', '--json').stdout)).toMatchObject({ mend: { base: 5, isExact: false } });
  const done = run('repair');
  expect(done).toMatchObject({ code: 0, stderr: '' });
  expect(done.stdout).toMatch(/snapshot [0-9a-f]{10} is in the log again\n.*tags of it may be missing/);
  expect(done.stdout).toContain('quarantine/000000000003.json');
  expect(run('verify', '--data')).toMatchObject({ code: 0, stdout: expect.stringContaining('replaced by a base') });
  expect(run('log').stdout.trim().split('\n')).toHaveLength(4);
  expect(run('op', 'log').code).toBe(0);
  expect(run('reindex').code).toBe(0);
  expect(run('undo', 'j6')).toMatchObject({ code: 1, stderr: expect.stringContaining('cannot be undone') });
  await made.reopen();
});

describe('others of a shared store', () => {
  let beside: string;
  const attach = async (): Promise<void> => {
    beside = `${made.root}-beside`;
    await initWorkspace(beside, { store: made.store });
    cpSync(join(made.root, 'notes'), join(beside, 'notes'));
    const other = await open(beside);
    await commit(other, { message: 'of B' });
    await other.close();
  };

  test.each([2, 3, 4, 5, 6])('who knew the state before goes on after a repair of entry %d', async (number) => {
    await attach();
    await made.reopen();
    rmSync(entry(number));
    await made.reopen();
    await repair(made.workspace);
    const other = await open(beside);
    // The end has other numbers now: it has to look for itself that nothing is missing.
    if (number === 6) expect(await repair(other)).toMatchObject({ remains: false, mend: { entry: undefined } });
    expect(other.repository.damage).toBeUndefined();
    const { snapshot } = other.repository.head();
    expect(snapshot).not.toBeNull();
    expect(encodeState(other.repository.state())).toEqual(encodeState(made.workspace.repository.state()));
    writeFileSync(join(beside, 'more'), 'more');
    await commit(other, { message: 'goes on' });
    await gc(other, { rules: { keepLast: 2 }, now: true });
    expect((await verifyAll(other)).faults).toEqual([]);
    await other.close();
    await made.reopen();
    expect(made.workspace.repository.head().snapshot).toBe(ids[3]);
    expect(made.workspace.repository.state().refs.has(snapshotRef(ids[3] as BlobId))).toBe(true);
  });

  test('what only another one knows comes back with its own repair', async () => {
    await attach();
    await withoutIndex();
    // The tag was in it.
    rmSync(entry(3));
    await made.reopen();
    const { mend } = await repair(made.workspace);
    expect(mend).toMatchObject({ isExact: false, base: 6, snapshots: [ids[1]], tags: [] });
    const other = await open(beside);
    expect(other.repository.damage?.message).toMatch(/entry 7 does not fit/);
    expect(await repair(other)).toMatchObject({ remains: false, mend: { tags: ['tags/v2'] } });
    await other.close();
    await expectMended(ids);
    expect(made.workspace.repository.state().refs.has('tags/v2' as never)).toBe(true);
  });

  test('somebody who takes the number first is not written over', async () => {
    await attach();
    await made.reopen();
    rmSync(entry(6));
    await made.reopen();
    const plan = await planMend(made.workspace.repository, undefined);
    if (plan === undefined) throw new Error('no plan');
    const fresh = `${made.root}-third`;
    await initWorkspace(fresh, { store: made.store });
    writeFileSync(join(fresh, 'third'), 'third');
    const third = await open(fresh);
    const { id } = await commit(third, { message: 'of C' });
    await third.close();
    await expect(mendJournal(made.workspace.repository, plan)).rejects.toBeInstanceOf(Overtaken);
    expect(await repair(made.workspace)).toMatchObject({ remains: false });
    expect(made.workspace.repository.state().refs.has(snapshotRef(id as BlobId))).toBe(true);
    await expectMended(ids);
  });
});
