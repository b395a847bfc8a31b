/** Commits of folders that this user may not enter, or not list. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { commit } from '../../src/commit/commit.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { processEnvironment } from '../../src/environment.ts';
import { openRepository } from '../../src/repo/repository.ts';
import { everything } from '../../src/scan/selection.ts';
import { startWorkers } from '../../src/work/start-workers.ts';
import { plainPath } from '../danger/crafted.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;
beforeEach(async () => {
  made = await makeWorkspace({ files: { a: 'a', 'closed/b': 'b', 'open/c': 'c' } });
  await made.workspace.close();
});
afterEach(() => made.cleanup());

/** The system's answer to a user who has no such right on the folder `closed`; root, as whom tests may run, has all. */
const denied = <T>(path: string, denies: RegExp, work: () => T): T => {
  if (denies.test(plainPath(path))) throw Object.assign(new Error(`EACCES: ${path}`), { code: 'EACCES' });
  return work();
};

test.each([
  ['listed', /\/closed$/, /\/closed\//],
  ['entered', /\/never$/, /\/closed\//],
])('a folder that may not be %s is named and kept in the record; the rest is stored', async (_, opened, entered) => {
  const environment = {
    ...processEnvironment('test'),
    disk: {
      ...realDisk,
      open: (path: string, ...rest: [number, number?]) => denied(path, opened, () => realDisk.open(path, ...rest)),
      lstat: (path: string) => denied(path, entered, () => realDisk.lstat(path)),
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
