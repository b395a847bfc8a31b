/** A damaged store as people meet it: what is known is read, what is not is said with an exit code, nothing gets worse. */
import fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fingerprint, noise, temporaryFolder } from '../kit/folder.ts';
import { json, ok, snap } from '../kit/snap.ts';
import { requestsIn } from './requests.ts';

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

const { commitOne, expectError } = requestsIn(() => folder.path);

function packPaths(): string[] {
  const packs = `${folder.path}/.snap/store/packs`;
  return fs
    .readdirSync(packs)
    .flatMap((sub) => fs.readdirSync(`${packs}/${sub}`).map((name) => `${packs}/${sub}/${name}`));
}

describe('damage', () => {
  test('a store of an unknown version, or with unknown features, is refused', () => {
    commitOne();
    const path = `${folder.path}/.snap/store/config.json`;
    const text = fs.readFileSync(path, 'utf8');
    fs.chmodSync(path, 0o600);
    fs.writeFileSync(path, text.replace('"format":1', '"format":9'));
    expectError(['commit'], 1, /format 9/);
    fs.writeFileSync(path, text.replace('"features":[]', '"features":["time-travel"]'));
    expectError(['commit'], 1, /time-travel/);
  });
  test('a missing store', () => {
    commitOne();
    fs.renameSync(`${folder.path}/.snap/store`, `${folder.path}/.snap/elsewhere`);
    expectError(['commit'], 10, /there is no store/);
  });
  test('a missing or damaged index is built again by itself', () => {
    commitOne();
    fs.rmSync(`${folder.path}/.snap/index`, { recursive: true });
    expect(json<{ id: string | null }>(['-C', folder.path, 'commit']).id).toBeNull();
    for (const name of fs.readdirSync(`${folder.path}/.snap/index`)) {
      if (name !== 'LOCK') fs.writeFileSync(`${folder.path}/.snap/index/${name}`, noise(500, name.length));
    }
    const ran = snap(['-C', folder.path, 'commit', '--json']);
    expect(ran.code).toBe(0);
    expect(ran.stderr).toContain('the index was built again');
    fs.writeFileSync(`${folder.path}/a`, 'two');
    ok(['-C', folder.path, 'commit', '-m', 'two']);
    ok(['-C', folder.path, 'checkout', 'HEAD~1']);
    expect(fs.readFileSync(`${folder.path}/a`, 'utf8')).toBe('one');
  });
  test('a flipped byte in a pack is an error with exit code 20, never wrong bytes', () => {
    fs.writeFileSync(`${folder.path}/big`, noise(400_000, 1));
    commitOne();
    const [pack] = packPaths();
    const bytes = fs.readFileSync(pack ?? '');
    bytes[Math.floor(bytes.length / 2)] = (bytes[Math.floor(bytes.length / 2)] ?? 0) ^ 1;
    fs.chmodSync(pack ?? '', 0o600);
    fs.writeFileSync(pack ?? '', bytes);
    const ran = snap(['-C', folder.path, 'checkout', 'HEAD', '--to', `${folder.path}/out`]);
    expect(ran.code).toBe(20);
    expect(ran.stderr).toContain('big');
    expect(fs.existsSync(`${folder.beside}/big`)).toBe(false);
  });
  test('packs that vanished are stored again by the next commit, from the files that are still there', () => {
    fs.mkdirSync(`${folder.path}/sub`);
    fs.writeFileSync(`${folder.path}/sub/b`, noise(200_000, 3));
    commitOne();
    for (const pack of packPaths()) fs.rmSync(pack);
    expect(snap(['-C', folder.path, 'verify']).code).toBe(20);
    ok(['-C', folder.path, 'commit', '-m', 'after']);
    ok(['-C', folder.path, 'checkout', 'HEAD', '--to', folder.beside]);
    expect(fs.readFileSync(`${folder.beside}/sub/b`).equals(noise(200_000, 3))).toBe(true);
  });
  test('when the tree of HEAD cannot be read, a commit stores what is in the folder, trees and all', () => {
    fs.mkdirSync(`${folder.path}/sub`);
    fs.writeFileSync(`${folder.path}/sub/b`, 'unchanged');
    fs.writeFileSync(`${folder.path}/noise`, noise(200_000, 5));
    commitOne();
    const [pack = ''] = packPaths();
    const bytes = fs.readFileSync(pack);
    // The trees lie in the block after that of the files' bytes.
    const trees = bytes.indexOf('SBLK', 200_000);
    bytes[trees + 60] = (bytes[trees + 60] ?? 0) ^ 1;
    fs.chmodSync(pack, 0o600);
    fs.writeFileSync(pack, bytes);
    fs.rmSync(`${folder.path}/.snap/index`, { recursive: true });
    expect(snap(['-C', folder.path, 'status']).code).toBe(20);
    const { id } = json<{ id: string }>(['-C', folder.path, 'commit', '-m', 'after']);
    ok(['-C', folder.path, 'checkout', id, '--to', folder.beside]);
    expect(fs.readFileSync(`${folder.beside}/sub/b`, 'utf8')).toBe('unchanged');
    const verified = snap(['-C', folder.path, 'verify', '--data']);
    expect(verified.code).toBe(20);
    expect(verified.stdout).not.toContain(id.slice(0, 10));
    ok(['-C', folder.path, 'commit', '-m', 'and on', '--allow-empty']);
  });
  test('an altered journal entry is refused', () => {
    commitOne();
    const path = `${folder.path}/.snap/store/journal/000000000001.json`;
    const text = fs.readFileSync(path, 'utf8');
    fs.chmodSync(path, 0o600);
    fs.writeFileSync(path, text.replace('store created', 'store CREATED'));
    fs.rmSync(`${folder.path}/.snap/index`, { recursive: true });
    expectError(['commit'], 20, /journal entry 1: its bytes are not/);
  });
});

