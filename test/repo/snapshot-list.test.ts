/** Danger: snapshots that cannot be read are passed over as if they had never been, or hide those that can. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { gc } from '../../src/api/gc.ts';
import { find, log } from '../../src/api/history.ts';
import { journalName } from '../../src/repo/layout.ts';
import { listReadable } from '../../src/repo/snapshot-list.ts';
import { collect } from '../history/collect.ts';
import { packPaths } from '../kit/damage.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { makeSmallWorkspace, scratchFolder } from '../kit/small-workspace.ts';

const scratch = scratchFolder();
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let made: SmallWorkspace;
beforeEach(async () => {
  made = await makeSmallWorkspace(join(scratch, 'work'));
});
afterEach(() => made.close());

/** Commits so often, and returns for each commit the packs that it made. */
async function commits(count: number): Promise<string[][]> {
  const packs: string[][] = [];
  const all = (): string[] => (existsSync(join(made.store, 'packs')) ? packPaths(made.store) : []);
  for (let i = 0; i < count; i++) {
    const before = new Set(all());
    made.write('f', `content ${i}`);
    await made.commit(`c${i}`);
    packs.push(all().filter((path) => !before.has(path)));
  }
  return packs;
}
async function withoutIndex(): Promise<void> {
  await made.workspace.close();
  rmSync(join(made.root, '.snap/index'), { recursive: true });
  await made.reopen();
}
const titles = async (): Promise<string[]> => {
  const { listed } = await listReadable(made.workspace.repository, false);
  return listed.map(({ snapshot }) => snapshot.message);
};

test('of many that cannot be read the first twenty are named, and the others counted', async () => {
  const packs = await commits(23);
  for (const path of packs.slice(0, 22).flat()) rmSync(path);
  await withoutIndex();
  expect(await titles()).toEqual(['c22']);
  await expect(find(made.workspace, 'f')).rejects.toMatchObject({
    code: 'corrupt-data',
    message: expect.stringMatching(/^22 snapshots cannot be read\n(?:[0-9a-f]{10}: .*\n){20}and 2 more$/),
  });
});

test('where the journal lost what was pruned, what no pack has is left out, and what one has is not', async () => {
  const packs = await commits(4);
  const { state } = made.workspace.repository;
  const pruned = state().number + 1;
  await gc(made.workspace, { rules: { keepLast: 2 }, now: true });
  await made.workspace.close();
  rmSync(join(made.store, journalName(pruned)));
  await withoutIndex();
  expect(made.workspace.repository.damage).toBeDefined();
  expect(await titles()).toEqual(['c3', 'c2']);
  // Whole but for the snapshot itself, whose pack the journal still names.
  for (const path of packs[2] ?? []) writeFileSync(path, readFileSync(path).fill(0x55, 60, 300));
  await withoutIndex();
  const { listed, unreadable } = await listReadable(made.workspace.repository, false);
  expect(listed.map(({ snapshot }) => snapshot.message)).toEqual(['c3']);
  expect(unreadable).toHaveLength(1);
  await expect(collect(log(made.workspace))).rejects.toMatchObject({ code: 'corrupt-data' });
});
