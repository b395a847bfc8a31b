import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { commit } from '../../src/api/commit.ts';
import { tag } from '../../src/api/tag.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import { initWorkspace } from '../../src/api/workspace.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { BLOB_KIND } from '../../src/object/blob-id.ts';
import { snapshotRef } from '../../src/object/ref-name.ts';
import { ENTRY_KIND } from '../../src/object/tree-entry.ts';
import { isWithin, journalName, numberOfName, packName, storeInside } from '../../src/repo/layout.ts';
import { findWorkspace } from '../../src/repo/repository.ts';
import { flipBit, packPaths } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import { environmentWith, FailingDisk, newRoots, openAt } from './failing-disk.ts';

const roots = newRoots();
const failing = new FailingDisk();
const opened: Workspace[] = [];
let root: string;
const at = (path: string): string => join(root, path);
const open = async (changes: Parameters<typeof openAt>[1] = { disk: failing.disk }): Promise<Workspace> => {
  const workspace = await openAt(root, changes);
  opened.push(workspace);
  return workspace;
};
const close = async (): Promise<void> => {
  failing.hook = undefined;
  for (const workspace of opened.splice(0)) await workspace.close();
};
const headOf = (workspace: Workspace): BlobId | null => workspace.repository.head().snapshot;
/** Snapshot and number; the hash of the entry left out. */
const headFile = (): string => readFileSync(at('.snap/HEAD'), 'utf8').replace(/ [0-9a-f]{64}\n$/, '\n');
/** Commits `count` snapshots. */
const commits = async (count: number): Promise<BlobId[]> => {
  const workspace = await open();
  const ids: BlobId[] = [];
  for (let i = 0; i < count; i++) {
    writeFileSync(at('f'), `version ${i}`);
    ids.push((await commit(workspace)).id as BlobId);
  }
  await close();
  return ids;
};

beforeEach(async () => {
  root = await roots.init();
});
afterEach(close);

describe('a workspace is found', () => {
  test('from anywhere below it, also from a file; the innermost counts', async () => {
    mkdirSync(at('a/b'), { recursive: true });
    writeFileSync(at('a/file'), '');
    for (const start of [root, at('a/b'), at('a/file'), at('a/not there yet'), at('.snap')])
      expect(findWorkspace(environmentWith(), start)).toBe(root);
    mkdirSync(at('a/.snap'));
    expect(findWorkspace(environmentWith(), at('a/b')), 'a .snap without settings is none').toBe(root);
    writeFileSync(at('a/.snap/config.toml'), '');
    expect(findWorkspace(environmentWith(), at('a/b'))).toBe(at('a'));
  });

  test('at the root of the file system', () => {
    const disk = new FailingDisk().disk;
    const chroot = { ...disk, lstat: (path: string) => disk.lstat(`${root}${path}`) };
    expect(findWorkspace(environmentWith({ disk: chroot }), '/')).toBe('/');
    expect(findWorkspace(environmentWith({ disk: chroot }), '/srv/data')).toBe('/');
  });

  test('nowhere: an error that says where it looked; a folder that cannot be looked into is another error', () => {
    expect(() => findWorkspace(environmentWith(), roots.root)).toThrow(`${roots.root} is not in a snap workspace`);
    failing.hook = (call) => (call === 'lstat' ? 'EACCES' : undefined);
    expect(() => findWorkspace(environmentWith({ disk: failing.disk }), root)).toThrow(
      expect.objectContaining({ code: 'permission' }),
    );
  });

  test('paths in and beside folders are told apart', () => {
    expect(['/', '/a', '/a/b'].map((path) => isWithin(path, '/'))).toEqual([true, true, true]);
    expect(['/a', '/a/b', '/ab', '/'].map((path) => isWithin(path, '/a'))).toEqual([true, true, false, false]);
    expect(storeInside('/', '/srv/store')).toBe('srv/store');
    expect(storeInside('/work', '/work/old/store')).toBe('old/store');
    for (const outside of ['/work', '/work/.snap/store', '/workstore', '/srv'])
      expect(storeInside('/work', outside)).toBeUndefined();
    expect(['journal/000000000012.json', 'checkpoints/000000000256.state'].map(numberOfName)).toEqual([12, 256]);
    expect(['journal/12.json', 'journal/000000000012.json~', 'x'].map(numberOfName)).toEqual(Array(3).fill(undefined));
  });
});

