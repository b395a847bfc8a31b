/** Writing files: from a store that is no local folder, of chunks that are not what they should be, and when it fails. */
import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { checkoutTo } from '../../src/checkout/checkout.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { processEnvironment } from '../../src/environment.ts';
import { SnapError } from '../../src/errors.ts';
import { BLOB_KIND, blobIdOf } from '../../src/object/blob-id.ts';
import { encodeTree } from '../../src/object/tree.ts';
import type { Repository } from '../../src/repo/repository.ts';
import { openRepository } from '../../src/repo/repository.ts';
import { everything } from '../../src/scan/selection.ts';
import type { Backend } from '../../src/storage/backend.ts';
import { fileEntry, publishTree } from '../danger/crafted.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import { noise } from '../kit/folder.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { makeSmallWorkspace, scratchFolder } from '../kit/small-workspace.ts';
import { failingDisk } from './disks.ts';

const LARGE = noise(9_000_000, 5);
const scratch = scratchFolder();
let made: SmallWorkspace;
let serial = 0;
let to: string;
beforeEach(async () => {
  made = await makeSmallWorkspace(join(scratch, `work-${++serial}`));
  to = `${made.root}-out`;
});
afterEach(() => made.close());
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const written = (): string[] => readdirSync(to).sort();

describe('from a store whose packs are no files of this machine', () => {
  /** The store of the workspace as one elsewhere gives it: by `get` alone. */
  const openElsewhere = async (get: (name: string) => boolean = () => true): Promise<Repository> => {
    const { backend } = made.workspace.repository;
    const far: Backend = {
      ...backend,
      get: async (name, range) => (get(name) ? backend.get(name, range) : undefined),
      localPath: () => undefined,
      changeablePath: () => undefined,
    };
    await made.workspace.close();
    return openRepository(processEnvironment('snap test'), made.root, { storage: far });
  };
  const restore = async (repository: Repository): ReturnType<typeof checkoutTo> => {
    const { snapshot } = repository.head();
    if (snapshot === null) throw new Error('no HEAD');
    return checkoutTo(repository, inlineWorkers(realDisk), to, false, {
      before: undefined,
      after: await repository.trees.snapshot(snapshot),
      selection: everything,
      keepExtra: false,
      overwrite: 'always',
      signal: undefined,
      progress: () => undefined,
    });
  };

  test('small and large files come as bytes, a block of several once', async () => {
    made.write('large', LARGE);
    for (let i = 0; i < 50; i++) made.write(`f${i}`, `file ${i}`);
    await made.commit('first');
    const repository = await openElsewhere();
    expect((await restore(repository)).failures).toEqual([]);
    await repository.close();
    expect(readFileSync(join(to, 'large')).equals(LARGE)).toBe(true);
    for (let i = 0; i < 50; i++) expect(readFileSync(join(to, `f${i}`), 'utf8')).toBe(`file ${i}`);
  });

  test('a pack that is not there any more costs the files in it', async () => {
    made.write('lost', noise(3000, 1));
    await made.commit('first');
    const before = new Set(made.workspace.repository.state().packs.keys());
    made.write('kept', 'kept');
    await made.commit('second');
    const repository = await openElsewhere((name) => ![...before].some((id) => name.includes(id)));
    const { failures } = await restore(repository);
    await repository.close();
    expect(failures.map(({ path, code }) => [path, code])).toEqual([
      ['.snapignore', 'corrupt-data'],
      ['lost', 'corrupt-data'],
    ]);
    expect(failures[0]?.reason).toContain('missing from the store');
    expect(written()).toEqual(['kept']);
  });
});

test('a chunk of another length than its file says costs that file', async () => {
  made.write('good', 'good');
  await made.commit('first');
  const [bytes, good] = [Buffer.from('four'), Buffer.from('good')];
  const wrong = { ...fileEntry('wrong', bytes), size: 3, content: { chunks: [{ id: blobIdOf(bytes), length: 3 }] } };
  const tree = encodeTree([fileEntry('fine', good), wrong]);
  const blobs = [bytes, good].map((content) => ({ kind: BLOB_KIND.data, bytes: content }));
  const id = await publishTree(made.workspace, [...blobs, { kind: BLOB_KIND.tree, bytes: tree }], blobIdOf(tree));
  const { failures } = await checkout(made.workspace, { revision: id, to });
  expect(failures).toMatchObject([{ path: 'wrong', code: 'corrupt-data' }]);
  expect(written()).toEqual(['fine']);
});

