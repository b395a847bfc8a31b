/** When the files of what is dead go: not while somebody reads, not before their time, and at last. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { gc, previewGc } from '../../src/api/gc.ts';
import { undo } from '../../src/api/undo.ts';
import { processEnvironment } from '../../src/environment.ts';
import { beginSession } from '../../src/repo/session.ts';
import { packBytes, packPaths } from '../kit/damage.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';
import { largeSeries, MB, noise } from './large-series.ts';

let made: TestWorkspace;
beforeEach(async () => {
  made = await makeWorkspace({ files: { 'd/kept': 'kept by all', 'd/e/f': 'too' } });
});
afterEach(() => made.cleanup());

const { store, series, isClean } = largeSeries(() => made);
const session = (): { end(): void } => beginSession(processEnvironment('a reader'), made.workspace.repository.backend);

describe('waiting', () => {
  test('a reader at work postpones the sweep; the next run, or --now, frees', async () => {
    await series(3);
    const reader = session();
    const first = await gc(made.workspace, { rules: { keepLast: 1 } });
    expect(first.waiting).toMatchObject({ reason: 'sessions' });
    expect(first.waiting?.sessions[0]).toContain('a reader');
    expect(first.sweptPacks).toBe(0);
    expect(packBytes(store())).toBeGreaterThan(2.9 * MB);
    reader.end();
    const second = await gc(made.workspace);
    expect(second.freedBytes).toBeGreaterThan(1.9 * MB);
    await isClean();
  });

  test('gc.grace keeps what was pruned for undo, until --now', async () => {
    await series(3);
    const config = join(made.root, '.snap/config.toml');
    writeFileSync(config, readFileSync(config, 'utf8').replace('[gc]', '[gc]\ngrace = "7d"'));
    await made.reopen();
    const first = await gc(made.workspace, { rules: { keepLast: 1 } });
    expect(first.waiting).toMatchObject({ reason: 'grace' });
    expect((await previewGc(made.workspace, {})).grace).toEqual({ months: 0, milliseconds: 7 * 86_400_000 });
    expect((await previewGc(made.workspace, { now: true })).grace).toBeUndefined();
    await undo(made.workspace);
    expect(made.workspace.repository.state().refs.size).toBe(3);
    await isClean();
    // What came back lies in condemned packs: it moves to new ones, and nothing is lost.
    const again = await gc(made.workspace, { now: true });
    expect(again.sweptPacks).toBeGreaterThan(0);
    expect(made.workspace.repository.state().condemned.size).toBe(0);
    await isClean();
    await gc(made.workspace, { rules: { keepLast: 1 }, now: true });
    expect(packBytes(store())).toBeLessThan(1.1 * MB);
    await isClean();
  });
});

describe('leftovers', () => {
  const leave = (): string => {
    const id = 'ab'.repeat(16);
    const path = join(store(), 'packs/ab', `${id}.pack`);
    made.write('.snap/store/packs/ab/keep', '');
    writeFileSync(path, noise(1000, 5));
    return path;
  };

  test('packs in no journal entry and staged files of the dead go', async () => {
    await series(1);
    const path = leave();
    const staged = join(store(), 'tmp', `${'cd'.repeat(16)}.pack`);
    made.write('.snap/store/tmp/keep', '');
    writeFileSync(staged, 'half a pack');
    const { leftovers } = await gc(made.workspace);
    expect(leftovers).toEqual({ files: 2, bytes: 1011 });
    expect(existsSync(path)).toBe(false);
    expect(existsSync(staged)).toBe(false);
    await isClean();
  });

  test('they stay while a session is alive, even with --now', async () => {
    await series(1);
    const path = leave();
    const writer = session();
    await gc(made.workspace, { now: true });
    expect(existsSync(path)).toBe(true);
    writer.end();
    await gc(made.workspace);
    expect(existsSync(path)).toBe(false);
  });

  test('a sweep that died before it removed files is finished', async () => {
    await series(3);
    const copies = packPaths(store()).map((path) => ({ path, bytes: readFileSync(path) }));
    await gc(made.workspace, { rules: { keepLast: 1 } });
    const after = packPaths(store());
    for (const { path, bytes } of copies) if (!existsSync(path)) writeFileSync(path, bytes);
    expect(packPaths(store()).length).toBeGreaterThan(after.length);
    await gc(made.workspace);
    expect(packPaths(store()).sort()).toEqual(after.sort());
  });
});