describe('opening', () => {
  test('settings that are missing or cannot be read, and a store that is gone, each have their error', async () => {
    const settings = readFileSync(at('.snap/config.toml'));
    failing.hook = (call, path) => (call === 'open' && path.endsWith('config.toml') ? 'EIO' : undefined);
    await expect(open()).rejects.toMatchObject({ code: 'io', message: expect.stringContaining('config.toml') });
    failing.hook = (call, path) => (call === 'open' && path.endsWith('config.toml') ? 'ENOENT' : undefined);
    await expect(open()).rejects.toMatchObject({ code: 'no-workspace' });
    failing.hook = undefined;
    writeFileSync(at('.snap/config.toml'), '[store]\npath = 7\n');
    await expect(open()).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('config.toml:2') });
    writeFileSync(at('.snap/config.toml'), settings);
    renameSync(at('.snap/store'), at('.snap/away'));
    await expect(open()).rejects.toMatchObject({
      code: 'no-store',
      message: `there is no store at ${at('.snap/store')}`,
    });
    writeFileSync(at('.snap/config.toml'), settings.toString().replace('.snap/store', at('.snap/away')));
    expect((await open()).repository.state().number).toBe(1);
  });

  test('settings without a name or a store take the usual ones', async () => {
    const id = /id = "(.*)"/.exec(readFileSync(at('.snap/config.toml'), 'utf8'))?.[1];
    writeFileSync(at('.snap/config.toml'), `workspace.id = "${id}"`);
    const { repository } = await open();
    expect(repository).toMatchObject({ workspaceName: 'work', workspaceId: id });
    expect(repository.backend.location).toBe(at('.snap/store'));
  });

  test('a HEAD that is damaged or gone is found again from the journal, and written', async () => {
    const [, second] = await commits(2);
    const id = 'a'.repeat(64);
    for (const bytes of [
      '',
      'x',
      `${id} 3`,
      `${id} 03\n`,
      `${'A'.repeat(64)} 3\n`,
      `x${id} 3\n`,
      `${id} 3\nx`,
      `${id}\n`,
    ]) {
      writeFileSync(at('.snap/HEAD'), bytes);
      const workspace = await open();
      expect(headOf(workspace), JSON.stringify(bytes)).toBe(second);
      expect(workspace.repository.notices).toEqual([expect.stringContaining('HEAD was damaged')]);
      await close();
      expect(headFile()).toMatch(new RegExp(`^${second} 3( |\n)`));
      expect((await open()).repository.notices).toEqual([]);
      await close();
    }
    rmSync(at('.snap/HEAD'));
    expect(headOf(await open())).toBe(second);
    await close();
    expect(headFile()).toMatch(new RegExp(`^${second} 3( |\n)`));
  });

  test('a damaged HEAD of a workspace without commits is written anew', async () => {
    writeFileSync(at('.snap/HEAD'), '?');
    expect(headOf(await open())).toBeNull();
    await close();
    expect(headFile()).toBe('- 1\n');
  });

  test('a HEAD with a flipped bit, a snapshot that never was, is found again from the journal', async () => {
    const [, second] = await commits(2);
    writeFileSync(at('.snap/HEAD'), `${'0'.repeat(64)} 3\n`);
    expect(headOf(await open())).toBe(second);
    expect(headFile()).toBe(`${second} 3\n`);
  });

  test('a HEAD that is one commit behind is caught up', async () => {
    const [first, second] = await commits(2);
    writeFileSync(at('.snap/HEAD'), `${first} 2\n`);
    expect(headOf(await open())).toBe(second);
    expect(headFile()).toBe(`${second} 3\n`);
  });

  test("HEAD's number follows others only now and then, so that reading commands do not write", async () => {
    const [first] = await commits(1);
    const other = await openAt(await roots.init('other', at('.snap/store')));
    opened.push(other);
    for (let i = 0; i < 64; i++) await tag(other, `t${i}`, { revision: first });
    const { repository } = await open();
    expect(headFile()).toBe(`${first} 2\n`);
    await tag(other, 'one-more', { revision: first });
    await repository.refresh();
    expect(headFile()).toBe(`${first} 67\n`);
    expect(headOf(opened.at(-1) as Workspace)).toBe(first);
  });

  test('a disk that fails where the folder for temporary files is made', async () => {
    rmSync(at('.snap/tmp'), { recursive: true });
    failing.hook = (call, path) => (call === 'makeFolder' && path.endsWith('.snap/tmp') ? 'ENOSPC' : undefined);
    await expect(open()).rejects.toMatchObject({ code: 'no-space' });
    failing.hook = (call, path) => (call === 'makeFolder' && path.endsWith('.snap/tmp') ? 'EROFS' : undefined);
    expect((await open()).repository.state().number).toBe(1);
  });

  test('a workspace on a read-only disk is read, HEAD caught up in memory', async () => {
    const [first, second] = await commits(2);
    writeFileSync(at('.snap/HEAD'), `${first} 2\n`);
    failing.hook = (call, path) =>
      ['rename', 'link', 'makeFolder', 'unlink', 'write'].includes(call) && path.includes('.snap')
        ? 'EROFS'
        : undefined;
    const workspace = await open();
    expect(headOf(workspace)).toBe(second);
    expect((await workspace.repository.trees.snapshot(second as BlobId)).parent).toBe(first);
    expect(headFile()).toBe(`${first} 2\n`);
  });

  test('a HEAD that cannot be written for another reason is an error', async () => {
    const [first] = await commits(2);
    writeFileSync(at('.snap/HEAD'), `${first} 2\n`);
    failing.hook = (call, path) => (call === 'rename' && path.endsWith('/HEAD') ? 'EIO' : undefined);
    await expect(open()).rejects.toMatchObject({ code: 'io' });
    failing.hook = undefined;
    expect((await open()).repository.index.kind, 'the index was given back').toBe('level');
  });
});

