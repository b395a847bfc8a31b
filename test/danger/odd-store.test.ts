/**
 * Something else in the place of snap's own files: FIFOs, folders, links. A command says so, with the right exit code
 * and in time, and what a link leads to is never touched.
 */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { amount } from '../kit/amount.ts';
import { packPaths } from '../kit/damage.ts';
import { temporaryFolder } from '../kit/folder.ts';
import type { Running } from '../kit/processes/run.ts';
import { start } from '../kit/processes/run.ts';

const WAIT_MS = 20_000;

let made: ReturnType<typeof temporaryFolder>;
let folder: ReturnType<typeof temporaryFolder>;
let root: string;
beforeAll(async () => {
  made = temporaryFolder();
  root = made.path;
  writeFileSync(join(root, 'a'), 'one');
  expect(await run('init')).toMatchObject({ code: 0 });
  expect(await run('commit', '-m', 'one')).toMatchObject({ code: 0 });
});
afterAll(() => made.remove());
beforeEach(() => {
  folder = temporaryFolder();
  root = join(folder.path, 'work');
  cpSync(made.path, root, { recursive: true, preserveTimestamps: true });
});
afterEach(() => folder.remove());

/** The outcome of a command; one that does not end is killed, and has the code null. */
async function run(...args: string[]): Promise<Awaited<Running['done']>> {
  const running = start(args, root);
  const timer = setTimeout(() => running.child.kill('SIGKILL'), WAIT_MS);
  const done = await running.done;
  clearTimeout(timer);
  return done;
}

function put(kind: 'fifo' | 'folder' | 'link', path: string): void {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(dirname(path), { recursive: true });
  if (kind === 'fifo') execFileSync('mkfifo', [path]);
  else if (kind === 'folder') mkdirSync(path);
  else symlinkSync(join(folder.path, 'nowhere'), path);
}

const JOURNAL = '.snap/store/journal';
const PLACES: readonly (readonly [string, string, readonly string[]])[] = [
  ['HEAD', '.snap/HEAD', ['log']],
  ['the lock of the workspace', '.snap/lock', ['commit', '-m', 'two']],
  ['the store configuration', '.snap/store/config.json', ['log']],
  ['the last journal entry', `${JOURNAL}/000000000002.json`, ['verify']],
  ['the next journal entry', `${JOURNAL}/000000000003.json`, ['commit', '-m', 'two']],
  ['the lock of gc', '.snap/store/locks/gc', ['gc']],
];

const KINDS: readonly ('fifo' | 'folder' | 'link')[] = ['fifo', 'folder', 'link'];

describe.each(KINDS.slice(0, amount({ sample: 1, ordinary: 3, long: 3 })))('a %s in the place of', (kind) => {
  test.each(PLACES)('%s', { timeout: 60_000 }, async (_name, path, args) => {
    writeFileSync(join(root, 'a'), 'two');
    put(kind, join(root, path));
    const { code, stderr } = await run(...args);
    expect(code, stderr).toBe(20);
    expect(stderr).not.toMatch(/ at .*\.[jt]s:/);
  });

  test('the index: it is built again', { timeout: 60_000 }, async () => {
    put(kind, join(root, '.snap/index/CURRENT'));
    expect(await run('log', '--json')).toMatchObject({ code: 0 });
    put(kind, join(root, '.snap/index'));
    expect(await run('log', '--json')).toMatchObject({ code: 0 });
  });

  test('a session: nobody is there', { timeout: 60_000 }, async () => {
    put(kind, join(root, '.snap/store/locks/sessions/x.json'));
    expect(await run('gc')).toMatchObject({ code: 0 });
    expect(readdirSync(join(root, '.snap/store/locks/sessions'))).toEqual(['x.json']);
  });
});

test.each([
  ['.snap/tmp', ['commit', '-m', 'two']],
  ['.snap/store/tmp', ['commit', '-m', 'two']],
  ['.snap/store/locks/sessions', ['checkout', 'HEAD']],
  ['.snap/store/locks', ['gc']],
] as const)('a file or a link that leads nowhere in the place of the folder %s is named', async (path, args) => {
  writeFileSync(join(root, 'a'), 'two');
  const before = readdirSync(join(root, JOURNAL)).length;
  rmSync(join(root, path), { recursive: true, force: true });
  writeFileSync(join(root, path), 'x');
  const file = await run(...args);
  expect(file, file.stderr).toMatchObject({ code: 20 });
  expect(file.stderr).toContain(`${path} is no folder`);
  put('link', join(root, path));
  const link = await run(...args);
  expect(link, link.stderr).toMatchObject({ code: 20 });
  expect(link.stderr).toContain(`${path} is a link that leads to no folder`);
  expect(readdirSync(join(root, JOURNAL))).toHaveLength(before);
  // It was moved away.
  rmSync(join(root, path));
  expect(await run(...args)).toMatchObject({ code: 0 });
});

