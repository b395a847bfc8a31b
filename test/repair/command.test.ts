/** What `snap repair` tells: the plan, what was mended, what remains, and which pack to look for elsewhere. */
import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { BlobId } from '../../src/object/blob-id.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { scratchFolder } from '../kit/small-workspace.ts';
import type { Ran } from '../kit/snap.ts';
import { snap } from '../kit/snap.ts';
import { makeTwoSnapshots, twoSnapshots } from './two-snapshots.ts';

const folder = scratchFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let base: SmallWorkspace;
let made: SmallWorkspace;
let first: BlobId;

beforeAll(async () => {
  ({ base, first } = await makeTwoSnapshots(join(folder, 'base')));
});
beforeEach(async () => {
  made = await base.copy();
});
afterEach(() => made.close());

const { spoil } = twoSnapshots(() => made);

test('the command: plan, mended, and what remains, each with its exit code', async () => {
  const run = (...args: string[]): Ran => snap(['-C', made.root, 'repair', ...args]);
  await spoil(first, 'data/a');
  await made.workspace.close();
  const plan = run('--dry-run');
  expect(plan).toMatchObject({ code: 20, stdout: expect.stringContaining('found') });
  expect(plan.stdout).toContain('nothing was changed');
  const mended = run();
  expect(mended).toMatchObject({ code: 0, stdout: expect.stringContaining('from data/a') });
  expect(run('--json')).toMatchObject({ code: 0 });
  expect(JSON.parse(run('--json').stdout)).toMatchObject({ type: 'repair', packs: [], remains: false, entry: null });
  await made.reopen();
  await spoil(first, 'data/a');
  await made.workspace.close();
  rmSync(join(made.root, 'data/a'));
  const lost = run();
  expect(lost.code).toBe(20);
  expect(lost.stdout).toMatch(/lost +1 blob: 1 path in 2 snapshots\n {3}data\/a {3}in /);
  expect(run('--drop-damaged')).toMatchObject({ code: 0, stdout: expect.stringContaining('without 1 path') });
  await made.reopen();
});

test('the pack to look for in another copy is named, also after it was taken out, and by verify', async () => {
  const run = (...args: string[]): string => snap(['-C', made.root, ...args]).stdout;
  const pack = basename(await spoil(first, 'data/a'), '.pack');
  await made.workspace.close();
  rmSync(join(made.root, 'data/a'));
  const advice = /(the packs? named above) into the folder quarantine/;
  const named = new RegExp(`which a repair took out:\\n {3}pack ${pack} {3}\\(j\\d+, today [\\d:]+\\)`);
  const taken = run('repair');
  expect(taken).toContain(`damaged  pack ${pack}`);
  expect(taken).not.toMatch(named);
  expect(advice.exec(taken)?.[1]).toBe('the pack named above');
  for (const again of [run('repair'), run('verify')]) {
    expect(again).toMatch(named);
    expect(advice.exec(again)?.[1]).toBe('the pack named above');
  }
  run('repair', '--drop-damaged');
  run('undo');
  expect(run('repair')).toMatch(named);
  expect(JSON.parse(run('verify', '--json'))).toMatchObject({ formerPacks: [{ pack }] });
  await made.reopen();
});
