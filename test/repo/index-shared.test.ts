/** One index and several processes: after a crash, of other containers, and of other machines. */
import { existsSync, linkSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Level } from 'level';
import { beforeEach, describe, expect, test } from 'vitest';
import { reindexIn } from '../../src/api/reindex.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import type { Holder } from '../../src/disk/lock-file.ts';
import { checkIndexApart } from '../../src/index/check-apart.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { encodeHolder, environmentWith } from './failing-disk.ts';
import { newWorkspace } from './one-workspace.ts';

const { roots, failing, opened, at, open, close, commits } = newWorkspace();
const marker = (): string => at('.snap/index-in-use');
const holderIn = (): unknown => JSON.parse(readFileSync(marker(), 'utf8'));
const DEAD = { ...environmentWith().holder, id: 'dead', startTime: 'before', command: 'snap gc' };
const CONTAINER = { ...DEAD, id: 'container', pidNamespace: 'pid:[1]' };
const RENAMED = { ...CONTAINER, id: 'renamed', host: 'another name', pidNamespace: undefined };
const MACHINE = { ...DEAD, id: 'machine', host: 'another machine', bootId: 'another boot' };
const leave = (holder: Holder): void => writeFileSync(marker(), encodeHolder(holder));
const isMarked = (): boolean => existsSync(at('.snap/index/here'));
let id: BlobId;

/** Opens the workspace, which answers whatever becomes of its index. */
async function use(changes: Parameters<typeof open>[0] = {}): Promise<Workspace['repository']> {
  const { repository } = await open(changes);
  expect((await repository.trees.snapshot(id)).parent).toBeNull();
  return repository;
}

/** LevelDB open in a process that has no mark. */
async function held<T>(work: () => Promise<T>): Promise<T> {
  const level = new Level(at('.snap/index'));
  await level.open();
  try {
    return await work();
  } finally {
    await level.close();
  }
}

beforeEach(async () => {
  [id] = (await commits(1)) as [BlobId];
  writeFileSync(at('.snap/index/here'), '');
});

describe('after a crash', () => {
  test('several at once: one looks through the index and has it, the others work from memory, and nobody builds it again', async () => {
    leave(DEAD);
    const repositories = await Promise.all([use(), use(), use(), use()]);
    expect(repositories.map(({ index }) => index.kind).sort()).toEqual(['level', 'memory', 'memory', 'memory']);
    expect(repositories.flatMap(({ notices }) => notices)).toEqual([]);
    await close();
    expect(isMarked()).toBe(true);
    expect(readdirSync(at('.snap')).filter((name) => name.startsWith('index-'))).toEqual([]);
  });

  test('one that another process has open is no damaged one: its mark stays for who comes later', async () => {
    leave(DEAD);
    await held(async () => {
      const { index, notices } = await use();
      expect(index.kind).toBe('memory');
      expect(notices).toEqual([]);
      await close();
    });
    expect(isMarked()).toBe(true);
    expect(holderIn()).toEqual(DEAD);
    expect((await use()).index.kind).toBe('level');
  });

  test('one that could not be looked through in time is kept, and named', async () => {
    leave(DEAD);
    const { index, notices } = await use({ checkIndex: (path) => checkIndexApart(path, 1) });
    expect(index.kind).toBe('memory');
    expect(notices).toEqual([expect.stringContaining('could not be looked through; `snap reindex` builds it again')]);
    await close();
    expect(isMarked()).toBe(true);
    expect(holderIn()).toEqual(DEAD);
  });

  test('one that can neither be read nor moved away: work goes on from memory, and says so', async () => {
    leave(DEAD);
    writeFileSync(at('.snap/index/CURRENT'), 'nothing\n');
    failing.hook = (call, path) => (call === 'rename' && path.includes('/tmp/index-') ? 'EIO' : undefined);
    const { index, notices } = await use({ disk: failing.disk });
    expect(index.kind).toBe('memory');
    expect(notices).toEqual([
      expect.stringContaining(`cannot be built again: opening ${at('.snap/index')} failed (EIO)`),
    ]);
    await close();
    expect((await use()).index.kind).toBe('level');
  });
});

