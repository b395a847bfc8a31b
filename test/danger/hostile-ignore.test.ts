/** Ignore files that somebody made to stop whoever checks them out: refused by size before anything is made of them. */
import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { status } from '../../src/api/history.ts';
import { BLOB_KIND, blobIdOf } from '../../src/object/blob-id.ts';
import { encodeTree } from '../../src/object/tree.ts';
import type { Ran } from '../kit/snap.ts';
import { snap } from '../kit/snap.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';
import { fileEntry, publishTree } from './crafted.ts';

let made: TestWorkspace;
beforeEach(async () => {
  made = await makeWorkspace({ files: { 'sub/a': '1', 'sub/b.log': '1' } });
});
afterEach(() => made.cleanup());

const run = (...args: string[]): Ran => snap(['-C', made.root, ...args]);
const MIB = 1024 * 1024;

test('one line of 20 MB, or a file of a terabyte, is refused at once, by name and with exit code 2', () => {
  for (const [path, bytes] of [
    ['.snapignore', 20_000_000],
    ['sub/.snapignore', 2 ** 40],
  ] as const) {
    made.write(path, '');
    truncateSync(join(made.root, path), bytes);
    for (const args of [['status'], ['commit', '-m', 'x'], ['check-ignore', 'sub/a']])
      expect(run(...args), args[0]).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(`${path} is too large for an ignore file`),
      });
    made.remove(path);
  }
  expect(run('status').code).toBe(0);
});

test('a pattern of more than 4096 characters is refused by its line; a comment, and 1 MiB of patterns, are taken', async () => {
  made.write('sub/.snapignore', `# ${'c'.repeat(5000)}\n${'x'.repeat(4096)}\n*.log\n`);
  const paths = async (): Promise<string[]> => {
    const found: string[] = [];
    for await (const { path } of (await status(made.workspace)).changes) found.push(path);
    return found;
  };
  expect(await paths()).toEqual(['.snapignore', 'sub/.snapignore', 'sub/a']);
  made.write('sub/.snapignore', `*.log\n${'\0'.repeat(4097)}\n`);
  await expect(status(made.workspace)).rejects.toMatchObject({
    code: 'usage',
    message: 'sub/.snapignore:2: a pattern is longer than 4096 characters',
  });
  const pattern = 'some/folder/of/the/project/and/a/file-000.txt\n';
  made.write('sub/.snapignore', `${pattern.repeat(Math.floor(MIB / pattern.length) - 1)}*.log\n`);
  expect(await paths()).toEqual(['.snapignore', 'sub/.snapignore', 'sub/a']);
});

test('a snapshot with such a file is checked out, and the folder is used again once it is gone', async () => {
  const first = await made.commit('first');
  const bytes = Buffer.alloc(2 * MIB, '*.log\n');
  const tree = encodeTree([fileEntry('.snapignore', bytes), fileEntry('a', Buffer.from('a'))]);
  const blobs = [bytes, Buffer.from('a')].map((blob) => ({ kind: BLOB_KIND.data, bytes: blob }));
  const hostile = await publishTree(made.workspace, [...blobs, { kind: BLOB_KIND.tree, bytes: tree }], blobIdOf(tree));
  await made.reopen();
  await checkout(made.workspace, { revision: hostile });
  expect(run('status')).toMatchObject({ code: 2, stderr: expect.stringContaining('too large for an ignore file') });
  made.remove('.snapignore');
  await checkout(made.workspace, { revision: first });
  expect(made.read('sub/a')).toBe('1');
});
