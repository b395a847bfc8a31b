/** Workspaces whose store lies elsewhere, by the library: copies, moves, lost settings, an id of one's own. */
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { log } from '../../src/api/history.ts';
import { initWorkspace, openWorkspace, separateWorkspace } from '../../src/api/workspace.ts';
import type { Disk } from '../../src/disk/disk.ts';
import { realDisk } from '../../src/disk/disk.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { journalName } from '../../src/repo/layout.ts';
import type { Repository } from '../../src/repo/repository.ts';
import { collect } from '../history/collect.ts';
import { packPaths } from '../kit/damage.ts';
import { temporaryFolder } from '../kit/folder.ts';
import { FailingDisk, openAt } from './failing-disk.ts';

let folder: ReturnType<typeof temporaryFolder>;
let root: string;
let store: string;
beforeEach(async () => {
  folder = temporaryFolder();
  root = join(folder.path, 'work');
  store = join(folder.path, 'store');
  mkdirSync(root);
  await initWorkspace(root, { store });
  await commitIn(root, 'one');
});
afterEach(() => folder.remove());

async function within<T>(at: string, work: (repository: Repository) => T | Promise<T>): Promise<T> {
  const workspace = await openWorkspace(at);
  try {
    return await work(workspace.repository);
  } finally {
    await workspace.close();
  }
}
async function commitIn(at: string, content: string): Promise<BlobId | undefined> {
  writeFileSync(join(at, 'a'), content);
  const workspace = await openWorkspace(at);
  try {
    return (await commit(workspace, { message: content })).id;
  } finally {
    await workspace.close();
  }
}
const messages = async (at: string): Promise<string[]> => {
  const workspace = await openWorkspace(at);
  try {
    return (await collect(log(workspace))).map(({ snapshot }) => snapshot.message);
  } finally {
    await workspace.close();
  }
};
const idOf = (at: string): Promise<string> => within(at, ({ workspaceId }) => workspaceId);
const own = (...names: string[]): string => join(root, '.snap', ...names);

describe('a copy', () => {
  let copy: string;
  beforeEach(() => {
    copy = join(folder.path, 'copy');
    cpSync(root, copy, { recursive: true, preserveTimestamps: true });
  });

  test('is one while the first is there, and publishes nothing', async () => {
    await expect(commitIn(copy, 'two')).rejects.toMatchObject({ code: 'refused', context: { original: root } });
    expect(await within(copy, ({ copyOf }) => copyOf?.message)).toContain(`a copy of the workspace ${root}`);
    expect(await messages(copy)).toEqual(['one']);
  });

  test('becomes a workspace of its own, with the HEAD it had and the name of its folder', async () => {
    const id = await idOf(root);
    const head = await within(root, (repository) => repository.head().snapshot);
    const separated = await separateWorkspace(copy);
    expect(separated).toMatchObject({ root: copy, name: 'copy', head });
    expect(separated.workspaceId).not.toBe(id);
    await commitIn(copy, 'two');
    expect(await messages(copy)).toEqual(['two']);
    expect(await messages(root)).toEqual(['one']);
    // As often as one likes; by the same name it gets another.
    expect(await separateWorkspace(copy)).toMatchObject({ name: 'copy-2' });
    expect(await separateWorkspace(copy, { name: 'mine' })).toMatchObject({ name: 'mine' });
  });

  test.each<[string, () => void]>([
    ['has no settings', () => rmSync(own('config.toml'))],
    ['has settings that cannot be read', () => writeFileSync(own('config.toml'), '[')],
    ['is another workspace', () => writeFileSync(own('config.toml'), `[workspace]\nid = "${'0'.repeat(32)}"\n`)],
    ['is gone', () => rmSync(root, { recursive: true })],
  ])('of which the first %s is none', async (_, change) => {
    change();
    expect(await within(copy, ({ copyOf }) => copyOf)).toBeUndefined();
    await commitIn(copy, 'two');
    expect(JSON.parse(readFileSync(join(copy, '.snap/place'), 'utf8')).root).toBe(copy);
  });

  test('of which the place cannot be read is noted where it is', async () => {
    writeFileSync(join(copy, '.snap/place'), 'nothing');
    expect(await within(copy, ({ copyOf }) => copyOf)).toBeUndefined();
  });
});

describe('the place', () => {
  const place = (): { root?: string; store?: string; workspace?: string } =>
    JSON.parse(readFileSync(own('place'), 'utf8'));
  const opened = async (disk: Disk): Promise<void> => (await openAt(root, { disk })).close();

  test('of an earlier version gets store and workspace, once', async () => {
    const whole = place();
    expect(whole).toMatchObject({ root, store, workspace: await idOf(root) });
    writeFileSync(own('place'), JSON.stringify({ format: 1, root }));
    await opened(realDisk);
    expect(place()).toEqual(whole);
    const { ino } = statSync(own('place'));
    await opened(realDisk);
    expect(statSync(own('place')).ino).toBe(ino);
  });

  test.each(['ENOSPC', 'EROFS', 'EIO'])('is noted another time where it cannot be now (%s)', async (errno) => {
    writeFileSync(own('place'), JSON.stringify({ format: 1, root }));
    await opened(
      new FailingDisk((call, path) => (call === 'rename' && path === own('place') ? errno : undefined)).disk,
    );
    expect(place()).toEqual({ format: 1, root });
    await opened(realDisk);
    expect(place()).toMatchObject({ store });
  });
});

