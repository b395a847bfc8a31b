import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Level } from 'level';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { commit } from '../../src/api/commit.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import { STATE_KEY, sealValue } from '../../src/index/index-keys.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { BLOB_KIND } from '../../src/object/blob-id.ts';
import { encodeHolder, environmentWith, FailingDisk, newRoots, openAt } from './failing-disk.ts';

const roots = newRoots();
const failing = new FailingDisk();
const opened: Workspace[] = [];
let root: string;
let id: BlobId;
const at = (path: string): string => join(root, '.snap', path);
const open = async (changes: Parameters<typeof openAt>[1] = { disk: failing.disk }): Promise<Workspace> => {
  const workspace = await openAt(root, changes);
  opened.push(workspace);
  return workspace;
};
const close = async (): Promise<void> => {
  for (const workspace of opened.splice(0).reverse()) await workspace.close();
  failing.hook = undefined;
};
const DEAD = { ...environmentWith().holder, id: 'dead', startTime: 'before', command: 'snap gc' };
const ELSEWHERE = { ...DEAD, id: 'elsewhere', host: 'another machine', bootId: 'another boot' };
const leaveMarker = (holder: typeof DEAD): void => writeFileSync(at('index-in-use'), encodeHolder(holder));
/** What the index must answer whatever happened to it: the blobs of the one snapshot, and that snapshot. */
const works = async ({ repository }: Workspace): Promise<void> => {
  expect(repository.head().snapshot).toBe(id);
  expect(repository.index.find(BLOB_KIND.snapshot, id)).toBeDefined();
  const { tree } = await repository.trees.snapshot(id);
  expect((await repository.trees.folder(tree)).map(({ name }) => name)).toEqual(['f']);
};
/** A file that only this index has, to see if it is the same one. */
const mark = (): void => writeFileSync(at('index/here'), '');
const isMarked = (): boolean => existsSync(at('index/here'));

beforeEach(async () => {
  root = await roots.init();
  rmSync(join(root, '.snapignore'));
  writeFileSync(join(root, 'f'), '1');
  const workspace = await open();
  id = (await commit(workspace)).id as BlobId;
  await close();
  mark();
});
afterEach(close);

test('is used as it was left; nobody is told anything, and no mark stays behind', async () => {
  const workspace = await open();
  expect(workspace.repository.index.kind).toBe('level');
  expect(workspace.repository.notices).toEqual([]);
  expect(JSON.parse(readFileSync(at('index-in-use'), 'utf8'))).toMatchObject({ pid: process.pid });
  await works(workspace);
  await close();
  expect(existsSync(at('index-in-use'))).toBe(false);
  expect(isMarked()).toBe(true);
});

describe('of somebody else', () => {
  test('a living process: work goes on from memory, and leaves mark and index to it', async () => {
    const first = await open();
    const second = await open();
    expect(second.repository.index.kind).toBe('memory');
    expect(second.repository.notices).toEqual([]);
    await works(second);
    await second.close();
    opened.pop();
    expect(existsSync(at('index-in-use'))).toBe(true);
    await works(first);
  });

  test('a process of another machine counts as living', async () => {
    leaveMarker(ELSEWHERE);
    const workspace = await open();
    expect(workspace.repository.index.kind).toBe('memory');
    await works(workspace);
    await close();
    expect(JSON.parse(readFileSync(at('index-in-use'), 'utf8'))).toMatchObject({ id: 'elsewhere' });
  });

  test('a process that has not left its mark yet holds the lock of LevelDB', async () => {
    const level = new Level(at('index'));
    await level.open();
    const workspace = await open();
    expect(workspace.repository.index.kind).toBe('memory');
    expect(workspace.repository.notices).toEqual([]);
    await works(workspace);
    await close();
    await level.close();
    expect(isMarked()).toBe(true);
  });
});

