/** Ignored files, and things of another kind, are not lost by going back and forth. */
import { existsSync, lstatSync, symlinkSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { undo } from '../../src/api/undo.ts';
import { hasCode } from '../../src/errors.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;
beforeEach(async () => {
  made = await makeWorkspace({ files: { '.snapignore': '# none\n', 't/s': 'source' } });
});
afterEach(() => made.cleanup());

test('what the snapshot to come ignores stays, although the one before it did not', async () => {
  const before = await made.commit('without the rule');
  made.write('.snapignore', '*.o\n');
  made.write('t/a.o', 'object');
  const after = await made.commit('with the rule');
  await checkout(made.workspace, { revision: before });
  expect(made.read('t/a.o')).toBe('object');
  await checkout(made.workspace, { revision: after });
  expect(made.read('t/a.o')).toBe('object');
});

test('an undo leaves it too', async () => {
  await made.commit('without the rule');
  made.write('.snapignore', '*.o\n');
  made.write('t/a.o', 'object');
  await made.commit('with the rule');
  await checkout(made.workspace, { revision: 'HEAD~1' });
  await undo(made.workspace);
  expect([made.read('t/a.o'), made.read('.snapignore')]).toEqual(['object', '*.o\n']);
});

test('a folder with ignored files where a file is to be stops the checkout before it begins', async () => {
  made.remove('t');
  made.write('t', 'a file');
  const before = await made.commit('t is a file');
  made.remove('t');
  made.write('.snapignore', '*.o\n');
  made.write('t/s', 'source');
  made.write('t/a.o', 'object');
  await made.commit('t is a folder');
  const error = await checkout(made.workspace, { revision: before }).catch((thrown: unknown) => thrown);
  expect(hasCode(error, 'refused')).toBe(true);
  expect([made.read('t/s'), made.read('t/a.o')]).toEqual(['source', 'object']);
});

test.each(['never', 'if-newer'] as const)('--overwrite %s replaces nothing by another kind', async (overwrite) => {
  made.write('d/in', 'a folder');
  made.write('f', 'a file');
  const before = await made.commit('folder d, file f');
  made.remove('d');
  made.remove('f');
  symlinkSync('t', `${made.root}/d`);
  made.write('f/in', 'kept');
  await made.commit('link d, folder f');
  const { kept } = await checkout(made.workspace, { revision: before, overwrite, keepExtra: true });
  expect([...kept].sort()).toEqual(['d', 'f']);
  expect(lstatSync(`${made.root}/d`).isSymbolicLink()).toBe(true);
  expect(made.read('f/in')).toBe('kept');
});

test('--no-delete keeps a folder where a file is to be', async () => {
  made.write('f', 'a file');
  const before = await made.commit('file f');
  made.remove('f');
  made.write('f/in', 'kept');
  await made.commit('folder f');
  await checkout(made.workspace, { revision: before, keepExtra: true });
  expect(existsSync(`${made.root}/f/in`)).toBe(true);
});
