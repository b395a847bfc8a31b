import fs, { statSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { BLOB_KIND, blobIdOf } from '../../src/object/blob-id.ts';
import { encodeTree } from '../../src/object/tree.ts';
import type { FileEntry } from '../../src/object/tree-entry.ts';
import { fileEntry, publishTree } from '../danger/crafted.ts';
import { temporaryFolder } from '../kit/folder.ts';
import { ok } from '../kit/snap.ts';
import { makeWorkspace } from '../kit/workspace.ts';

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

function checkedOut(name: string | Buffer): string {
  const path = typeof name === 'string' ? Buffer.from(name) : name;
  return fs.readFileSync(Buffer.concat([Buffer.from(`${other.path}/o/`), path]), 'utf8');
}

test('files that got the same link key in two partial commits keep their own bytes', () => {
  const at = (name: string): string => `${folder.path}/${name}`;
  ok(['-C', folder.path, 'init']);
  fs.writeFileSync(at('x'), 'one');
  fs.linkSync(at('x'), at('y'));
  ok(['-C', folder.path, 'commit', '-m', '1']);
  fs.unlinkSync(at('x'));
  fs.writeFileSync(at('x'), 'TWO');
  fs.linkSync(at('x'), at('x2'));
  ok(['-C', folder.path, 'commit', 'x', 'x2', '-m', 'partial']);
  ok(['-C', folder.path, 'checkout', 'latest', '--to', `${other.path}/o`]);
  expect([checkedOut('x'), checkedOut('x2'), checkedOut('y')]).toEqual(['TWO', 'TWO', 'one']);
  expect(fs.statSync(`${other.path}/o/x`).ino).toBe(fs.statSync(`${other.path}/o/x2`).ino);
});

test('hard links whose first names differ only in bytes that are no UTF-8 stay apart', () => {
  const at = (...bytes: number[]): Buffer => Buffer.concat([Buffer.from(`${folder.path}/`), Buffer.of(...bytes)]);
  ok(['-C', folder.path, 'init']);
  fs.writeFileSync(at(0x66, 0xff), 'same');
  fs.linkSync(at(0x66, 0xff), at(0x67));
  fs.writeFileSync(at(0x66, 0xfe), 'same');
  fs.linkSync(at(0x66, 0xfe), at(0x68));
  ok(['-C', folder.path, 'commit', '-m', '1']);
  ok(['-C', folder.path, 'checkout', 'latest', '--to', `${other.path}/o`]);
  expect(fs.statSync(`${other.path}/o/g`).ino).not.toBe(fs.statSync(`${other.path}/o/h`).ino);
  expect(fs.statSync(`${other.path}/o/g`).nlink).toBe(2);
});

test('in place, a new name for a file joins the names that did not change', () => {
  const at = (name: string): string => `${folder.path}/${name}`;
  ok(['-C', folder.path, 'init']);
  fs.writeFileSync(at('a'), 'shared');
  fs.linkSync(at('a'), at('b'));
  fs.linkSync(at('a'), at('c'));
  ok(['-C', folder.path, 'commit', '-m', '1']);
  fs.unlinkSync(at('c'));
  fs.writeFileSync(at('c'), 'other');
  ok(['-C', folder.path, 'commit', '-m', '2']);
  ok(['-C', folder.path, 'checkout', 'HEAD~1']);
  expect(new Set(['a', 'b', 'c'].map((name) => fs.statSync(at(name)).ino)).size).toBe(1);
});

test('names with the same key and other modes or times are files of their own, each with what its entry says', async () => {
  await using made = await makeWorkspace({ files: { f: 'file' } });
  await made.commit('first');
  const bytes = Buffer.from('linked');
  const linked = (name: string, mode: number, mtime: bigint): FileEntry => ({
    ...fileEntry(name, bytes),
    mode,
    mtime,
    linkKey: '3132333435363738',
  });
  const old = 1_600_000_000_000_000_000n;
  // A time that differs by less than a microsecond is the same.
  const entries = [
    linked('a', 0o600, old),
    linked('b', 0o666, old),
    linked('c', 0o600, old + 500n),
    linked('d', 0o600, 2n * old),
  ];
  const tree = { kind: BLOB_KIND.tree, bytes: encodeTree(entries) };
  const revision = await publishTree(made.workspace, [{ kind: BLOB_KIND.data, bytes }, tree], blobIdOf(tree.bytes));
  await checkout(made.workspace, { revision, to: `${made.root}/../out` });
  await checkout(made.workspace, { revision });
  for (const root of [`${made.root}/../out`, made.root]) {
    const [a, b, c, d] = entries.map(({ name }) => statSync(`${root}/${name}`, { bigint: true }));
    expect([a?.mode, b?.mode, d?.mode].map((mode) => Number(mode) & 0o777)).toEqual([0o600, 0o666, 0o600]);
    expect(new Set([a?.ino, b?.ino, d?.ino]).size).toBe(3);
    expect(c?.ino).toBe(a?.ino);
    expect(Number(d?.mtimeMs)).toBe(3_200_000_000_000);
  }
});

test('a name elsewhere of a file that is there keeps its mode and time: what differs is written anew', () => {
  const at = (name: string): string => `${folder.path}/${name}`;
  const outside = (name: string): string => `${other.path}/${name}`;
  const old = 1_000_000_000;
  fs.writeFileSync(at('f'), 'data', { mode: 0o644 });
  fs.writeFileSync(at('same'), 'same', { mode: 0o644 });
  fs.symlinkSync('f', at('link'));
  ok(['-C', folder.path, 'init']);
  ok(['-C', folder.path, 'commit', '-m', '1']);
  fs.mkdirSync(outside('o'));
  fs.writeFileSync(outside('f'), 'data', { mode: 0o600 });
  fs.utimesSync(outside('f'), old, old);
  fs.symlinkSync('f', outside('link'));
  fs.lutimesSync(outside('link'), old, old);
  for (const name of ['f', 'link']) fs.linkSync(outside(name), outside(`o/${name}`));
  ok(['-C', folder.path, 'checkout', 'HEAD', '--to', outside('o'), '--force']);
  for (const [name, mode] of [
    ['f', 0o600],
    ['link', 0o777],
  ] as const) {
    const { mode: found, mtimeMs, nlink } = fs.lstatSync(outside(name));
    expect([found & 0o777, mtimeMs, nlink], name).toEqual([mode, old * 1000, 1]);
    expect(fs.lstatSync(outside(`o/${name}`)).mtimeMs, name).toBeCloseTo(fs.lstatSync(at(name)).mtimeMs, 1);
  }
  expect(fs.statSync(outside('o/f')).mode & 0o777).toBe(0o644);
});

test('in place too, where both snapshots have the file as one of several names, or it was ignored', () => {
  const at = (name: string): string => `${folder.path}/${name}`;
  const outside = (name: string): string => `${other.path}/${name}`;
  ok(['-C', folder.path, 'init']);
  fs.writeFileSync(outside('f'), 'data', { mode: 0o644 });
  fs.linkSync(outside('f'), at('f'));
  fs.writeFileSync(at('late'), 'late', { mode: 0o644 });
  ok(['-C', folder.path, 'commit', '-m', '1']);
  fs.chmodSync(outside('f'), 0o600);
  fs.writeFileSync(at('.snapignore'), 'late\n');
  fs.unlinkSync(at('late'));
  fs.writeFileSync(outside('late'), 'late', { mode: 0o600 });
  fs.linkSync(outside('late'), at('late'));
  ok(['-C', folder.path, 'commit', '-m', '2']);
  ok(['-C', folder.path, 'checkout', 'HEAD~1']);
  for (const name of ['f', 'late'])
    expect(
      [outside(name), at(name)].map((path) => fs.statSync(path).mode & 0o777),
      name,
    ).toEqual([0o600, 0o644]);
});
