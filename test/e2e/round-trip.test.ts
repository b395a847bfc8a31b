import fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fingerprint, makeOddFolder, noise, roundTimes, temporaryFolder } from '../kit/folder.ts';
import { json, ok, snap, systemNode } from '../kit/snap.ts';

interface Committed {
  readonly id: string | null;
  readonly counts: { added: number; changed: number; removed: number };
  readonly bytesRead: number;
  readonly newBytes: number;
}

let folder: { path: string; remove(): void };
let other: { path: string; remove(): void };
beforeEach(() => {
  folder = temporaryFolder();
  other = temporaryFolder();
});
afterEach(() => {
  folder.remove();
  other.remove();
});

describe.each([
  ['this Node', process.execPath],
  ['the system Node', systemNode()],
])('on %s', (_name, node) => {
  test.skipIf(node === undefined)('an odd folder comes back as it was, in another folder', () => {
    const run = { node: node ?? '' };
    makeOddFolder(folder.path);
    ok(['-C', folder.path, 'init'], run);
    const committed = json<Committed>(['-C', folder.path, 'commit', '-m', 'odd'], run);
    expect(committed.id).toMatch(/^[0-9a-f]{64}$/);
    const target = `${other.path}/restored`;
    ok(['-C', folder.path, 'checkout', 'HEAD', '--to', target], run);
    expect(fingerprint(target)).toEqual(fingerprint(folder.path));
    const sparse = fs.statSync(`${target}/sparse`);
    expect(sparse.blocks * 512).toBeLessThan(2_000_000);
    expect(fs.statSync(`${target}/hard one`).ino).toBe(fs.statSync(`${target}/src/a.txt`).ino);
  });
});

test('a second commit with nothing changed records nothing and reads nothing', () => {
  makeOddFolder(folder.path);
  ok(['-C', folder.path, 'init']);
  ok(['-C', folder.path, 'commit', '-m', 'one']);
  fs.utimesSync(folder.path, new Date(), new Date());
  // Files changed within the clock's grain of the first scan are read once more.
  ok(['-C', folder.path, 'commit']);
  const again = json<Committed>(['-C', folder.path, 'commit', '-m', 'two']);
  expect(again.id).toBeNull();
  expect(again.bytesRead).toBe(0);
  expect(again.newBytes).toBe(0);
});

test('checkout in place goes back and forth, byte for byte', () => {
  makeOddFolder(folder.path);
  ok(['-C', folder.path, 'init']);
  ok(['-C', folder.path, 'commit', '-m', 'one', '--tag', 'one']);
  const first = fingerprint(folder.path);
  fs.rmSync(`${folder.path}/src/deep`, { recursive: true });
  fs.writeFileSync(`${folder.path}/src/deep`, 'a file where a folder was');
  fs.unlinkSync(`${folder.path}/link`);
  fs.mkdirSync(`${folder.path}/link`);
  fs.writeFileSync(`${folder.path}/link/inside`, noise(100_000, 5));
  fs.appendFileSync(`${folder.path}/src/a.txt`, 'more\n');
  fs.renameSync(`${folder.path}/secret`, `${folder.path}/renamed`);
  fs.chmodSync(`${folder.path}/run.sh`, 0o644);
  roundTimes(folder.path);
  ok(['-C', folder.path, 'commit', '-m', 'two', '--tag', 'two']);
  const second = fingerprint(folder.path);
  ok(['-C', folder.path, 'checkout', 'one']);
  expect(fingerprint(folder.path)).toEqual(first);
  ok(['-C', folder.path, 'checkout', 'two']);
  expect(fingerprint(folder.path)).toEqual(second);
  expect(json<Committed>(['-C', folder.path, 'commit']).id).toBeNull();
});

test('uncommitted changes are saved before a checkout and can be had again', () => {
  fs.writeFileSync(`${folder.path}/a`, '1');
  ok(['-C', folder.path, 'init']);
  ok(['-C', folder.path, 'commit', '-m', 'one']);
  fs.writeFileSync(`${folder.path}/a`, '2');
  ok(['-C', folder.path, 'commit', '-m', 'two']);
  fs.writeFileSync(`${folder.path}/a`, 'precious');
  fs.writeFileSync(`${folder.path}/new`, 'never committed');
  const result = json<{ saved: string }>(['-C', folder.path, 'checkout', 'HEAD~1']);
  expect(fs.readFileSync(`${folder.path}/a`, 'utf8')).toBe('1');
  expect(fs.existsSync(`${folder.path}/new`)).toBe(false);
  ok(['-C', folder.path, 'checkout', result.saved]);
  expect(fs.readFileSync(`${folder.path}/a`, 'utf8')).toBe('precious');
  expect(fs.readFileSync(`${folder.path}/new`, 'utf8')).toBe('never committed');
});

