/** What somebody writes into the folder while a checkout runs is not overwritten: it is in no snapshot. */
import { renameSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { openWorkspaceIn } from '../../src/api/workspace.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { processEnvironment } from '../../src/environment.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

const FILES = 3000;
let made: TestWorkspace;
let first: string;
beforeEach(async () => {
  made = await makeWorkspace();
  const write = (text: string): void => {
    for (let i = 0; i < FILES; i++) made.write(`f${i}`, `${text} ${i}`);
  };
  write('one');
  first = await made.commit('one');
  write('two, longer');
  for (let i = 0; i < FILES; i += 2) made.remove(`f${i}`);
  await made.commit('two');
});
afterEach(() => made.cleanup());

test('edits and new files of that time stay, and are named', async () => {
  const edited = new Map<string, string>();
  // The checkout calls this when the first batch is in place, while others wait in the queue.
  let place = FILES - 1;
  const onProgress = (): void => {
    for (let i = 0; i < 20 && place > 0; i++, place -= 7) {
      const name = `f${place}`;
      const before = made.exists(name) ? made.read(name) : '';
      if (before.startsWith('one')) continue;
      edited.set(name, `edited ${place}`);
      writeFileSync(`${made.root}/x`, `edited ${place}`);
      renameSync(`${made.root}/x`, `${made.root}/${name}`);
    }
  };
  // Without threads nothing is edited between the last look at a file and its rename, some microseconds later.
  await made.workspace.close();
  const inline = await openWorkspaceIn(processEnvironment('snap test'), inlineWorkers(realDisk), made.root);
  const { failures } = await checkout(inline, { revision: first, onProgress });
  await inline.close();
  expect(edited.size).toBeGreaterThan(10);
  for (const [name, text] of edited) expect(made.read(name), name).toBe(text);
  expect(failures.map(({ path }) => path).sort()).toEqual([...edited.keys()].sort());
});
