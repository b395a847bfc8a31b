/** Commits of folders that this user may not enter, or not list. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { commit } from '../../src/commit/commit.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { processEnvironment } from '../../src/environment.ts';
import { openRepository } from '../../src/repo/repository.ts';
import { everything } from '../../src/scan/selection.ts';
import { startWorkers } from '../../src/work/start-workers.ts';
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
