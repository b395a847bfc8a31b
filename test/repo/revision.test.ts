import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import type { LogSettings } from '../../src/api/history.ts';
import { log } from '../../src/api/history.ts';
import { tag } from '../../src/api/tag.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { snapshotRef } from '../../src/object/ref-name.ts';
import type { Repository } from '../../src/repo/repository.ts';
import { normalPath, resolvePath, resolveRevision, splitRevisionPath } from '../../src/repo/revision.ts';
import { listSnapshots } from '../../src/repo/snapshot-list.ts';
import { removeTag } from '../../src/repo/tagging.ts';
import { collect } from '../history/collect.ts';
import { newRoots, openAt } from './failing-disk.ts';

const roots = newRoots();
let workspace: Workspace;
let empty: Workspace;
let root: string;
let now = Date.UTC(2026, 0, 1);
/** Oldest first, a day apart. */
const ids: BlobId[] = [];
const resolve = (text: string): Promise<BlobId> => resolveRevision(workspace.repository, text);
const id = (i: number): BlobId => ids.at(i) ?? ('' as never);
const prune = async (repository: Repository, one: BlobId, graft?: BlobId): Promise<void> => {
  const refs = [{ name: snapshotRef(one), from: one, to: null }];
  const grafts = graft === undefined ? {} : { [one]: graft };
  const draft = { operation: 'prune', note: '', workspace: repository.workspaceId, refs, grafts } as const;
  await repository.publish(draft, {}, () => draft);
};

beforeAll(async () => {
  root = await roots.init();
  const clock = { now: () => new Date(now), zoneMinutes: () => 0 };
  workspace = await openAt(root, clock);
  empty = await openAt(await roots.init('empty'));
  mkdirSync(join(root, 'src/lib'), { recursive: true });
  writeFileSync(join(root, 'src/lib/reader.ts'), '');
  writeFileSync(join(root, 'README.md'), '');
  for (let i = 0; i < 5; i++) {
    writeFileSync(join(root, 'f'), `${i}`);
    ids.push((await commit(workspace)).id as BlobId);
    now += 24 * 3600_000;
  }
  await tag(workspace, 'v1.0', { revision: id(1) });
  await tag(workspace, 'v1.1', { revision: id(2) });
});
afterAll(async () => {
  await workspace.close();
  await empty.close();
});