test('a workspace with its own store has nothing to be separated from', async () => {
  const alone = join(folder.path, 'alone');
  await initWorkspace(alone);
  await expect(separateWorkspace(alone)).rejects.toMatchObject({ code: 'refused' });
  expect(existsSync(join(alone, '.snap/place'))).toBe(false);
});

test('one that is moved is none', async () => {
  const there = join(folder.path, 'there');
  renameSync(root, there);
  await commitIn(there, 'two');
  expect(await messages(there)).toEqual(['two', 'one']);
});

describe('settings that are lost', () => {
  const lose = (...names: string[]): void => {
    for (const name of ['config.toml', ...names]) rmSync(own(name));
  };

  test('make no new workspace by the way: neither without the store nor with another', async () => {
    const other = join(folder.path, 'other');
    await initWorkspace(other, { store: join(folder.path, 'store2') });
    lose();
    const before = readdirSync(own());
    await expect(initWorkspace(root)).rejects.toMatchObject({ code: 'refused', context: { store } });
    for (const wrong of ['store2', 'store3'])
      await expect(initWorkspace(root, { store: join(folder.path, wrong) })).rejects.toMatchObject({ code: 'refused' });
    rmSync(own('place'));
    await expect(initWorkspace(root)).rejects.toMatchObject({ hint: expect.stringContaining('<path>') });
    expect(readdirSync(own())).toEqual(before.filter((name) => name !== 'place'));
  });

  test.each<[string, string[]]>([
    ['nothing else', []],
    ['HEAD', ['HEAD']],
    ['the place', ['place']],
    ['all but HEAD', ['place', 'store-config.json']],
  ])('and %s: with its store it is the workspace again', async (_, names) => {
    await initWorkspace(join(folder.path, 'other'), { store });
    await commitIn(join(folder.path, 'other'), 'by another');
    const id = await idOf(root);
    lose(...names);
    expect(await initWorkspace(root, { store })).toMatchObject({ identity: 'former' });
    expect(await idOf(root)).toBe(id);
    expect(await messages(root)).toEqual(['one']);
  });

  test("and a copy of the store's configuration that cannot be read: what HEAD has seen tells the store", async () => {
    const id = await idOf(root);
    for (const text of ['nothing', sealedCopy('{"format":9}'), sealedCopy('{}')]) {
      lose();
      writeFileSync(own('store-config.json'), text);
      await expect(initWorkspace(root)).rejects.toMatchObject({ context: { storeId: undefined } });
      expect(await initWorkspace(root, { store })).toMatchObject({ identity: 'former' });
      expect(await idOf(root)).toBe(id);
    }
    // Another store has not the entry that HEAD has seen; a HEAD of an earlier version names none.
    const other = join(folder.path, 'other');
    await initWorkspace(other, { store: join(folder.path, 'store2') });
    await commitIn(other, 'by another');
    lose('store-config.json');
    await expect(initWorkspace(root, { store: join(folder.path, 'store2') })).rejects.toMatchObject({
      code: 'refused',
    });
    const seen = readFileSync(own('HEAD'), 'utf8').split(' ');
    writeFileSync(own('HEAD'), `${seen[0]} ${seen[1]}\n`);
    expect(await initWorkspace(root, { store })).toMatchObject({ identity: 'former' });
  });

  test('and the place, without a commit: it is a new one', async () => {
    const id = await idOf(root);
    writeFileSync(own('HEAD'), '- 0\n');
    lose('place');
    expect(await initWorkspace(root, { store })).toMatchObject({ identity: 'unknown' });
    expect(await idOf(root)).not.toBe(id);
  });

  test('and the place, and an entry before its HEAD: nobody can say who it was until the journal is mended', async () => {
    lose('place');
    writeFileSync(join(store, journalName(1)), 'x');
    await expect(initWorkspace(root, { store })).rejects.toMatchObject({ code: 'corrupt-data', context: { entry: 1 } });
    expect(existsSync(own('config.toml'))).toBe(false);
  });

  test('where two may have been it, it is a new one, at its HEAD', async () => {
    const other = join(folder.path, 'other');
    await initWorkspace(other, { store });
    const id = await idOf(root);
    const head = await within(root, (repository) => repository.head().snapshot);
    const workspace = await openWorkspace(other);
    await checkout(workspace, { revision: head ?? '' });
    await workspace.close();
    // Both have seen the same entry, as after commits of others.
    writeFileSync(own('HEAD'), readFileSync(join(other, '.snap/HEAD')));
    lose('place');
    expect(await initWorkspace(root, { store })).toMatchObject({ identity: 'unknown' });
    expect([id, await idOf(other)]).not.toContain(await idOf(root));
    expect(await within(root, (repository) => repository.head().snapshot)).toBe(head);
  });
});

test('log yields what can be read, and then says what cannot', async () => {
  await commitIn(root, 'two');
  await commitIn(root, 'three');
  rmSync(own('index'), { recursive: true });
  rmSync(packPaths(store)[0] ?? '');
  const workspace = await openWorkspace(root);
  const seen: string[] = [];
  try {
    for await (const { snapshot } of log(workspace)) seen.push(snapshot.message);
    expect.unreachable();
  } catch (error) {
    expect(error).toMatchObject({
      code: 'corrupt-data',
      message: expect.stringContaining('a snapshot cannot be read'),
    });
  } finally {
    await workspace.close();
  }
  expect(seen).toHaveLength(2);
});

/** As a workspace keeps the configuration of its store: with its SHA-256. */
function sealedCopy(text: string): string {
  return `${text}\n${createHash('sha256').update(text).digest('hex')}\n`;
}
