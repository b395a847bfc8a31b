/** Which snapshots go by which rules, what that frees, and what the preview says of it before. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { gc, previewGc } from '../../src/api/gc.ts';
import { tag } from '../../src/api/tag.ts';
import { undo } from '../../src/api/undo.ts';
import { snapshotRef } from '../../src/object/ref-name.ts';
import { resolveRevision } from '../../src/repo/revision.ts';
import { packBytes, packPaths, verifyAll } from '../kit/damage.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';
import { largeSeries, MB, noise } from './large-series.ts';

let made: TestWorkspace;
beforeEach(async () => {
  made = await makeWorkspace({ files: { 'd/kept': 'kept by all', 'd/e/f': 'too' } });
});
afterEach(() => made.cleanup());

const { store, operations, series, isClean } = largeSeries(() => made);

describe('pruning', () => {
  test('without rules prunes nothing and frees nothing', async () => {
    await series(3);
    const before = packBytes(store());
    const result = await gc(made.workspace);
    expect(result).toMatchObject({ pruned: [], freedBytes: 0 });
    expect(packBytes(store())).toBe(before);
    expect(made.workspace.repository.state().refs.size).toBe(3);
  });

  test('frees what only the pruned snapshots hold, and the rest comes back byte for byte', async () => {
    await series(5);
    const before = packBytes(store());
    const result = await gc(made.workspace, { rules: { keepLast: 2 } });
    expect(result.pruned.map(({ snapshot }) => snapshot.message)).toEqual(['number 3', 'number 2', 'number 1']);
    expect(result.freedBytes).toBe(before - packBytes(store()));
    expect(result.freedBytes).toBeGreaterThan(2.9 * MB);
    expect(result.freedBytes).toBeLessThan(3.1 * MB);
    await isClean();
    await checkout(made.workspace, { revision: 'HEAD~1' });
    expect(readFileSync(join(made.root, 'big')).equals(noise(MB, 4))).toBe(true);
    expect(made.read('d/kept')).toBe('kept by all');
    expect((await operations()).filter((operation) => operation !== 'commit')).toEqual([
      'init',
      'prune',
      'condemn',
      'sweep',
      'checkout',
    ]);
  });

  test('a second run has nothing to do and publishes nothing', async () => {
    await series(3);
    await gc(made.workspace, { rules: { keepLast: 1 } });
    const before = await operations();
    const result = await gc(made.workspace, { rules: { keepLast: 1 } });
    expect(result).toMatchObject({ pruned: [], freedBytes: 0, condemnedPacks: 0, sweptPacks: 0 });
    expect(await operations()).toEqual(before);
  });

  test('keeps tagged snapshots and HEAD, and ancestry steps over what went', async () => {
    await series(4);
    await tag(made.workspace, 'v1', { revision: 'HEAD~3' });
    const oldest = await resolveRevision(made.workspace.repository, 'v1');
    await gc(made.workspace, { rules: { keepLast: 1 } });
    expect(await resolveRevision(made.workspace.repository, 'HEAD~1')).toBe(oldest);
    await isClean();
  });

  test('a checkout moves what HEAD protects', async () => {
    await series(3);
    const target = await resolveRevision(made.workspace.repository, 'HEAD~2');
    await checkout(made.workspace, { revision: target });
    const { pruned } = await gc(made.workspace, { rules: { keepLast: 1 } });
    expect(pruned.map(({ snapshot }) => snapshot.message)).toEqual(['number 2']);
  });

  test('refuses rules that keep nothing, and changes nothing', async () => {
    await series(2);
    const before = await operations();
    await expect(gc(made.workspace, { rules: { keepTag: ['typo'] } })).rejects.toMatchObject({ code: 'refused' });
    expect(await operations()).toEqual(before);
  });

  test('keep-under prunes oldest first until the store fits', async () => {
    await series(6);
    const limit = 3.5 * MB;
    const preview = await previewGc(made.workspace, { rules: { keepUnder: limit } });
    const result = await gc(made.workspace, { rules: { keepUnder: limit } });
    expect(result.pruned.map(({ snapshot }) => snapshot.message)).toEqual(['number 3', 'number 2', 'number 1']);
    expect(preview.verdicts.filter(({ keep }) => !keep).map(({ id }) => id)).toEqual(result.pruned.map(({ id }) => id));
    expect(packBytes(store())).toBeLessThan(limit);
    expect(result.overBytes).toBe(0);
    await isClean();
  });

  test('keep-under rewrites packs of which little is dead if it must', async () => {
    made.write('large', noise(4 * MB, 99));
    made.write('big', noise(0.6 * MB, 1));
    await made.commit('one');
    made.write('big', noise(0.6 * MB, 2));
    await made.commit('two');
    await gc(made.workspace, { rules: { keepUnder: 5 * MB } });
    expect(packBytes(store())).toBeLessThan(5 * MB);
    await isClean();
  });

  test('a keep-under that what must stay is over already prunes nothing in vain, and says by how much', async () => {
    await series(2);
    const result = await gc(made.workspace, { rules: { keepUnder: 1000 } });
    expect(result.pruned).toHaveLength(0);
    expect(result.overBytes).toBeGreaterThan(0.9 * MB);
  });

  test('what an undo took the ref of can come back for a week, unless nothing is to be spared', async () => {
    await made.commit('stays', { tag: 'stays' }).catch(() => undefined);
    made.write('more', noise(MB, 77));
    const undone = await made.commit('undone');
    const isThere = (): boolean => made.workspace.repository.state().refs.has(snapshotRef(undone));
    const first = await undo(made.workspace);
    await gc(made.workspace);
    await undo(made.workspace, { operation: first.id });
    expect(isThere()).toBe(true);
    await isClean();

    await undo(made.workspace);
    expect(isThere()).toBe(false);
    expect((await gc(made.workspace, { now: true })).freedBytes).toBeGreaterThan(0.9 * MB);
    // What is gone does not hinder the next gc, which would spare it.
    await gc(made.workspace);
    await isClean();
  });

  test('leaves the snapshots of other workspaces of the store alone, unless told', async () => {
    await series(3);
    const other = await makeWorkspace({ store: store(), files: { other: '1' } });
    try {
      await other.commit('other one');
      other.write('other', '2');
      await other.commit('other two');
      await made.workspace.repository.refresh();
      await gc(made.workspace, { rules: { keepLast: 1 } });
      expect(made.workspace.repository.state().refs.size).toBe(3);
      await gc(made.workspace, { rules: { keepLast: 1 }, all: true });
      expect(made.workspace.repository.state().refs.size).toBe(2);
      expect((await verifyAll(other.workspace)).faults).toEqual([]);
    } finally {
      await other.cleanup();
    }
  });
});

describe('the preview', () => {
  test('tells what a run then frees, and changes nothing', async () => {
    await series(4);
    const before = await operations();
    const packs = packPaths(store());
    const preview = await previewGc(made.workspace, { rules: { keepLast: 2 } });
    expect(await operations()).toEqual(before);
    expect(packPaths(store())).toEqual(packs);
    const result = await gc(made.workspace, { rules: { keepLast: 2 } });
    expect(Math.abs(preview.freeBytes - result.freedBytes)).toBeLessThan(2000);
    expect(Math.abs(preview.heldBytes - result.freedBytes)).toBeLessThan(5000);
  });

  test('gives a reason for every snapshot', async () => {
    await series(2);
    const { verdicts } = await previewGc(made.workspace, { rules: { keepLast: 1 } });
    expect(verdicts.map(({ keep, reasons }) => [keep, reasons])).toEqual([
      [true, ['HEAD', 'last 1']],
      [false, ['no rule']],
    ]);
  });
});
