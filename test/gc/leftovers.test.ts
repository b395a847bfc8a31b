/** What dead processes left in a store and its workspace: gc removes that, all of it, and nothing else. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { gc, previewGc } from '../../src/api/gc.ts';
import { openWorkspace } from '../../src/api/workspace.ts';
import { processEnvironment } from '../../src/environment.ts';
import type { EntryDraft } from '../../src/repo/journal.ts';
import { packName } from '../../src/repo/layout.ts';
import { beginSession } from '../../src/repo/session.ts';
import { failingDisk } from '../checkout/disks.ts';
import { packPaths } from '../kit/damage.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { makeSmallWorkspace, scratchFolder } from '../kit/small-workspace.ts';
import { smallSeries } from './small-series.ts';

const scratch = scratchFolder();
let made: SmallWorkspace;
let serial = 0;
beforeEach(async () => {
  made = await makeSmallWorkspace(join(scratch, `work-${++serial}`));
});
afterEach(() => made.close());
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const { operations, series, isClean, run, over } = smallSeries(() => made);

/** A pack that no journal entry names, as of a commit that died. */
const strayPack = (id = 'f'.repeat(32), content: string | Buffer = 'not even a pack'): string => {
  const path = join(made.store, packName(id as never));
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, content);
  return path;
};

