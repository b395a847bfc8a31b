/** Other file systems, and folders from elsewhere, mounted inside the workspace. */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit, previewCommit } from '../../src/api/commit.ts';
import { gc } from '../../src/api/gc.ts';
import { explainIgnored, status } from '../../src/api/history.ts';
import { verify } from '../../src/api/verify.ts';
import { hasCode } from '../../src/errors.ts';
import { OWN_FOLDER_REASON } from '../../src/repo/is-store.ts';
import { readPicture } from '../kit/crash/stage.ts';
import { fingerprint, noise, roundTimes } from '../kit/folder.ts';
import { mayMount, mount, mountTmpfs, unmountAll } from '../kit/mounts.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;
beforeEach(async () => {
  made = await makeWorkspace({ files: { f: 'one' } });
});
afterEach(async () => {
  unmountAll();
  await made.cleanup();
});

const may = mayMount('mounts.test.ts');

describe.runIf(may)('the .snap of the workspace, mounted inside it,', () => {
  const config = (): string => readFileSync(join(made.root, '.snap/config.toml'), 'utf8');

  test('is told and left out, and left alone by a checkout of a snapshot that took it in', async () => {
    // As a version took it in that did not know it.
    made.write('deep/sub/config.toml', 'not the settings');
    made.write('deep/sub/HEAD', 'not the head');
    const before = await made.commit('one');
    const settings = config();
    mount(join(made.root, 'deep/sub'), '--bind', join(made.root, '.snap'));
    const { id, scan } = await commit(made.workspace, { message: 'two' });
    if (id === undefined) throw new Error('nothing was committed');
    const skipped = [{ path: 'deep/sub', reason: OWN_FOLDER_REASON }];
    expect(scan.skipped).toEqual(skipped);
    expect([...(await readPicture(made.workspace.repository, id)).keys()].sort()).toEqual(['.snapignore', 'deep', 'f']);
    expect((await previewCommit(made.workspace)).scan).toMatchObject({ differs: false, skipped });
    expect(explainIgnored(made.workspace, ['deep/sub/HEAD'])[0]?.rule).toContain(OWN_FOLDER_REASON);
    for (const revision of [before, id]) {
      await checkout(made.workspace, { revision });
      expect(config()).toBe(settings);
    }
    await made.reopen();
    expect((await verify(made.workspace, { data: true })).faultCount).toBe(0);
  });

  test('is no target of --to', async () => {
    await made.commit('one');
    mount(join(made.root, 'sub'), '--bind', join(made.root, '.snap'));
    const to = join(made.root, 'sub');
    const error = await checkout(made.workspace, { revision: 'HEAD', to, force: true }).catch(
      (thrown: unknown) => thrown,
    );
    expect(hasCode(error, 'refused')).toBe(true);
  });
});

/** What cannot be renamed from the workspace's own temporary files: another file system, and one of its own folders. */
const KINDS: [name: string, mountAt: (path: string) => void][] = [
  ['another file system', mountTmpfs],
  [
    'a folder from elsewhere on the same file system',
    (path) => {
      mkdirSync(`${made.root}-elsewhere`);
      mount(path, '--bind', `${made.root}-elsewhere`);
    },
  ],
];