describe('a large file that cannot be written', () => {
  beforeEach(async () => {
    made.write('large', LARGE);
    made.write('other', noise(9_000_000, 7));
    made.write('small', 'small');
    await made.commit('first');
  });

  test.each([
    ['is not begun', 'truncate', /./],
    ['is not finished', 'rename', /-m\d+$/],
  ] as const)('and %s costs that file, and leaves nothing behind', async (_what, call, path) => {
    await made.reopen({ disk: failingDisk(call, path, 'EIO') });
    const { failures } = await checkout(made.workspace, { revision: 'HEAD', to });
    expect(failures.map((failure) => [failure.path, failure.code]).sort()).toEqual([
      ['large', 'io'],
      ['other', 'io'],
    ]);
    expect(written()).toEqual(['.snapignore', 'small']);
  });

  test('is named by its own path, not by that of a temporary file', async () => {
    const write: typeof realDisk.write = (fd, ...rest) => {
      if (/-m\d+$/.test(readlinkSync(`/proc/self/fd/${fd}`))) throw Object.assign(new Error('EIO'), { code: 'EIO' });
      return realDisk.write(fd, ...rest);
    };
    await made.reopen({ disk: { ...realDisk, write } });
    const { failures } = await checkout(made.workspace, { revision: 'HEAD', to });
    expect(failures.map(({ reason }) => reason).sort()).toEqual(
      ['large', 'other'].map((name) => `writing ${name} failed (EIO)`),
    );
  });

  test.each([
    'open',
    'truncate',
  ] as const)('for lack of space (%s) stops the checkout, and the next goes on', async (call) => {
    await made.reopen({ disk: failingDisk(call, call === 'open' ? /-m\d+$/ : /./, 'ENOSPC') });
    await expect(checkout(made.workspace, { revision: 'HEAD', to })).rejects.toMatchObject({ code: 'no-space' });
    await made.reopen();
    const { failures } = await checkout(made.workspace, { revision: 'HEAD', to });
    expect(failures).toEqual([]);
    expect(readFileSync(join(to, 'large')).equals(LARGE)).toBe(true);
    expect(written()).toEqual(['.snapignore', 'large', 'other', 'small']);
  });

  test('because somebody wrote another one meanwhile leaves that in its place', async () => {
    const id = made.workspace.repository.head().snapshot ?? '';
    made.write('large', 'saved');
    await made.commit('second');
    const inline = inlineWorkers(realDisk);
    const run: typeof inline.run = async (job, ...more) => {
      if (job.kind === 'segment') made.write('large', 'of that moment');
      return inline.run(job, ...more);
    };
    await made.reopen({}, { workers: { ...inline, run } });
    const { failures } = await checkout(made.workspace, { revision: id });
    expect(failures).toMatchObject([{ path: 'large', code: 'refused' }]);
    expect(readFileSync(join(made.root, 'large'), 'utf8')).toBe('of that moment');
    expect(readdirSync(join(made.root, '.snap/tmp'))).toEqual([]);
  });

  test('because the workers ended stops the checkout', async () => {
    const inline = inlineWorkers(realDisk);
    const run: typeof inline.run = async (job, ...more) => {
      if (job.kind === 'segment') throw new SnapError('internal', 'a worker thread failed');
      return inline.run(job, ...more);
    };
    await made.reopen({}, { workers: { ...inline, run } });
    await expect(checkout(made.workspace, { revision: 'HEAD', to })).rejects.toMatchObject({ code: 'internal' });
    expect(written().filter((name) => name === 'large' || name === 'other')).toEqual([]);
    await made.reopen();
    expect((await checkout(made.workspace, { revision: 'HEAD', to })).failures).toEqual([]);
    expect(written()).toEqual(['.snapignore', 'large', 'other', 'small']);
  });
});