describe('of a process that died', () => {
  test('a sound one is kept', async () => {
    leaveMarker(DEAD);
    const workspace = await open();
    expect(workspace.repository.index.kind).toBe('level');
    expect(workspace.repository.notices).toEqual([]);
    await works(workspace);
    expect(isMarked()).toBe(true);
  });

  test('a mark that is half written is one of a dead process', async () => {
    writeFileSync(at('index-in-use'), encodeHolder(DEAD).subarray(0, 30));
    const workspace = await open();
    expect(workspace.repository.index.kind).toBe('level');
    await works(workspace);
  });

  test('one with a changed value is built again, and it is said why', async () => {
    const level = new Level<Uint8Array, Uint8Array>(at('index'), { keyEncoding: 'view', valueEncoding: 'view' });
    for await (const [key, value] of level.iterator({ limit: 1 })) {
      value[0] = (value[0] ?? 0) ^ 1;
      await level.put(key, value);
    }
    await level.close();
    leaveMarker(DEAD);
    const workspace = await open();
    expect(workspace.repository.notices).toEqual([
      'the index was built again: it was left damaged by a command that was killed',
    ]);
    expect(isMarked()).toBe(false);
    await works(workspace);
  });

  test('one whose table would abort the process that reads it is built again', async () => {
    for (const name of readdirSync(at('index')))
      if (/^(MANIFEST|.*\.(ldb|log))/.test(name)) writeFileSync(at(`index/${name}`), Buffer.alloc(200, 0xff));
    leaveMarker(DEAD);
    const workspace = await open();
    expect(workspace.repository.notices).toHaveLength(1);
    await works(workspace);
  });
});

describe('that is no index of this store', () => {
  test('of another store: its contents fail their check', async () => {
    const other = await roots.init('other');
    const theirs = await openAt(other);
    await theirs.close();
    rmSync(at('index'), { recursive: true });
    cpSync(join(other, '.snap/index'), at('index'), { recursive: true });
    const workspace = await open();
    expect(workspace.repository.notices).toEqual(['the index was built again: its contents failed their check']);
    await works(workspace);
  });

  test('one with a state of another form is built again, by the same command', async () => {
    const level = new Level<Uint8Array, Uint8Array>(at('index'), { keyEncoding: 'view', valueEncoding: 'view' });
    await level.put(STATE_KEY, sealValue(STATE_KEY, Buffer.from('{}')));
    await level.close();
    const workspace = await open();
    expect(workspace.repository.notices).toEqual(['the index was built again: it could not be opened']);
    expect(workspace.repository.index.kind).toBe('level');
    await works(workspace);
  });

  test('one that LevelDB cannot open, and a file in its place', async () => {
    writeFileSync(at('index/CURRENT'), 'nothing\n');
    let workspace = await open();
    expect(workspace.repository.notices).toEqual(['the index was built again: it could not be opened']);
    await works(workspace);
    await close();
    rmSync(at('index'), { recursive: true });
    writeFileSync(at('index'), 'a file');
    workspace = await open();
    expect(workspace.repository.notices).toHaveLength(1);
    await works(workspace);
  });

  test('an empty folder or none is filled, and nothing is said', async () => {
    for (const again of [() => mkdirSync(at('index')), () => undefined]) {
      rmSync(at('index'), { recursive: true });
      again();
      const workspace = await open();
      expect(workspace.repository.notices).toEqual([]);
      await works(workspace);
      await close();
    }
  });
});