describe('of another container of this machine', () => {
  test.each([
    ['that is gone', CONTAINER],
    ['that is gone, in which the machine had another name', RENAMED],
  ])('one %s is used on', async (_what, holder) => {
    leave(holder);
    const { index, notices } = await use();
    expect(index.kind).toBe('level');
    expect(notices).toEqual([]);
    await close();
    expect(isMarked()).toBe(true);
    expect(existsSync(marker())).toBe(false);
  });

  test('one that is in use there is left to it', async () => {
    leave(CONTAINER);
    await held(async () => {
      const { index, notices } = await use();
      expect(index.kind).toBe('memory');
      expect(notices).toEqual([]);
      await close();
      await expect(reindexIn(environmentWith(), at(''))).rejects.toMatchObject({ code: 'locked' });
    });
    expect(isMarked()).toBe(true);
    expect(holderIn()).toEqual(CONTAINER);
  });

  test('reindex takes one whose container is gone', async () => {
    leave(CONTAINER);
    await reindexIn(environmentWith(), at(''));
    expect(isMarked()).toBe(false);
    expect(existsSync(marker())).toBe(false);
  });

  test('one that was taken meanwhile is not removed at the end, nor its mark', async () => {
    const { index } = await use();
    if (index.kind !== 'level') throw new Error('not the index on disk');
    await (index as unknown as { close(): Promise<void> }).close();
    // What it does now fails, and makes it suspect.
    index.find(1, id);
    leave(CONTAINER);
    await close();
    expect(isMarked()).toBe(true);
    expect(holderIn()).toEqual(CONTAINER);
  });
});

test('of another machine: work goes on from memory, and says what to do', async () => {
  leave(MACHINE);
  const { index, notices } = await use();
  expect(index.kind).toBe('memory');
  expect(notices).toEqual([
    `working without the index: \`snap gc\` (process ${DEAD.pid} on another machine), on another machine or in another ` +
      `container, has it; if nothing runs there any more, remove ${marker()}`,
  ]);
  expect(holderIn()).toEqual(MACHINE);
});

test('a file of somebody else in the place of the mark keeps its bytes', async () => {
  const victim = join(roots.root, 'victim');
  writeFileSync(victim, 'secret');
  linkSync(victim, marker());
  expect((await use()).index.kind).toBe('level');
  await close();
  expect(readFileSync(victim, 'utf8')).toBe('secret');
  expect(existsSync(marker())).toBe(false);
});

test('a folder for temporary files that is missing is made', async () => {
  rmSync(at('.snap/tmp'), { recursive: true });
  leave(DEAD);
  expect((await use()).index.kind).toBe('level');
  await close();
  expect(readdirSync(at('.snap/tmp'))).toEqual([]);
});

test('opened twice, the second leaves everything to the first', async () => {
  const environment = environmentWith();
  await use(environment);
  expect((await use(environment)).index.kind).toBe('memory');
  await opened.pop()?.close();
  expect(holderIn()).toEqual(environment.holder);
});

describe('a mark that others are about at the same time', () => {
  const ALIVE = { ...environmentWith().holder, id: 'alive' };
  const atMark = (work: () => string | undefined) => {
    rmSync(marker(), { force: true });
    failing.hook = (call, path) => (call === 'link' && path === marker() ? work() : undefined);
  };

  test('somebody was faster: work goes on from memory, and the mark stays', async () => {
    atMark(() => void leave(ALIVE));
    await use({ disk: failing.disk });
    await close();
    expect(holderIn()).toEqual(ALIVE);
  });

  test('somebody was faster, and is done already', async () => {
    atMark(() => 'EEXIST');
    await use({ disk: failing.disk });
    await close();
    expect(existsSync(marker())).toBe(false);
  });

  test('a disk that fails is an error of its kind', async () => {
    atMark(() => 'EIO');
    await expect(open()).rejects.toMatchObject({ code: 'io' });
  });

  test('one of a dead command that somebody else is taking over is left to that one', async () => {
    leave(DEAD);
    writeFileSync(`${marker()}.stale-dead`, encodeHolder(ALIVE));
    await use();
    await close();
    expect(holderIn()).toEqual(DEAD);
  });

  test('one that is another command’s by the end stays', async () => {
    await use();
    leave(ALIVE);
    await close();
    expect(holderIn()).toEqual(ALIVE);
  });

  test('something else in the place of .snap/tmp: reading goes on from memory', async () => {
    rmSync(at('.snap/tmp'), { recursive: true });
    writeFileSync(at('.snap/tmp'), '');
    const { notices } = await use();
    expect(notices.join()).toContain('working without the index: ');
  });
});