describe('a revision', () => {
  test('is HEAD, the latest, a tag, an id, or so many steps back from one', async () => {
    for (const text of ['HEAD', '@', 'latest', '~0', 'HEAD~0', id(4), id(4).toUpperCase(), id(4).slice(0, 12)])
      expect(await resolve(text), text).toBe(id(4));
    for (const text of ['HEAD~', 'HEAD^', '^', '~', '~1', '@~1', `${id(4).slice(0, 12)}^`])
      expect(await resolve(text), text).toBe(id(3));
    for (const text of ['HEAD~2', 'HEAD^^', 'HEAD~1^', '~~', 'v1.1', 'v1.1~0'])
      expect(await resolve(text), text).toBe(id(2));
    for (const text of ['v1.0', 'v1.1^', 'HEAD~2~1']) expect(await resolve(text), text).toBe(id(1));
  });

  test('is a time: the newest snapshot that is not younger', async () => {
    expect(await resolve('@{2026-01-02 00:00Z}')).toBe(id(1));
    expect(await resolve('@{2026-01-02 23:59Z}')).toBe(id(1));
    expect(await resolve('@{2026-01-03 12:00Z}~1')).toBe(id(1));
    expect(await resolve('@{2030-01-01 00:00Z}')).toBe(id(4));
    await expect(resolve('@{2025-12-31 00:00Z}')).rejects.toMatchObject({
      code: 'not-found',
      hint: expect.stringContaining(id(0).slice(0, 10)),
    });
    await expect(resolve('@{whenever}')).rejects.toMatchObject({ code: 'usage' });
  });

  test('is a time: to the minute, the second or the day, up to its end', async () => {
    const timed = await openAt(await roots.init('timed'), { now: () => new Date(now), zoneMinutes: () => 0 });
    const before = now;
    now = Date.parse('2026-11-21T12:33:01.500Z');
    const made = (await commit(timed)).id;
    const at = (text: string): Promise<BlobId> => resolveRevision(timed.repository, `@{${text}}`);
    for (const text of ['2026-11-21 12:33Z', '2026-11-21T12:33:01Z', '2026-11-21'])
      expect(await at(text), text).toBe(made);
    for (const text of ['2026-11-21 12:32Z', '2026-11-21 12:33:01.4Z', '2026-11-20'])
      await expect(at(text), text).rejects.toMatchObject({ code: 'not-found' });
    const logged = async (settings: LogSettings): Promise<number> => (await collect(log(timed, settings))).length;
    expect(await logged({ since: '2026-11-21 12:33Z', until: '2026-11-21 12:33Z' })).toBe(1);
    expect(await logged({ since: '2026-11-21', until: '2026-11-21' })).toBe(1);
    expect(await logged({ since: '2026-11-21 12:34Z' })).toBe(0);
    expect(await logged({ until: '2026-11-21 12:32Z' })).toBe(0);
    now = before;
    await timed.close();
  });

  test('that is a time or the latest is none that a checkout saved', async () => {
    const root = await roots.init('saved');
    const edited = await openAt(root, { now: () => new Date(now), zoneMinutes: () => 0 });
    const before = now;
    const made: BlobId[] = [];
    for (const text of ['one', 'two']) {
      writeFileSync(join(root, 'f'), text);
      made.push((await commit(edited)).id as BlobId);
      now += 60_000;
    }
    writeFileSync(join(root, 'f'), 'edited');
    const { saved } = await checkout(edited, { revision: 'HEAD~1' });
    expect(saved).toBeDefined();
    now += 60_000;
    for (const text of ['latest', '@{now}', '@{2030-01-01}'])
      expect(await resolveRevision(edited.repository, text), text).toBe(made[1]);
    now = before;
    await edited.close();
  });

  test('that goes back too far, is empty, or is unknown says so', async () => {
    await expect(resolve('HEAD~5')).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringContaining('"HEAD~5"'),
    });
    await expect(resolve('')).rejects.toMatchObject({ code: 'usage' });
    await expect(resolve('v1')).rejects.toMatchObject({
      code: 'not-found',
      hint: expect.not.stringContaining('Perhaps'),
    });
    await expect(resolve('v1.2')).rejects.toMatchObject({ hint: expect.stringContaining('Perhaps v1.0, v1.1;') });
    await expect(resolve('f'.repeat(64))).rejects.toMatchObject({ code: 'not-found' });
    await expect(resolve('x~1')).rejects.toMatchObject({ message: 'there is no snapshot "x~1"' });
  });

  test('of very many digits or steps is answered at once', async () => {
    await expect(resolve('1'.repeat(100_000))).rejects.toMatchObject({ code: 'not-found' });
    await expect(resolve(`HEAD${'^'.repeat(50_000)}`)).rejects.toMatchObject({ code: 'not-found' });
    await expect(resolve('HEAD~99999999999999999999')).rejects.toMatchObject({ code: 'not-found' });
  });

  test('of a workspace without snapshots: none', async () => {
    for (const text of ['HEAD', 'latest', 'HEAD~1', '@{2026-01-01}'])
      await expect(resolveRevision(empty.repository, text), text).rejects.toMatchObject({
        code: 'not-found',
        hint: expect.stringContaining('snap commit'),
      });
  });
});

describe('the beginning of an id', () => {
  // Ids that begin alike: refs to snapshots that are never read.
  const alike = (count: number): Repository => {
    const { repository } = workspace;
    const refs = new Map(repository.state().refs);
    for (let i = 0; i < count; i++) {
      const one = `abcdef${i}${'0'.repeat(57)}` as BlobId;
      refs.set(snapshotRef(one), one);
    }
    return { ...repository, state: () => ({ ...repository.state(), refs }) };
  };

  test('is enough if it fits one snapshot', async () => {
    expect(await resolveRevision(alike(1), 'abcd')).toMatch(/^abcdef0/);
    expect(await resolveRevision(alike(3), 'ABCDEF2')).toMatch(/^abcdef2/);
  });

  test('that fits several names them, four at most', async () => {
    await expect(resolveRevision(alike(2), 'abcd')).rejects.toMatchObject({
      code: 'ambiguous',
      message: '"abcd" fits 2 snapshots: abcdef0000, abcdef1000',
      context: { candidates: expect.arrayContaining([`abcdef0${'0'.repeat(57)}`]) },
    });
    await expect(resolveRevision(alike(5), 'abcd')).rejects.toMatchObject({
      message: '"abcd" fits 5 snapshots: abcdef0000, abcdef1000, abcdef2000, abcdef3000, …',
    });
  });

  test('of fewer than four digits is not taken, even if it fits only one', async () => {
    await expect(resolveRevision(alike(1), 'abc')).rejects.toMatchObject({
      code: 'ambiguous',
      message: expect.stringContaining('it could be abcdef0000'),
    });
    await expect(resolveRevision(empty.repository, 'a1')).rejects.toMatchObject({
      code: 'ambiguous',
      message: '"a1" is too short for an id (at least 4 digits)',
    });
  });
});

