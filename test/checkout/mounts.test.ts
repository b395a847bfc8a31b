/** Other file systems, and folders from elsewhere, mounted inside the workspace. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit, previewCommit } from '../../src/api/commit.ts';
import { explainIgnored } from '../../src/api/history.ts';
import { verify } from '../../src/api/verify.ts';
import { hasCode } from '../../src/errors.ts';
import { OWN_FOLDER_REASON } from '../../src/repo/is-store.ts';
import { readPicture } from '../kit/crash/stage.ts';
import { mayMount, mount, unmountAll } from '../kit/mounts.ts';
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

describe.runIf(mayMount('mounts.test.ts'))('the .snap of the workspace, mounted inside it,', () => {
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
