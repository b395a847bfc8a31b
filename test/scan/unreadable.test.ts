/** Commits of folders that this user may not enter, or not list. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { commit } from '../../src/commit/commit.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { processEnvironment } from '../../src/environment.ts';
import { openRepository } from '../../src/repo/repository.ts';
import { everything } from '../../src/scan/selection.ts';
import { startWorkers } from '../../src/work/start-workers.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;
beforeEach(async () => {
  made = await makeWorkspace({ files: { a: 'a', 'closed/b': 'b', 'open/c': 'c' } });
  await made.workspace.close();
});
afterEach(() => made.cleanup());

/** The system's answers to a user who has no rights on the folder `closed`; root, as whom tests may run, has all. */
const denied = <T>(path: string, inside: boolean, work: () => T): T => {
  if (inside ? path.includes('/closed/') : path.endsWith('/closed'))
    throw Object.assign(new Error(`EACCES: ${path}`), { code: 'EACCES' });
  return work();
};

test('a folder that may not be entered is named and kept in the record; the rest is stored', async () => {
  const environment = {
    ...processEnvironment('test'),
    disk: {
      ...realDisk,
      lstat: (path: string) => denied(path, true, () => realDisk.lstat(path)),
      list: (path: string) => denied(path, false, () => realDisk.list(path)),
    },
  };
  const repository = await openRepository(environment, made.root);
  const workers = startWorkers(1);
  const result = await commit(repository, workers, {
    message: 'x',
    origin: 'commit',
    selection: everything,
    exclude: [],
    meta: {},
    tag: undefined,
    allowEmpty: false,
    rescan: false,
    compression: undefined,
    signal: undefined,
    progress: () => undefined,
  });
  await workers.close();
  expect(result.scan.skipped).toEqual([{ path: 'closed', reason: 'EACCES' }]);
  expect(result.snapshot?.skipped).toEqual([{ path: 'closed', reason: 'EACCES' }]);
  const names = (await repository.trees.folder(result.snapshot?.tree ?? ('' as never))).map(({ name }) => name);
  expect(names).toContain('a');
  expect(names).toContain('open');
  await repository.close();
});

const OPTIONS = {
  message: 'x',
  origin: 'commit',
  selection: everything,
  exclude: [],
  meta: {},
  tag: undefined,
  allowEmpty: false,
  rescan: false,
  compression: undefined,
  signal: undefined,
  progress: () => undefined,
} as const;

/** A disk of which one call fails with EIO whenever `when` says so. */
function failing(call: 'list' | 'lstat' | 'close', when: (what: unknown) => boolean): typeof realDisk {
  const real = realDisk[call] as (what: never) => unknown;
  const fail = (what: never): unknown => {
    if (call === 'close') real(what);
    if (when(what)) throw Object.assign(new Error('EIO'), { code: 'EIO' });
    return call === 'close' ? undefined : real(what);
  };
  return { ...realDisk, [call]: fail };
}

test.each(['list', 'lstat'] as const)('a workspace folder that cannot be read (%s) is said in words', async (call) => {
  const disk = failing(call, (path) => path === made.root);
  const repository = await openRepository({ ...processEnvironment('test'), disk }, made.root);
  const workers = inlineWorkers(disk);
  await expect(commit(repository, workers, OPTIONS)).rejects.toMatchObject({ code: 'io', name: 'SnapError' });
  await repository.close();
});

test('a source file whose close fails was read all the same', async () => {
  const repository = await openRepository(processEnvironment('test'), made.root);
  const workers = inlineWorkers(failing('close', () => true));
  const { scan, id } = await commit(repository, workers, OPTIONS);
  expect(scan).toMatchObject({ skipped: [], totals: { files: 4 } });
  expect(id).toBeDefined();
  await repository.close();
});