describe.runIf(may).each(KINDS)('%s, mounted in the workspace', (_, mountAt) => {
  const at = (path: string): string => join(made.root, path);
  const names = (path: string): string[] => readdirSync(at(path)).sort();
  const fill = (text: string, seed: number): void => {
    for (const folder of ['sub', 'sub/deep', 'beside'])
      for (const name of ['one', 'two']) made.write(`${folder}/${name}`, `${text} ${folder}/${name}`);
    made.write('sub/large', noise(9_000_000, seed));
    for (const name of ['sub/link', 'sub/again', 'sub/deep/again', 'sub/pipe']) rmSync(at(name), { force: true });
    symlinkSync(text, at('sub/link'));
    for (const name of ['sub/again', 'sub/deep/again']) linkSync(at('sub/one'), at(name));
    execFileSync('mkfifo', [at('sub/pipe')]);
    roundTimes(made.root);
  };

  test('is checked out as any folder, to and fro', async () => {
    mountAt(at('sub'));
    fill('first', 1);
    const first = [await made.commit('first'), fingerprint(made.root)] as const;
    fill('second', 2);
    made.write('sub/deep/more/file', 'more');
    roundTimes(made.root);
    const second = [await made.commit('second'), fingerprint(made.root)] as const;
    for (const [revision, seen] of [first, second, first]) {
      expect((await checkout(made.workspace, { revision })).failures).toEqual([]);
      expect(fingerprint(made.root)).toEqual(seen);
      expect(lstatSync(at('sub/one')).ino).toBe(lstatSync(at('sub/deep/again')).ino);
      expect(names('.snap/tmp')).toEqual([]);
      const { changes } = await status(made.workspace);
      for await (const change of changes) expect(change).toBeUndefined();
    }
  });

  test('stays where the snapshot has nothing there, empty', async () => {
    const before = await made.commit('before');
    mountAt(at('sub'));
    made.write('sub/file', 'two');
    await made.commit('after');
    const { failures, kept } = await checkout(made.workspace, { revision: before });
    expect({ failures, kept }).toEqual({ failures: [], kept: ['sub'] });
    expect(names('sub')).toEqual([]);
  });

  test('cuts names of one file apart that lie on both sides, each with the bytes of the snapshot', async () => {
    made.write('a', 'linked');
    mkdirSync(at('sub'));
    for (const name of ['sub/b', 'sub/c', 'd']) linkSync(at('a'), at(name));
    const linked = await made.commit('linked');
    for (const name of ['a', 'd']) rmSync(at(name));
    rmSync(at('sub'), { recursive: true });
    mountAt(at('sub'));
    await made.commit('none');
    expect((await checkout(made.workspace, { revision: linked })).failures).toEqual([]);
    for (const name of ['a', 'd', 'sub/b', 'sub/c']) expect(made.read(name), name).toBe('linked');
    expect(lstatSync(at('a')).ino).toBe(lstatSync(at('d')).ino);
  });

  test('is written into with --to, and nothing but the snapshot is left', async () => {
    fillPlain();
    await made.commit('first');
    const to = `${made.root}-to`;
    mkdirSync(to);
    cpSync(at('f'), join(to, 'f'));
    mountAt(join(to, 'sub'));
    const { failures } = await checkout(made.workspace, { revision: 'HEAD', to, force: true });
    expect(failures).toEqual([]);
    expect(readdirSync(to).sort()).toEqual(['.snapignore', 'f', 'sub']);
    expect(readdirSync(join(to, 'sub')).sort()).toEqual(['large', 'small']);
    expect(readFileSync(join(to, 'sub/large')).equals(readFileSync(at('sub/large')))).toBe(true);
  });

  const fillPlain = (): void => {
    made.write('sub/small', 'small');
    made.write('sub/large', noise(9_000_000, 3));
  };

  test('loses what a killed checkout left there at the next one, or at gc, and scans leave it out', async () => {
    mountAt(at('sub'));
    made.write('sub/file', 'file');
    const first = await made.commit('first');
    const token = 'ab'.repeat(16);
    const [left, mine] = [`sub/.snap-checkout-${token}-m0`, `sub/.snap-checkout-${'cd'.repeat(16)}-m0`];
    for (const clean of [
      () => checkout(made.workspace, { revision: first }),
      () => gc(made.workspace, {}),
    ] as (() => Promise<unknown>)[]) {
      made.write(left, 'half a file');
      made.write(mine, 'of somebody else');
      writeFileSync(at(`.snap/tmp/${token}-beside-m-0`), 'sub');
      expect((await commit(made.workspace, { message: 'nothing' })).id).toBeUndefined();
      expect(explainIgnored(made.workspace, [left])[0]?.rule).toContain('temporary file of a checkout');
      await clean();
      expect([left, mine].map((path) => existsSync(at(path)))).toEqual([false, true]);
      expect(names('.snap/tmp')).toEqual([]);
    }
  });
});