describe('a journal that lost something', () => {
  const out = (): string => folder.beside;
  function threeCommits(): void {
    commitOne();
    for (const text of ['two', 'three']) {
      fs.writeFileSync(`${folder.path}/a`, text);
      ok(['-C', folder.path, 'commit', '-m', text]);
    }
  }
  /** Reading works as far as is known, with exit code 20; nothing can be published. */
  function expectReadOnly(messages: string[], what: RegExp): void {
    const log = snap(['-C', folder.path, 'log', '--json']);
    expect(log.code).toBe(20);
    expect(log.stderr).toMatch(what);
    const found = log.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { message: string });
    expect(found.map(({ message }) => message)).toEqual(messages);
    expect(snap(['-C', folder.path, 'checkout', 'latest', '--to', out()]).code).toBe(20);
    expect(fs.readFileSync(`${out()}/a`, 'utf8')).toBe(messages[0]);
    fs.rmSync(out(), { recursive: true });
    const storeNow = (): string[] =>
      fingerprint(`${folder.path}/.snap/store`).filter((line) => !/ (locks|tmp)/.test(line));
    const store = storeNow();
    for (const args of [['commit', '--allow-empty'], ['checkout', 'latest'], ['gc'], ['tag', 'x']])
      expectError(args, 20, what);
    expect(snap(['-C', folder.path, 'verify']).code).toBe(20);
    expect(storeNow()).toEqual(store);
  }

  test('its newest entry is damaged: the index remembers it', () => {
    threeCommits();
    const path = `${folder.path}/.snap/store/journal/000000000004.json`;
    fs.chmodSync(path, 0o600);
    fs.writeFileSync(path, '{');
    expectReadOnly(['three', 'two', 'one'], /journal entry 4/);
  });
  test('an entry in the middle is damaged, and the index is gone: what comes before it is known', () => {
    threeCommits();
    const path = `${folder.path}/.snap/store/journal/000000000003.json`;
    fs.chmodSync(path, 0o600);
    fs.writeFileSync(path, '{');
    fs.rmSync(`${folder.path}/.snap/index`, { recursive: true });
    expectReadOnly(['one'], /journal entry 3/);
  });
  test('its end is missing: the workspace has seen more, and says so', () => {
    threeCommits();
    fs.rmSync(`${folder.path}/.snap/store/journal/000000000004.json`);
    expectReadOnly(['three', 'two', 'one'], /ends at entry 3, but this workspace has seen entry 4/);
    fs.rmSync(`${folder.path}/.snap/index`, { recursive: true });
    expectReadOnly(['two', 'one'], /ends at entry 3/);
    // On purpose: an older copy of the store was put back.
    snap(['-C', folder.path, 'reindex']);
    fs.rmSync(`${folder.path}/.snap/HEAD`);
    ok(['-C', folder.path, 'commit', '-m', 'on']);
    ok(['-C', folder.path, 'verify', '--data']);
  });
});
