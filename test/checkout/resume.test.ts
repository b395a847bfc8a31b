/** A checkout into another folder that is cut short goes on when it is run again. */
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { hasCode } from '../../src/errors.ts';
import { noise } from '../kit/folder.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

const FILES = 240;
const content = (i: number): Buffer => noise(300_000, i);
let made: TestWorkspace;
let to: string;
beforeEach(async () => {
  made = await makeWorkspace();
  for (let i = 0; i < FILES; i++) made.write(`d${i % 20}/f${i}`, content(i));
  await made.commit('all');
  to = join(made.root, '..', 'elsewhere');
});
afterEach(() => made.cleanup());

/** Stops as soon as some files are there. */
async function stopped(): Promise<void> {
  const stop = new AbortController();
  await made.reopen({ signal: stop.signal });
  const onProgress = (): void => stop.abort('SIGINT');
  await expect(checkout(made.workspace, { revision: 'HEAD', to, onProgress })).rejects.toThrow();
  await made.reopen();
}

test('after an interruption, without rewriting what is right', async () => {
  await stopped();
  const there = readdirSync(to, { recursive: true })
    .map(String)
    .filter((name) => /\/f\d+$|^\.snapignore$/.test(name));
  expect(there.length).toBeGreaterThan(0);
  expect(there.length).toBeLessThan(FILES);
  const before = there.map((name) => statSync(join(to, name)).ino);
  const { alreadyRight, written } = await checkout(made.workspace, { revision: 'HEAD', to });
  expect([alreadyRight, written]).toEqual([there.length, FILES + 1 - there.length]);
  expect(there.map((name) => statSync(join(to, name)).ino)).toEqual(before);
  for (let i = 0; i < FILES; i++) expect(readFileSync(join(to, `d${i % 20}/f${i}`)).equals(content(i))).toBe(true);
  expect(readdirSync(to).filter((name) => name.startsWith('.snap-'))).toEqual([]);
});

test('a folder with files of its own is still refused', async () => {
  await stopped();
  rmSync(to, { recursive: true });
  mkdirSync(to);
  writeFileSync(join(to, 'mine'), 'mine');
  const error = await checkout(made.workspace, { revision: 'HEAD', to }).catch((thrown: unknown) => thrown);
  expect(hasCode(error, 'refused')).toBe(true);
  expect(readdirSync(to)).toEqual(['mine']);
});

test('what the user put there meanwhile, in a place of a file, a link or a folder, stays and is told', async () => {
  linkSync(join(made.root, 'd0/f0'), join(made.root, 'd19/linked'));
  await made.commit('with a link');
  await stopped();
  const missing = Array.from({ length: FILES }, (_, i) => `d${i % 20}/f${i}`).filter(
    (path) => !existsSync(join(to, path)),
  );
  const there = Array.from({ length: FILES }, (_, i) => `d${i % 20}/f${i}`).filter((path) =>
    existsSync(join(to, path)),
  );
  const mine = [missing.at(-1) ?? '', there[0] ?? '', 'd19/linked'];
  for (const path of mine) {
    mkdirSync(join(to, path, '..'), { recursive: true });
    writeFileSync(join(to, path), 'work of an hour');
  }
  const { failures } = await checkout(made.workspace, { revision: 'HEAD', to });
  expect(failures.map(({ path, code }) => `${code} ${path}`).sort()).toEqual(
    mine.map((path) => `refused ${path}`).sort(),
  );
  for (const path of mine) expect(readFileSync(join(to, path), 'utf8')).toBe('work of an hour');
  const forced = await checkout(made.workspace, { revision: 'HEAD', to, force: true });
  expect(forced.failures).toEqual([]);
  for (let i = 0; i < FILES; i++) expect(readFileSync(join(to, `d${i % 20}/f${i}`)).equals(content(i))).toBe(true);
  expect(statSync(join(to, 'd19/linked')).ino).toBe(statSync(join(to, 'd0/f0')).ino);
});

test.each([
  ['another folder of that name', ''],
  ['one with a mark of another store', 'mark'],
])('%s does not open a folder, and is left as it is', async (_what, kind) => {
  const token = 'ab'.repeat(16);
  const planted = join(to, `.snap-checkout-${token}`);
  mkdirSync(planted, { recursive: true });
  if (kind === 'mark') writeFileSync(join(planted, `${token}-mark`), '{"format":1}');
  writeFileSync(join(planted, 'thesis'), 'thesis');
  writeFileSync(join(to, '.snapignore'), 'mine');
  const error = await checkout(made.workspace, { revision: 'HEAD', to }).catch((thrown: unknown) => thrown);
  expect(hasCode(error, 'refused')).toBe(true);
  await checkout(made.workspace, { revision: 'HEAD', to, force: true });
  expect(readFileSync(join(planted, 'thesis'), 'utf8')).toBe('thesis');
});

test('one that went on with another snapshot is not gone on with', async () => {
  await stopped();
  made.write('new', 'new');
  await made.commit('next');
  const error = await checkout(made.workspace, { revision: 'HEAD', to }).catch((thrown: unknown) => thrown);
  expect(hasCode(error, 'refused')).toBe(true);
  expect((await checkout(made.workspace, { revision: 'HEAD~1', to })).failures).toEqual([]);
});