describe('the index follows the journal', () => {
  test('a pack that is damaged costs its snapshots until a repair; one that the disk does not give is an error', async () => {
    const [first, second] = await commits(2);
    rmSync(at('.snap/index'), { recursive: true });
    const footers = packPaths(at('.snap/store'));
    failing.hook = (call, path) => (call === 'read' && path === footers[1] ? 'EIO' : undefined);
    await expect(open()).rejects.toMatchObject({ code: 'io' });
    failing.hook = undefined;
    const [{ id }] = JSON.parse(readFileSync(at(`.snap/store/${journalName(2)}`), 'utf8')).packs;
    const pack = at(`.snap/store/${packName(id)}`);
    flipBit(pack, readFileSync(pack).length - 1);
    const { repository } = await open();
    expect((await repository.trees.snapshot(second as BlobId)).parent).toBe(first);
    await expect(repository.trees.snapshot(first as BlobId)).rejects.toMatchObject({ code: 'corrupt-data' });
  });
});

describe('a store that went on without this workspace', () => {
  test('after an older copy was put back: not taken for the one that was seen, also if it is as long as before', async () => {
    const store = at('.snap/store');
    await commits(1);
    cpSync(store, join(roots.root, 'copy'), { recursive: true });
    writeFileSync(at('f'), 'lost with the store');
    const one = await open();
    const lost = (await commit(one)).id as BlobId;
    await close();
    rmSync(store, { recursive: true });
    cpSync(join(roots.root, 'copy'), store, { recursive: true });
    const other = await openAt(await roots.init('other', store));
    opened.push(other);
    await commit(other);
    const { repository } = await open();
    expect(repository.damage).toMatchObject({ code: 'corrupt-data', message: expect.stringContaining('not the one') });
    expect(repository.head().snapshot).toBe(lost);
    expect(repository.state().refs.has(snapshotRef(lost))).toBe(true);
  });

  test('in which a repair wrote the snapshot of HEAD anew, or took it out', async () => {
    const [first, second] = (await commits(2)) as [BlobId, BlobId];
    const other = await openAt(await roots.init('other', at('.snap/store')));
    opened.push(other);
    const publish = (id: BlobId, grafts: Record<string, string>) => {
      const refs = [{ name: snapshotRef(id), from: id, to: null }];
      const draft = { operation: 'repair', note: '', refs, grafts } as const;
      return other.repository.publish(draft, {}, () => draft);
    };
    await publish(second, { [second]: first });
    const { repository } = await open();
    expect(repository.head().snapshot).toBe(first);
    await publish(first, {});
    await repository.refresh();
    expect(repository.head().snapshot).toBeNull();
  });

  test('and swept packs: the index forgets what lay in them', async () => {
    const [first] = await commits(1);
    const { repository } = await open();
    const other = await openAt(await roots.init('other', at('.snap/store')));
    opened.push(other);
    const packs = [...repository.state().packs.keys()];
    for (const draft of [
      { operation: 'condemn', note: '', condemned: packs } as const,
      { operation: 'sweep', note: '', swept: packs } as const,
    ])
      await other.repository.publish(draft, {}, () => draft);
    const { index } = repository;
    const removed: unknown[] = [];
    const write = index.write.bind(index);
    index.write = (changes) => {
      removed.push(...(changes.removedPacks ?? []));
      return write(changes);
    };
    await repository.refresh();
    expect(removed).toEqual(packs);
    expect(index.find(BLOB_KIND.snapshot, first as BlobId)).toBeUndefined();
  });

  test('and lost a pack: what lay in it is stored again by the next commit that has it', async () => {
    writeFileSync(at('large'), noise(50_000, 3));
    const [first] = await commits(1);
    const workspace = await open();
    const { trees, blobs } = workspace.repository;
    const file = await trees.entryAt((await trees.snapshot(first as BlobId)).tree, ['large']);
    const [chunk] = file?.kind === ENTRY_KIND.file ? await trees.chunks(file) : [];
    rmSync(join(at('.snap/store'), packName((await blobs.locate(BLOB_KIND.data, chunk?.id as BlobId)).pack)));
    writeFileSync(at('again'), noise(50_000, 3));
    await commit(workspace);
    expect((await blobs.read(BLOB_KIND.data, chunk?.id as BlobId)).equals(noise(50_000, 3))).toBe(true);
  });
});