describe('at the end', () => {
  test('one that another command takes away while it is looked at is made anew', async () => {
    failing.hook = (call, path) => {
      if (call === 'list' && path === at('index')) rmSync(path, { recursive: true, force: true });
      return undefined;
    };
    await works(await open());
    expect(isMarked()).toBe(false);
  });

  test('one that showed a fault is removed, and the next command builds it again', async () => {
    const level = new Level<Uint8Array, Uint8Array>(at('index'), { keyEncoding: 'view', valueEncoding: 'view' });
    const spoiled: Uint8Array[] = [];
    for await (const [key, value] of level.iterator()) {
      if (Buffer.from(key).includes(Buffer.from(id, 'hex'))) {
        value[value.length - 1] = (value.at(-1) ?? 0) ^ 1;
        await level.put(key, value);
        spoiled.push(key);
      }
    }
    await level.close();
    expect(spoiled.length).toBeGreaterThan(0);
    const second = await open();
    expect((await second.repository.trees.snapshot(id)).parent).toBeNull();
    expect(second.repository.notices).toEqual([]);
    await close();
    expect(existsSync(at('index'))).toBe(false);
    await works(await open());
  });

  test('a mark that cannot be removed does not make the command fail; the next one takes it for a dead one', async () => {
    await open();
    failing.hook = (call, path) => (call === 'unlink' && path.endsWith('index-in-use') ? 'EIO' : undefined);
    await close();
    expect(existsSync(at('index-in-use'))).toBe(true);
    const workspace = await open({});
    await works(workspace);
  });
});

describe('on a disk that fails', () => {
  test.each(['EROFS', 'EACCES', 'EPERM'])('%s: the workspace is read without an index', async (errno) => {
    failing.hook = (call, path) => (call === 'open' && path.endsWith('index-in-use') ? errno : undefined);
    const workspace = await open();
    expect(workspace.repository.index.kind).toBe('memory');
    expect(workspace.repository.notices).toEqual(['the workspace cannot be written; working without its index']);
    await works(workspace);
  });

  test('any other error names the folder', async () => {
    failing.hook = (call, path) => (call === 'open' && path.endsWith('index-in-use') ? 'EIO' : undefined);
    await expect(open()).rejects.toMatchObject({ code: 'io', message: expect.stringContaining(at('')) });
  });
});

test("is moved away at once, while a killed command's last file still comes into it", async () => {
  writeFileSync(at('index/CURRENT'), 'nowhere');
  const disk = {
    ...failing.disk,
    removeFolder: (path: string): void => {
      writeFileSync(join(path, '000009.log'), '');
      failing.disk.removeFolder(path);
    },
  };
  const workspace = await open({ disk });
  expect(workspace.repository.index.kind).toBe('level');
  await works(workspace);
  expect(readdirSync(at('tmp'))).toEqual([expect.stringMatching(/^index-/)]);
});

test('the program that looks at it ends with the command that started it', async () => {
  // Whoever opens this index waits for ever.
  const folder = at('waits');
  mkdirSync(folder);
  execFileSync('mkfifo', [join(folder, 'CURRENT')]);
  const script = fileURLToPath(new URL('../../dist/index/index-check.js', import.meta.url));
  const child = spawn(process.execPath, [script, folder], { stdio: ['pipe', 'ignore', 'inherit'] });
  const ended = once(child, 'exit');
  expect(await Promise.race([ended, new Promise((resolve) => setTimeout(() => resolve('waits'), 700))])).toBe('waits');
  child.stdin.end();
  expect(await ended).toEqual([null, 'SIGKILL']);
});

test('the program that looks at it gives signs of life on the way', async () => {
  const level = new Level<Uint8Array, Uint8Array>(at('many'), { keyEncoding: 'view', valueEncoding: 'view' });
  const keys = Array.from({ length: 25_000 }, (_, i) => Buffer.from(`b${i}`));
  await level.batch(keys.map((key) => ({ type: 'put', key, value: sealValue(key, key) })));
  await level.close();
  const script = fileURLToPath(new URL('../../dist/index/index-check.js', import.meta.url));
  const child = spawn(process.execPath, [script, at('many')], { stdio: ['pipe', 'pipe', 'inherit'] });
  const signs: Buffer[] = [];
  child.stdout.on('data', (bytes: Buffer) => signs.push(bytes));
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(Buffer.concat(signs).toString()).toBe('..');
});