describe('paths', () => {
  test('follow a colon; the one within a time is no separator', () => {
    expect(splitRevisionPath('v1.0:src//./lib/')).toEqual({ revision: 'v1.0', path: 'src/lib' });
    expect(splitRevisionPath(':f')).toEqual({ revision: 'HEAD', path: 'f' });
    expect(splitRevisionPath('HEAD:')).toEqual({ revision: 'HEAD', path: '' });
    expect(splitRevisionPath('HEAD')).toEqual({ revision: 'HEAD', path: undefined });
    expect(splitRevisionPath('@{14:00}:a:b')).toEqual({ revision: '@{14:00}', path: 'a:b' });
    expect(splitRevisionPath('@{14:00}')).toEqual({ revision: '@{14:00}', path: undefined });
    expect(splitRevisionPath('@{14:00')).toEqual({ revision: '@{14', path: '00' });
    expect(['', '.', './a', 'a/', '//a//b'].map(normalPath)).toEqual(['', '', 'a', 'a', 'a/b']);
  });

  test('that are not there are answered with what is near', async () => {
    const { repository } = workspace;
    const { tree } = await repository.trees.snapshot(id(4));
    const at = (path: string): ReturnType<typeof resolvePath> => resolvePath(repository, tree, path, 'HEAD');
    expect(await at('')).toBeUndefined();
    expect((await at('src/lib/reader.ts'))?.name).toBe('reader.ts');
    await expect(at('src/lib/raeder.ts')).rejects.toMatchObject({
      code: 'not-found',
      message: 'there is no "src/lib/raeder.ts" in HEAD',
      hint: 'Perhaps src/lib/reader.ts.',
    });
    await expect(at('readme.md')).rejects.toMatchObject({ hint: 'Perhaps README.md.' });
    await expect(at('nothing/like/it')).rejects.toMatchObject({ hint: '`snap ls HEAD` shows what is there.' });
    await expect(at('README.md/x'), 'a file has nothing below it').rejects.toMatchObject({
      hint: 'Perhaps README.md.',
    });
    await expect(at('src/lib/reader.ts/x/y')).rejects.toMatchObject({ code: 'not-found' });
  });
});

test('after pruning, steps go over what is gone, and HEAD itself may be gone', async () => {
  await prune(workspace.repository, id(3), id(2));
  expect(await resolve('HEAD~1')).toBe(id(2));
  await expect(resolve(id(3))).rejects.toMatchObject({ code: 'not-found' });
  await prune(workspace.repository, id(4), id(3));
  expect(await resolve('HEAD'), 'the nearest that is left').toBe(id(2));
  expect(await resolve('latest')).toBe(id(2));
  for (const name of ['v1.0', 'v1.1']) await removeTag(workspace.repository, name);
  await prune(workspace.repository, id(2), id(1));
  await prune(workspace.repository, id(1));
  await expect(resolve('HEAD')).rejects.toMatchObject({
    code: 'not-found',
    message: `HEAD, ${id(4).slice(0, 10)}, was pruned`,
  });
});

test('snapshots of one moment are listed in the order in which they came; those of others only if asked for', async () => {
  const store = join(roots.root, 'store');
  const clock = { now: () => new Date(now) };
  const one = await openAt(await roots.init('one', store), clock);
  const two = await openAt(await roots.init('two', store), clock);
  const made: (BlobId | undefined)[] = [];
  for (const message of ['a', 'b', 'c']) made.push((await commit(one, { message, allowEmpty: true })).id);
  made.push((await commit(two, { message: 'd', allowEmpty: true, tag: 'theirs' })).id);
  await one.repository.refresh();
  const list = async (all: boolean): Promise<unknown[]> =>
    (await listSnapshots(one.repository, all)).map((each) => each.id);
  expect(await list(false)).toEqual([made[2], made[1], made[0]]);
  expect(await list(true)).toEqual([made[3], made[2], made[1], made[0]]);
  const [theirs] = await listSnapshots(one.repository, true);
  expect(theirs).toMatchObject({ tags: ['theirs'], isHead: false });
  await one.close();
  await two.close();
});
