/**
 * Hostile input for everything that reads what others wrote: stored bytes, settings, patterns, what people type. What
 * broke once is in corpus/, and is tried again in every run.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { amount } from '../kit/amount.ts';
import { temporaryFolder } from '../kit/folder.ts';
import type { Target } from '../kit/fuzz/engine.ts';
import { checkSeeds, fuzz, replayCorpus } from '../kit/fuzz/engine.ts';
import { PACK_TARGETS } from '../kit/fuzz/packs.ts';
import { globTarget, ignoreTarget } from '../kit/fuzz/patterns.ts';
import { RECORD_TARGETS } from '../kit/fuzz/records.ts';
import { removeFuzzFolder, SMALL_FILE_TARGETS } from '../kit/fuzz/small-files.ts';
import { revisionTarget, TYPED_TARGETS } from '../kit/fuzz/typed.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

const MILLISECONDS = amount({ sample: 150, ordinary: 3000, long: 20_000 });
const ids: string[] = [];
let made: TestWorkspace;
const scratch = temporaryFolder();

beforeAll(async () => {
  made = await makeWorkspace({ files: { 'src/a': '1', a: '2' } });
  for (const content of ['one', 'two', 'three']) {
    made.write('a', content);
    ids.push(await made.commit(content, content === 'two' ? { tag: 'v1' } : {}));
  }
});
afterAll(async () => {
  removeFuzzFolder();
  scratch.remove();
  await made.cleanup();
});

const TARGETS: readonly Target[] = [
  ...PACK_TARGETS,
  ...RECORD_TARGETS,
  ...SMALL_FILE_TARGETS,
  ...TYPED_TARGETS,
  ignoreTarget(scratch.path),
  globTarget(scratch.path),
  revisionTarget(
    () => made.workspace.repository,
    () => ids,
  ),
];

describe.each(TARGETS.map((target) => ({ name: target.name, target })))('$name', ({ target }) => {
  test('takes what is valid, and what broke it once', { timeout: 120_000 }, async () => {
    if (target.name !== 'glob') await checkSeeds(target);
    await replayCorpus(target);
  });

  test('refuses everything else cheaply', { timeout: MILLISECONDS + 60_000 }, async () => {
    const counts = await fuzz(target, MILLISECONDS);
    if (process.env.SNAP_FUZZ_COUNTS !== undefined) process.stderr.write(`${target.name} ${JSON.stringify(counts)}\n`);
    expect(counts.inputs).toBeGreaterThan(0);
  });
});