describe('what dead processes left', () => {
  test('is counted by the preview just as it is removed, packs that are none among it', async () => {
    await series(1);
    const [whole = ''] = packPaths(made.store);
    const stray = [strayPack(), strayPack('e'.repeat(32), readFileSync(whole))];
    const staged = join(made.workspace.repository.backend.stagingFolder(), `${'a'.repeat(32)}.pack`);
    writeFileSync(staged, 'half a pack');
    const { freeBytes } = await previewGc(made.workspace);
    const { leftovers } = await gc(made.workspace);
    expect(leftovers).toMatchObject({ files: 3, bytes: freeBytes });
    for (const path of [...stray, staged]) expect(existsSync(path)).toBe(false);
    await isClean();
  });

  test('stays while another process works, except what gc itself swept', async () => {
    await series(2);
    const stray = strayPack();
    const other = beginSession(processEnvironment('another'), made.workspace.repository.backend);
    expect(await previewGc(made.workspace)).toMatchObject({ freeBytes: 0 });
    expect((await gc(made.workspace)).leftovers.files).toBe(0);
    expect(statSync(stray).size).toBeGreaterThan(0);
    // What was swept, and came back because the process died before it removed the file, goes all the same.
    const [old = ''] = packPaths(made.store);
    const bytes = readFileSync(old);
    await gc(made.workspace, { rules: { keepLast: 1 }, now: true });
    expect(existsSync(old)).toBe(false);
    writeFileSync(old, bytes);
    expect((await previewGc(made.workspace)).freeBytes).toBe(bytes.length);
    expect((await gc(made.workspace)).leftovers).toEqual({ files: 1, bytes: bytes.length });
    other.end();
    await isClean();
  });

  test('that somebody else removed meanwhile is no error', async () => {
    await series(1);
    const stray = strayPack();
    const { backend } = made.workspace.repository;
    const gone = over({
      get: async (name, range) => {
        if (name.includes('ffff')) rmSync(stray);
        return backend.get(name, range);
      },
    });
    expect((await run(gone, { rules: {} })).leftovers.files).toBe(0);
    expect(await operations()).not.toContain('sweep');
  });

  test('beside places goes, and what a checkout makes there that began meanwhile stays', async () => {
    await series(1);
    strayPack();
    mkdirSync(join(made.root, 'sub'));
    const beside = (token: string): string[] => {
      const names = [`.snap/tmp/${token}-beside-m0`, `sub/.snap-checkout-${token}-m1`];
      const paths = names.map((name) => join(made.root, name));
      for (const path of paths) writeFileSync(path, 'sub');
      return paths;
    };
    const left = beside('a'.repeat(32));
    let begun: string[] = [];
    const { backend } = made.workspace.repository;
    const busy = over({
      get: async (name, range) => {
        if (name.includes('ffff')) begun = beside('b'.repeat(32));
        return backend.get(name, range);
      },
    });
    await run(busy, { rules: {} });
    expect([...left, ...begun].map((path) => existsSync(path))).toEqual([false, false, true, true]);
  });

  test.each([
    ['is all that there was', false],
    ['is one of two', true],
  ])('is no leftover if its process was only slow and publishes it first: it %s', async (_what, second) => {
    await series(1);
    const [whole = ''] = packPaths(made.store);
    const bytes = readFileSync(whole);
    const mine = 'd'.repeat(32) as never;
    strayPack(mine, bytes);
    if (second) strayPack();
    const { repository } = made.workspace;
    let done = false;
    const publishMine = async (): Promise<void> => {
      if (done) return;
      done = true;
      const packs = [{ id: mine, size: bytes.length, sha256: '0'.repeat(64), blobs: 1 }];
      const draft: EntryDraft = { operation: 'commit', note: 'slow', workspace: null, packs };
      // By another process: this one learns of it by the number that is taken.
      const other = await openWorkspace(made.root);
      await other.repository.publish(draft, {}, () => draft);
      await other.close();
    };
    const result = await run(
      {
        ...repository,
        publish: async (draft, changes, check) => {
          if (draft.operation === 'sweep') await publishMine();
          return repository.publish(draft, changes, check);
        },
      },
      { rules: {} },
    );
    expect(result.leftovers.files).toBe(second ? 1 : 0);
    expect(repository.state().packs.has(mine)).toBe(true);
    expect(readFileSync(join(made.store, packName(mine))).equals(bytes)).toBe(true);
  });

  test('cannot be swept without an entry: the pack stays', async () => {
    await series(1);
    const stray = strayPack();
    await made.reopen({ disk: failingDisk('link', /store\/tmp/, 'ENOSPC') });
    await expect(gc(made.workspace)).rejects.toMatchObject({ code: 'no-space' });
    expect(statSync(stray).size).toBeGreaterThan(0);
    await made.reopen();
    expect((await gc(made.workspace)).leftovers.files).toBe(1);
  });

  test('is files: folders in their places stay, and a place may be missing', async () => {
    await series(1);
    const temporary = join(made.root, '.snap/tmp');
    mkdirSync(join(temporary, `${'b'.repeat(32)}-mine`), { recursive: true });
    // But an index that was moved out of the way.
    const index = join(temporary, `index-${'c'.repeat(32)}`);
    mkdirSync(index);
    writeFileSync(join(index, 'CURRENT'), 'left');
    utimesSync(index, 1, 1);
    const { size } = statSync(index);
    writeFileSync(join(temporary, 'young'), 'young');
    writeFileSync(join(temporary, 'old'), 'old');
    utimesSync(join(temporary, 'old'), 1, 1);
    expect((await gc(made.workspace)).leftovers).toEqual({ files: 2, bytes: 3 + size });
    expect(readdirSync(temporary).sort()).toEqual([`${'b'.repeat(32)}-mine`, 'young']);
    rmSync(temporary, { recursive: true });
    expect((await gc(made.workspace)).leftovers.files).toBe(0);
  });

  test('in a place of locks is only what a lock began with, however old the rest is', async () => {
    await series(1);
    const places = [join(made.root, '.snap'), join(made.store, 'locks')];
    for (const [i, name] of ['lock.left', 'gc.left'].entries()) writeFileSync(join(places[i] ?? '', name), 'left');
    const before = places.map((place) => readdirSync(place, { withFileTypes: true }));
    for (const entry of before.flat())
      if (entry.isFile()) utimesSync(join(entry.parentPath, entry.name), 1_000_000_000, 1_000_000_000);
    expect((await gc(made.workspace)).leftovers).toEqual({ files: 2, bytes: 8 });
    for (const entry of before.flat())
      expect([entry.name, existsSync(join(entry.parentPath, entry.name))]).toEqual([
        entry.name,
        !entry.name.endsWith('.left'),
      ]);
    await isClean();
  });

  test('that cannot be removed is named', async () => {
    await series(1);
    const staged = join(made.root, '.snap/tmp', `${'c'.repeat(32)}-0-1`);
    writeFileSync(staged, 'left');
    await made.reopen({ disk: failingDisk('unlink', /c{32}-0-1$/, 'EACCES') });
    await expect(gc(made.workspace)).rejects.toMatchObject({ code: 'permission', context: { path: staged } });
  });
});
