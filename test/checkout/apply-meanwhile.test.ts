/** What others do while a checkout is carried out stays and is named, at each of the names of a file too. */
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { status } from '../../src/api/history.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { BLOB_KIND, blobIdOf } from '../../src/object/blob-id.ts';
import { packName } from '../../src/repo/layout.ts';
import type { Workers } from '../../src/work/start-workers.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import { flipBit } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { makeSmallWorkspace, scratchFolder } from '../kit/small-workspace.ts';
import { meddlingDisk } from './disks.ts';

const scratch = scratchFolder();
let made: SmallWorkspace;
let serial = 0;
let to: string;
const at = (path: string): string => join(made.root, path);
const put = (path: string, content: string | Buffer): void => {
  rmSync(at(path), { force: true });
  writeFileSync(at(path), content);
};
beforeEach(async () => {
  made = await makeSmallWorkspace(join(scratch, `work-${++serial}`));
  to = `${made.root}-out`;
});
afterEach(() => made.close());
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('what somebody does between the look and the change stays, and is named:', () => {
  /** From a snapshot to one before it, while `meddle` happens. */
  const checkoutWhile = async (first: string, meddle: () => void): ReturnType<typeof checkout> => {
    await made.reopen({ disk: meddlingDisk(meddle) });
    return checkout(made.workspace, { revision: first });
  };

  test('an edit of a file that was to be removed', async () => {
    made.write('stays', '');
    const first = await made.commit('first');
    made.write('goes', 'saved');
    await made.commit('second');
    const { failures, removed } = await checkoutWhile(first, () => put('goes', 'edited'));
    expect(failures).toMatchObject([{ path: 'goes', code: 'refused' }]);
    expect([removed, readFileSync(at('goes'), 'utf8')]).toEqual([0, 'edited']);
  });

  test('a removal of a file that was to be removed is what was wanted', async () => {
    made.write('stays', '');
    const first = await made.commit('first');
    made.write('goes', 'saved');
    await made.commit('second');
    const { failures, removed } = await checkoutWhile(first, () => unlinkSync(at('goes')));
    expect([failures, removed]).toEqual([[], 0]);
    expect((await status(made.workspace)).differs).toBe(false);
  });

  test('a new file in a folder that was to be removed', async () => {
    made.write('stays', '');
    const first = await made.commit('first');
    made.write('d/goes', 'saved');
    await made.commit('second');
    const { kept } = await checkoutWhile(first, () => put('d/new', 'of that moment'));
    expect(kept).toEqual(['d']);
    expect(readdirSync(at('d'))).toEqual(['new']);
  });

  test('an edit of a file whose mode was to change', async () => {
    made.write('f', 'same');
    const first = await made.commit('first');
    chmodSync(at('f'), 0o755);
    await made.commit('second');
    const { failures } = await checkoutWhile(first, () => put('f', 'edited'));
    expect(failures).toMatchObject([{ path: 'f', code: 'refused' }]);
    expect(readFileSync(at('f'), 'utf8')).toBe('edited');
  });

  test('another file where a further name of one was to be', async () => {
    made.write('a', 'shared');
    linkSync(at('a'), at('b'));
    const first = await made.commit('first');
    rmSync(at('b'));
    await made.commit('second');
    const { failures } = await checkoutWhile(first, () => put('b', 'of that moment'));
    expect(failures).toMatchObject([{ path: 'b', code: 'refused' }]);
    expect(readFileSync(at('b'), 'utf8')).toBe('of that moment');
  });
});

describe('of a file with several names', () => {
  let first: string;
  beforeEach(async () => {
    made.write('a', 'shared');
    linkSync(at('a'), at('b'));
    first = await made.commit('first');
    for (const name of ['a', 'b']) put(name, `second ${name}`);
    await made.commit('second');
  });

  test('what somebody wrote at the first one stays, and the others come back', async () => {
    await made.reopen({ disk: meddlingDisk(() => put('a', 'of that moment')) });
    const { failures } = await checkout(made.workspace, { revision: first });
    expect(failures).toMatchObject([{ path: 'a', code: 'refused' }]);
    expect(['a', 'b'].map((name) => readFileSync(at(name), 'utf8'))).toEqual(['of that moment', 'shared']);
  });

  test('no name is given to what somebody wrote at the first one while it was written', async () => {
    const inline = inlineWorkers(realDisk);
    const run: Workers['run'] = (job, ...more) => {
      if (job.kind === 'write') put('a', 'of that moment');
      return inline.run(job, ...more);
    };
    await made.reopen({}, { workers: { ...inline, run } });
    const { failures, written } = await checkout(made.workspace, { revision: first });
    expect(failures.map(({ path, code }) => [path, code]).sort()).toEqual([
      ['a', 'refused'],
      ['b', 'refused'],
    ]);
    expect(written).toBe(0);
    expect(['a', 'b'].map((name) => readFileSync(at(name), 'utf8'))).toEqual(['of that moment', 'second b']);
  });

  test('what somebody wrote at a further name while the first was written stays', async () => {
    const onProgress = (): void => put('b', 'of that moment');
    const { failures } = await checkout(made.workspace, { revision: first, onProgress });
    expect(failures).toMatchObject([{ path: 'b', code: 'refused' }]);
    expect(['a', 'b'].map((name) => readFileSync(at(name), 'utf8'))).toEqual(['shared', 'of that moment']);
  });

  test('whose bytes are lost, every name is a failure, with --force too', async () => {
    mkdirSync(to);
    for (const name of ['a', 'b']) writeFileSync(join(to, name), `mine ${name}`);
    const { repository } = made.workspace;
    const content = noise(3000, 1);
    put('a', content);
    rmSync(at('b'));
    linkSync(at('a'), at('b'));
    const noisy = await made.commit('noise');
    const lost = blobIdOf(content);
    const { pack } = await repository.blobs.locate(BLOB_KIND.data, lost);
    const path = join(made.store, packName(pack));
    flipBit(path, readFileSync(path).indexOf(content));
    const { failures } = await checkout(made.workspace, { revision: noisy, to, force: true });
    expect(failures.map(({ path: name, code }) => [name, code]).sort()).toEqual([
      ['a', 'corrupt-data'],
      ['b', 'corrupt-data'],
    ]);
    expect(['a', 'b'].map((name) => readFileSync(join(to, name), 'utf8'))).toEqual(['mine a', 'mine b']);
  });
});

test('in place, a new name for a file joins those that did not change', async () => {
  made.write('a', 'shared');
  for (const name of ['b', 'c']) linkSync(at('a'), at(name));
  const first = await made.commit('first');
  put('c', 'other');
  await made.commit('second');
  await checkout(made.workspace, { revision: first });
  expect(new Set(['a', 'b', 'c'].map((name) => lstatSync(at(name)).ino)).size).toBe(1);
  expect(readdirSync(at('.snap/tmp'))).toEqual([]);
});