test('ignored files are neither stored, changed nor removed', () => {
  fs.writeFileSync(`${folder.path}/.snapignore`, '*.log\n!keep.log\nbuild/\n');
  fs.mkdirSync(`${folder.path}/build`);
  fs.mkdirSync(`${folder.path}/src`);
  fs.writeFileSync(`${folder.path}/src/.snapignore`, '/local\n');
  for (const name of ['a.log', 'keep.log', 'build/out', 'src/local', 'src/main'])
    fs.writeFileSync(`${folder.path}/${name}`, name);
  ok(['-C', folder.path, 'init']);
  ok(['-C', folder.path, 'commit', '-m', 'one']);
  const target = `${other.path}/to`;
  ok(['-C', folder.path, 'checkout', 'HEAD', '--to', target]);
  const names = fingerprint(target).map((line) => line.split(' ').at(-1));
  expect(names).toEqual(['.snapignore', 'keep.log', 'src', 'src/.snapignore', 'src/main']);
  fs.writeFileSync(`${folder.path}/src/main`, 'changed');
  ok(['-C', folder.path, 'checkout', 'HEAD']);
  expect(fs.readFileSync(`${folder.path}/a.log`, 'utf8')).toBe('a.log');
  expect(fs.readFileSync(`${folder.path}/src/main`, 'utf8')).toBe('src/main');
});

test('a file in the way that no snapshot has stops a checkout before it changes anything', () => {
  fs.writeFileSync(`${folder.path}/a`, '1');
  fs.writeFileSync(`${folder.path}/data.log`, 'committed once');
  ok(['-C', folder.path, 'init']);
  ok(['-C', folder.path, 'commit', '-m', 'one']);
  fs.appendFileSync(`${folder.path}/.snapignore`, '*.log\n');
  fs.writeFileSync(`${folder.path}/a`, '2');
  ok(['-C', folder.path, 'commit', '-m', 'two']);
  fs.writeFileSync(`${folder.path}/data.log`, 'only copy');
  const ran = snap(['-C', folder.path, 'checkout', 'HEAD~1']);
  expect(ran.code).toBe(1);
  expect(ran.stderr).toContain('data.log');
  expect(fs.readFileSync(`${folder.path}/data.log`, 'utf8')).toBe('only copy');
  expect(fs.readFileSync(`${folder.path}/a`, 'utf8')).toBe('2');
});

test('a commit of patterns takes only those paths, the rest as in HEAD', () => {
  fs.mkdirSync(`${folder.path}/models/x`, { recursive: true });
  for (const name of ['models/x/a.pt', 'models/x/b.txt', 'c']) fs.writeFileSync(`${folder.path}/${name}`, 'old');
  ok(['-C', folder.path, 'init']);
  ok(['-C', folder.path, 'commit', '-m', 'one']);
  for (const name of ['models/x/a.pt', 'models/x/b.txt', 'c']) fs.writeFileSync(`${folder.path}/${name}`, 'newer');
  const committed = json<Committed>(['-C', folder.path, 'commit', '-m', 'only models', 'models/**/*.pt']);
  expect(committed.counts).toEqual({ added: 0, changed: 1, removed: 0 });
  const target = `${other.path}/to`;
  ok(['-C', folder.path, 'checkout', 'HEAD', '--to', target]);
  expect(fs.readFileSync(`${target}/models/x/a.pt`, 'utf8')).toBe('newer');
  expect(fs.readFileSync(`${target}/models/x/b.txt`, 'utf8')).toBe('old');
  expect(fs.readFileSync(`${target}/c`, 'utf8')).toBe('old');
  fs.unlinkSync(`${folder.path}/models/x/a.pt`);
  expect(json<Committed>(['-C', folder.path, 'commit', '-m', 'removed', 'models/x/a.pt']).counts.removed).toBe(1);
  expect(json<Committed>(['-C', folder.path, 'commit', '-m', 'rest']).counts.changed).toBe(2);
});

test('an unreadable file is named, exit code 3, and everything else is stored', () => {
  fs.writeFileSync(`${folder.path}/good`, 'good');
  ok(['-C', folder.path, 'init']);
  fs.symlinkSync('/proc/1/mem', `${folder.path}/link-is-fine`);
  fs.mkdirSync(`${folder.path}/sub`);
  fs.writeFileSync(`${folder.path}/sub/bad`, 'bad');
  fs.chmodSync(`${folder.path}/sub/bad`, 0);
  if (process.getuid?.() === 0) {
    // Root reads everything: nothing to see here but that it works.
    expect(snap(['-C', folder.path, 'commit', '-m', 'x']).code).toBe(0);
    return;
  }
  const ran = snap(['-C', folder.path, 'commit', '-m', 'x']);
  expect(ran.code).toBe(3);
  expect(ran.stderr).toContain('sub/bad');
});
