/**
 * A copy of a store made file by file while commands change it, as test/RELIABILITY.md says how: config.json,
 * checkpoints, journal, bases, packs. What an entry names was there before it, so a copy in this order lacks nothing.
 */
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { initWorkspace, openWorkspace } from '../../src/api/workspace.ts';
import { amount } from '../kit/amount.ts';
import { checkStore } from '../kit/checker/check-store.ts';
import { verifyAll } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

const PARTS = ['config.json', 'checkpoints', 'journal', 'bases', 'packs'];
const BIN = fileURLToPath(new URL('../../bin/snap.js', import.meta.url));

let made: TestWorkspace;
let copy: string;
beforeEach(async () => {
  made = await makeWorkspace({ files: { a: 'one' } });
  copy = join(dirname(made.root), 'copy');
  mkdirSync(copy);
  await made.commit('first');
});
afterEach(() => made.cleanup());

let serial = 0;
async function commitOne(): Promise<void> {
  made.write(`f${++serial}`, noise(200_000, serial));
  await made.commit(`commit ${serial}`);
}

async function copyParts(parts: readonly string[], between: () => Promise<void>): Promise<void> {
  for (const part of parts) {
    const from = join(made.root, '.snap/store', part);
    if (existsSync(from)) cpSync(from, join(copy, part), { recursive: true });
    await between();
  }
}

test('with a commit between any two parts nothing is missing, and it opens; in another order something is', async () => {
  await copyParts(PARTS, commitOne);
  expect(checkStore(copy)).toEqual([]);
  rmSync(copy, { recursive: true });
  mkdirSync(copy);
  await copyParts([...PARTS].reverse(), commitOne);
  expect(checkStore(copy)).not.toEqual([]);
});

test('made by cp while another process commits, again and again into the same copy: each opens, verifies and checks out', {
  timeout: 120_000,
}, async () => {
  await made.workspace.close();
  const script = `for i in $(seq 200); do head -c 300000 /dev/urandom > r$i; "$0" "$1" commit -q -m r$i || exit 1; done`;
  const child = spawn('bash', ['-c', script, process.execPath, BIN], { cwd: made.root, stdio: 'ignore' });
  try {
    for (let round = 0; round < amount({ sample: 3, ordinary: 20, long: 100 }); round++) {
      await new Promise((resolve) => setTimeout(resolve, 600));
      for (const part of PARTS) {
        const from = join(made.root, '.snap/store', part);
        // Whatever is there already is the same: nothing that was published changes.
        if (existsSync(from)) execFileSync('cp', ['-a', '--no-clobber', from, copy]);
      }
      expect(checkStore(copy)).toEqual([]);
    }
  } finally {
    child.kill();
    await new Promise((resolve) => (child.exitCode === null ? child.on('exit', resolve) : resolve(undefined)));
  }
  const root = join(dirname(made.root), 'restored');
  await initWorkspace(root, { store: copy });
  const restored = await openWorkspace(root);
  try {
    expect((await verifyAll(restored, { data: true })).faults).toEqual([]);
    const newest = [...restored.repository.state().refs.values()].at(-1) ?? '';
    await checkout(restored, { revision: newest });
    expect(existsSync(join(root, 'a'))).toBe(true);
  } finally {
    await restored.close();
  }
  await made.reopen();
});
