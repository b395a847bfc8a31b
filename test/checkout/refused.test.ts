/** A checkout that is refused leaves nothing behind, and what already holds the right bytes is not in the way. */
import { mkdirSync, readdirSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout, planCheckout } from '../../src/api/checkout.ts';
import { log, status } from '../../src/api/history.ts';
import { undo } from '../../src/api/undo.ts';
import { hasCode, SnapError } from '../../src/errors.ts';
import { collect } from '../history/collect.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;
let first: string;
beforeEach(async () => {
  made = await makeWorkspace({ files: { a: 'one', 'data/big': 'payload' } });
  first = await made.commit('one');
  made.write('.snapignore', 'data/\n');
  made.write('a', 'two');
  await made.commit('two');
});
afterEach(() => made.cleanup());

test('an ignored file with the bytes of the snapshot is not in the way', async () => {
  expect((await planCheckout(made.workspace, { revision: first })).blocked).toEqual([]);
  const before = statSync(`${made.root}/data/big`).ino;
  await checkout(made.workspace, { revision: first });
  expect(statSync(`${made.root}/data/big`).ino).toBe(before);
  expect((await status(made.workspace)).differs).toBe(false);
});

test('one with other bytes is refused, and the changes saved for it are as uncommitted as before', async () => {
  made.write('data/big', 'precious');
  made.write('a', 'three');
  const before = (await collect(log(made.workspace))).length;
  const error = await checkout(made.workspace, { revision: first }).catch((thrown: unknown) => thrown);
  expect(hasCode(error, 'refused')).toBe(true);
  expect((await collect(log(made.workspace))).length).toBe(before);
  expect((await status(made.workspace)).differs).toBe(true);
  expect(made.read('data/big')).toBe('precious');
  // The newest operation to undo is the commit, not the one that the refused checkout made.
  const { plan } = await undo(made.workspace, {});
  expect(plan.kind === 'journal' && plan.entry.note).toBe('two');
});

test('the folder itself gets the time of the snapshot', async () => {
  utimesSync(made.root, 1_500_000_000, 1_500_000_000);
  made.write('a', 'x');
  const third = await made.commit('three');
  utimesSync(made.root, 1_600_000_000, 1_600_000_000);
  await checkout(made.workspace, { revision: first });
  await checkout(made.workspace, { revision: third });
  expect(statSync(made.root).mtimeMs).toBe(1_500_000_000_000);
});

test('a link to a folder is a target; one that leads nowhere, a file, and a path below them are not', async () => {
  const at = (name: string): string => `${made.root}-to/${name}`;
  mkdirSync(at('there'), { recursive: true });
  symlinkSync('there', at('link'));
  symlinkSync('nowhere', at('dangling'));
  writeFileSync(at('file'), '');
  try {
    await checkout(made.workspace, { revision: first, to: at('link') });
    expect(readdirSync(at('there')).sort()).toEqual(['.snapignore', 'a', 'data']);
    for (const name of ['dangling', 'file', 'dangling/below'])
      await expect(checkout(made.workspace, { revision: first, to: at(name) }), name).rejects.toMatchObject({
        code: 'refused',
      });
    await expect(checkout(made.workspace, { revision: first, to: at('file/below') })).rejects.toThrow(
      /is a file, not a/,
    );
    expect(readdirSync(at('.')).sort()).toEqual(['dangling', 'file', 'link', 'there']);
  } finally {
    rmSync(`${made.root}-to`, { recursive: true });
  }
});

describe('says of each path why, and what to do', () => {
  const hints = async (revision: string, paths?: readonly string[]): Promise<string[]> => {
    const error = await checkout(made.workspace, { revision, paths }).catch((thrown: unknown) => thrown);
    return error instanceof SnapError ? [error.message, error.hint ?? ''] : ['not refused'];
  };
  const MOVE = 'Nothing was changed. You can move it away';
  const LEAVE = 'leave it and all other files that are there as they are with --overwrite never';
  const TAKE = 'take what is ignored in with "!" in .snapignore and commit.';

  test('ignored, by which rule; --overwrite never leaves it', async () => {
    made.write('data/big', 'precious');
    expect(await hints(first)).toEqual([
      'data/big (ignored by .snapignore:1: data/) is in the way',
      `${MOVE}, or ${LEAVE}, or ${TAKE}`,
    ]);
    const { kept } = await checkout(made.workspace, { revision: first, overwrite: 'never' });
    expect(kept).toEqual(['.snapignore', 'a', 'data/big']);
    expect(made.read('data/big')).toBe('precious');
  });

  test('a folder with something ignored in it, where a file is to be', async () => {
    made.write('.snapignore', '*.o\n');
    made.remove('a');
    made.write('a/in/x.o', 'object');
    made.write('a/in/y', 'source');
    await made.commit('three');
    expect((await hints(first))[0]).toBe('a (with a/in/x.o in it, ignored by .snapignore:1: *.o) is in the way');
  });

  test('a file that no path names, where a folder is to be: nothing but moving it away helps', async () => {
    made.remove('data');
    made.write('.snapignore', '# nothing\n');
    made.write('data', 'a file');
    await made.commit('three');
    expect(await hints(first, ['data/big'])).toEqual([
      'data (it is not part of this checkout) is in the way',
      `${MOVE}.`,
    ]);
  });
});
