/** Progress moves while a single large file is read, compared and written, and says how much there is. */
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout, planCheckout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { status } from '../../src/api/history.ts';
import { checkoutText, scanText } from '../../src/cli/progress-text.ts';
import { noise } from '../kit/folder.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

const LARGE = 40_000_000;
let made: TestWorkspace;
beforeEach(async () => {
  made = await makeWorkspace({ files: {} });
  made.write('large', noise(LARGE, 1));
});
afterEach(() => made.cleanup());

/** Tells `values` of which some lie between nothing and all. */
const moves = (values: readonly number[]): boolean =>
  new Set(values.filter((value) => value > 0 && value < LARGE * 0.95)).size >= 3;

test('of a status and a commit: bytes read, of how many once all folders were seen', async () => {
  for (const run of [status, commit]) {
    const read: number[] = [];
    let total: number | undefined;
    await run(made.workspace, {
      onProgress: ({ bytesRead, bytesToRead }) => {
        read.push(bytesRead);
        total = bytesToRead;
      },
    });
    expect([run.name, moves(read)]).toEqual([run.name, true]);
    expect(total).toBeGreaterThanOrEqual(LARGE);
    expect(total).toBeLessThan(LARGE * 1.01);
  }
});

test('of a checkout: of what it saves, compares and writes', async () => {
  const first = await made.commit('first');
  made.write('.snapignore', 'large\n');
  await made.commit('second');
  const compared: number[] = [];
  await planCheckout(made.workspace, {
    revision: first,
    onProgress: ({ bytesCompared }) => compared.push(bytesCompared),
  });
  expect(moves(compared)).toBe(true);
  made.write('.snapignore', '');
  made.write('large', noise(LARGE, 2));
  const saved: number[] = [];
  const here: number[] = [];
  await checkout(made.workspace, {
    revision: first,
    onSaving: ({ bytesRead }) => saved.push(bytesRead),
    onProgress: ({ bytes }) => here.push(bytes),
  });
  const there: number[] = [];
  const totals = new Set<number | undefined>();
  await checkout(made.workspace, {
    revision: first,
    to: join(made.root, '../to'),
    onProgress: ({ bytes, bytesTotal }) => {
      there.push(bytes);
      totals.add(bytesTotal);
    },
  });
  expect([moves(saved), moves(here), moves(there)]).toEqual([true, true, true]);
  expect([...totals]).toEqual([there.at(-1)]);
});

test('in words', () => {
  expect(scanText({ entries: 1, bytesRead: 0, bytesToRead: undefined })).toBe('1 entry, read 0 B');
  expect(scanText({ entries: 2, bytesRead: 5, bytesToRead: 70 })).toBe('2 entries, read 5 B of 70 B');
  const text = (files: number, bytes: number, bytesCompared: number, bytesTotal?: number): string =>
    checkoutText({ files, bytes, bytesTotal, bytesCompared });
  expect(text(0, 0, 12)).toBe('compared 12 B');
  expect(text(1, 1_200_000_000, 0, 3_400_000_000)).toBe('1 file, 1.20 GB of 3.40 GB');
  expect(text(2, 7, 12)).toBe('2 files, 7 B, compared 12 B');
});