describe('with a damaged journal', () => {
  beforeEach(async () => {
    await commits(2);
    writeFileSync(at(`.snap/store/${journalName(3)}`), 'torn');
  });

  test('what is known is read, and nothing is published or taken for new', async () => {
    const { repository } = await open();
    const draft = { operation: 'tag', note: '' } as const;
    expect(repository.damage).toMatchObject({ code: 'corrupt-data', hint: expect.stringContaining('up to entry 3') });
    expect(repository.state().number, 'the index remembers').toBe(3);
    await expect(repository.refresh()).rejects.toBe(repository.damage);
    await expect(repository.publish(draft, {}, () => draft)).rejects.toBe(repository.damage);
    expect(readdirSync(at('.snap/store/journal'))).toHaveLength(3);
    expect(headFile()).toMatch(/ 3\n$/);
  });

  test('without an index it is known as far as the journal is whole', async () => {
    rmSync(at('.snap/index'), { recursive: true });
    const { repository } = await open();
    expect(repository.state().number).toBe(2);
    expect(repository.index.state.number).toBe(2);
    await expect(repository.refresh()).rejects.toMatchObject({ code: 'corrupt-data' });
  });

  test('a journal that is shorter than it was is damaged, too, and says by how much', async () => {
    rmSync(at(`.snap/store/${journalName(3)}`));
    expect((await open()).repository.damage).toMatchObject({
      code: 'corrupt-data',
      message: expect.stringMatching(/this workspace has seen/),
    });
    await close();
    rmSync(at('.snap/index'), { recursive: true });
    expect((await open()).repository.damage, 'HEAD remembers').toMatchObject({ code: 'corrupt-data' });
  });

  test('an entry that the disk does not give is as good as damaged: nothing is published', async () => {
    for (const number of [3, 2]) {
      failing.hook = (call, path) => (call === 'read' && path.endsWith(journalName(number)) ? 'EIO' : undefined);
      rmSync(at('.snap/index'), { recursive: true, force: true });
      expect((await open()).repository.damage, `entry ${number}`).toMatchObject({ code: 'corrupt-data' });
      await close();
    }
  });
});

describe('the lock', () => {
  test('of another process is waited for, with its name, and then given up', async () => {
    const [first] = await commits(1);
    const one = await open({ holder: { ...environmentWith().holder, command: 'snap commit' } });
    const { repository } = await open();
    const lock = await one.repository.lock(0);
    const told: string[] = [];
    const started = performance.now();
    await expect(repository.lock(120, (who) => told.push(who))).rejects.toMatchObject({
      code: 'locked',
      message: expect.stringContaining('`snap commit`'),
      context: { pid: process.pid },
    });
    expect(performance.now() - started).toBeGreaterThan(100);
    expect(told).toEqual([expect.stringContaining(`\`snap commit\` (process ${process.pid} on `)]);
    const waiting = repository.lock(10_000);
    setTimeout(() => lock.release(), 60);
    (await waiting).release();
    expect(headOf(one)).toBe(first);
  });

  test('that cannot be made is an error of its kind', async () => {
    const { repository } = await open();
    failing.hook = (call, path) => (call === 'link' && path.endsWith('.snap/lock') ? 'EACCES' : undefined);
    await expect(repository.lock(0)).rejects.toMatchObject({ code: 'permission' });
    failing.hook = undefined;
    (await repository.lock(0)).release();
  });

  test('who gets it after another command goes on from where that one ended', async () => {
    await commits(1);
    const one = await open({});
    const two = await open();
    writeFileSync(at('f'), 'by the other');
    const { id } = await commit(one);
    expect(headOf(two)).not.toBe(id);
    writeFileSync(at('f'), 'mine');
    const mine = await commit(two);
    expect((await two.repository.trees.snapshot(mine.id as BlobId)).parent).toBe(id);
  });
});

test('settings that lost the id are refused, and init finds the history again without them', async () => {
  const [, second] = await commits(2);
  writeFileSync(at('.snap/config.toml'), '');
  await expect(open()).rejects.toMatchObject({ code: 'corrupt-data' });
  rmSync(at('.snap/config.toml'));
  await initWorkspace(at('.'));
  expect(headOf(await open())).toBe(second);
});