const FOLDERS: readonly (readonly [string, readonly string[]])[] = [
  ['packs', ['verify', 'repair', 'commit']],
  ['journal', ['verify', 'repair', 'commit']],
  ['checkpoints', ['verify', 'repair']],
  ['bases', ['verify', 'repair', 'commit']],
  ['locks', ['verify', 'repair', 'commit']],
];

test.each(amount({ sample: FOLDERS.slice(0, 2), ordinary: FOLDERS, long: FOLDERS }))(
  'something else in the place of %s is damage, and named',
  { timeout: 60_000 },
  async (name, commands) => {
    const place = join(root, '.snap/store', name);
    writeFileSync(join(root, 'a'), 'two');
    for (const target of [undefined, 'nowhere', name].slice(0, amount({ sample: 1, ordinary: 3, long: 3 }))) {
      rmSync(place, { recursive: true, force: true });
      if (target === undefined) writeFileSync(place, 'x');
      else symlinkSync(target, place);
      for (const command of commands) {
        const { code, stdout, stderr } = await run(command);
        expect([target, command, code, stderr]).toEqual([target, command, 20, expect.any(String)]);
        // Of the journal, a commit says what it lacks; of packs behind a dangling link, verify says which.
        if (command === 'repair') expect(stdout + stderr).toContain(`${place} is `);
      }
    }
  },
);

test.each(['nowhere', 'itself'])('a link that leads %s in the place of a pack is damage', async (where) => {
  const [pack = ''] = packPaths(join(root, '.snap/store'));
  rmSync(pack);
  symlinkSync(where === 'itself' ? basename(pack) : 'nowhere', pack);
  for (const args of [['verify'], ['verify', '--data'], ['repair', '--dry-run'], ['gc']])
    expect([args, await run(...args)]).toEqual([args, expect.objectContaining({ code: 20 })]);
  // From the index and the folder.
  for (const args of [['repair'], ['verify', '--data']])
    expect([args, await run(...args)]).toEqual([args, expect.objectContaining({ code: 0 })]);
});

test.each([
  '.snap/tmp',
  '.snap/store/tmp',
  '.snap/store/locks/sessions',
])('what a link in the place of %s leads to is left alone', async (path) => {
  const own = join(folder.path, 'own');
  mkdirSync(own);
  const names = ['letter', 'x.json', `${'0'.repeat(32)}-letter`, `${'0'.repeat(32)}.pack`];
  for (const name of names) {
    writeFileSync(join(own, name), 'precious');
    utimesSync(join(own, name), 1, 1);
  }
  rmSync(join(root, path), { recursive: true, force: true });
  symlinkSync(own, join(root, path));
  await run('gc', '--now');
  await run('verify');
  await run('commit', '-m', 'two');
  expect(names.filter((name) => !existsSync(join(own, name)))).toEqual([]);
  expect(lstatSync(join(root, path)).isSymbolicLink()).toBe(true);
});

test('packs behind links are packs: what can be read is not dropped', async () => {
  rmSync(join(root, 'a'));
  expect(await run('commit', '-m', 'two')).toMatchObject({ code: 0 });
  for (const path of packPaths(join(root, '.snap/store'))) {
    const elsewhere = join(folder.path, basename(path));
    renameSync(path, elsewhere);
    symlinkSync(elsewhere, path);
  }
  expect(await run('verify', '--data')).toMatchObject({ code: 0 });
  expect(await run('repair', '--drop-damaged')).toMatchObject({ code: 0 });
  expect((await run('cat', 'HEAD~1:a')).stdout).toBe('one');
});

test('a folder in the place of a pack is damage, and repair needs no hand', async () => {
  const [pack = ''] = packPaths(join(root, '.snap/store'));
  rmSync(pack);
  mkdirSync(pack);
  writeFileSync(join(pack, 'x'), 'somebody put it here');
  for (const args of [['verify'], ['verify', '--data']]) expect(await run(...args)).toMatchObject({ code: 20 });
  expect(await run('repair')).toMatchObject({ code: 0 });
  expect(await run('verify', '--data')).toMatchObject({ code: 0 });
  expect(await run('gc', '--now')).toMatchObject({ code: 0 });
  expect((await run('cat', 'HEAD:a')).stdout).toBe('one');
});
