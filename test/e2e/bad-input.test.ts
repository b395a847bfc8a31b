import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fingerprint, makeOddFolder, noise, temporaryFolder } from '../kit/folder.ts';
import { json, ok, snap } from '../kit/snap.ts';

const BIN = fileURLToPath(new URL('../../bin/snap.js', import.meta.url));
let folder: { path: string; remove(): void };
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

function commitOne(): string {
  fs.writeFileSync(`${folder.path}/a`, 'one');
  ok(['-C', folder.path, 'init']);
  return json<{ id: string }>(['-C', folder.path, 'commit', '-m', 'one']).id;
}

function packPaths(): string[] {
  const packs = `${folder.path}/.snap/store/packs`;
  return fs
    .readdirSync(packs)
    .flatMap((sub) => fs.readdirSync(`${packs}/${sub}`).map((name) => `${packs}/${sub}/${name}`));
}

/** One sentence of what, one of what to do, on stderr, and nothing on stdout. */
function expectError(args: readonly string[], code: number, what: RegExp): void {
  const ran = snap(['-C', folder.path, ...args]);
  expect({ args, code: ran.code }).toEqual({ args, code });
  expect(ran.stderr).toMatch(what);
  expect(ran.stderr.trim().split('\n').length).toBeGreaterThanOrEqual(2);
  expect(ran.stdout).toBe('');
}

describe('wrong requests', () => {
  test('no workspace here or above', () => expectError(['commit'], 10, /is not in a snap workspace/));
  test('usage', () => {
    expectError(['comit'], 2, /unknown command/);
    expectError(['commit', '--compression', 'huge'], 2, /compression/);
    expectError(['commit', '--meta', 'novalue'], 2, /key=value/);
  });
  test('a second init, an init inside another workspace', () => {
    commitOne();
    expectError(['init'], 1, /is a workspace already/);
    expectError(['init', 'sub'], 1, /lies inside the workspace/);
    expect(fs.existsSync(`${folder.path}/sub`)).toBe(false);
  });
  test('unknown, short and ambiguous revisions', () => {
    const id = commitOne();
    expectError(['checkout', 'nothere'], 1, /there is no snapshot "nothere"/);
    expectError(['checkout', id.slice(0, 3)], 1, /too short for an id/);
    expectError(['checkout', 'HEAD~1'], 1, /beyond the first snapshot/);
    expectError(['checkout', '@{1999-01-01}'], 1, /no snapshot from/);
    expectError(['checkout', '@{some day}'], 2, /some day/);
  });
  test('an unknown path, with the nearest name', () => {
    fs.mkdirSync(`${folder.path}/src`);
    fs.writeFileSync(`${folder.path}/src/config.json`, '{}');
    commitOne();
    expectError(['checkout', 'HEAD', 'src/confg.json'], 1, /src\/config\.json/);
  });
  test('a target that is not empty', () => {
    commitOne();
    fs.mkdirSync(`${folder.path}/full`);
    fs.writeFileSync(`${folder.path}/full/x`, 'mine');
    expectError(['checkout', 'HEAD', '--to', 'full'], 1, /is not empty/);
    expect(fs.readdirSync(`${folder.path}/full`)).toEqual(['x']);
  });
  test('paths outside the workspace, patterns that match nothing, tags that are none', () => {
    commitOne();
    expectError(['commit', '../outside'], 2, /outside the workspace/);
    expectError(['commit', 'no/*.such'], 1, /matches nothing/);
    expectError(['commit', '--allow-empty', '--tag', 'a b'], 2, /is not a tag name/);
    expectError(['commit', '--allow-empty', '--tag', '../x'], 2, /is not a tag name/);
  });
  test('settings that are wrong name file and line', () => {
    commitOne();
    fs.appendFileSync(`${folder.path}/.snap/config.toml`, '\n[commit]\n');
    expectError(['commit'], 2, /config\.toml:\d+/);
  });
});

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
    expect(fs.existsSync(`${folder.path}/out/big`)).toBe(false);
  });
  test('packs that vanished are stored again by the next commit, from the files that are still there', () => {
    fs.mkdirSync(`${folder.path}/sub`);
    fs.writeFileSync(`${folder.path}/sub/b`, noise(200_000, 3));
    commitOne();
    for (const pack of packPaths()) fs.rmSync(pack);
    expect(snap(['-C', folder.path, 'verify']).code).toBe(20);
    ok(['-C', folder.path, 'commit', '-m', 'after']);
    ok(['-C', folder.path, 'checkout', 'HEAD', '--to', `${folder.path}.out`]);
    expect(fs.readFileSync(`${folder.path}.out/sub/b`).equals(noise(200_000, 3))).toBe(true);
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
    ok(['-C', folder.path, 'checkout', id, '--to', `${folder.path}.out`]);
    expect(fs.readFileSync(`${folder.path}.out/sub/b`, 'utf8')).toBe('unchanged');
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
    expectError(['commit'], 20, /journal entry 2/);
  });
});

describe('a journal that lost something', () => {
  const out = (): string => `${folder.path}.out`;
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

describe('at the same time', () => {
  test('a second commit waits, then says who holds the workspace (exit 11)', () => {
    commitOne();
    const holder = { id: 'x', pid: process.pid, host: '', bootId: '', startTime: '', command: 'snap commit' };
    const stat = fs.readFileSync('/proc/self/stat', 'utf8');
    const lock = {
      ...holder,
      host: fs.readFileSync('/proc/sys/kernel/hostname', 'utf8').trim(),
      bootId: fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
      startTime: stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19],
    };
    fs.writeFileSync(`${folder.path}/.snap/lock`, JSON.stringify(lock));
    const ran = snap(['-C', folder.path, 'commit', '--lock-timeout', '0.2']);
    expect(ran.code).toBe(11);
    expect(ran.stderr).toContain(String(process.pid));
    fs.writeFileSync(`${folder.path}/.snap/lock`, JSON.stringify({ ...lock, startTime: '1' }));
    ok(['-C', folder.path, 'commit']);
  });

  test('many commits at once from two workspaces on one store all arrive', async () => {
    const store = `${folder.path}/store`;
    const roots = ['w1', 'w2'].map((name) => `${folder.path}/${name}`);
    for (const root of roots) {
      fs.mkdirSync(root);
      ok(['-C', root, 'init', '--store', store]);
    }
    const runs = roots.flatMap((root, i) =>
      Array.from({ length: 4 }, (_, n) => {
        fs.writeFileSync(`${root}/f${n}`, noise(10_000, 10 * i + n));
        return new Promise<number | null>((resolve) => {
          const child = spawn(
            process.execPath,
            [BIN, '-C', root, 'commit', '-q', '--allow-empty', '-m', `c${n}`, '--lock-timeout', '60'],
            { stdio: 'ignore' },
          );
          child.on('exit', resolve);
        });
      }),
    );
    expect(await Promise.all(runs)).toEqual(Array(8).fill(0));
    const entries = fs.readdirSync(`${store}/journal`).length;
    expect(entries).toBe(1 + 8);
    for (const root of roots) {
      ok(['-C', root, 'checkout', 'HEAD', '--to', `${root}-out`]);
      expect(fs.readdirSync(`${root}-out`)).toContain('f3');
    }
  });

  test('Ctrl-C in the middle of a commit ends with 130 and the next commit works', async () => {
    makeOddFolder(folder.path);
    fs.writeFileSync(`${folder.path}/huge`, noise(60_000_000, 9));
    fs.utimesSync(`${folder.path}/huge`, 1_700_000_000.25, 1_700_000_000.25);
    ok(['-C', folder.path, 'init']);
    const child = spawn(process.execPath, [BIN, '-C', folder.path, 'commit', '-m', 'x'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
    while (!fs.existsSync(`${folder.path}/.snap/lock`) && child.exitCode === null) await sleep(5);
    child.kill('SIGINT');
    const code = await ended;
    expect([0, 130]).toContain(code);
    expect(fs.existsSync(`${folder.path}/.snap/lock`)).toBe(false);
    const before = fingerprint(folder.path);
    ok(['-C', folder.path, 'commit', '-m', 'y']);
    ok(['-C', folder.path, 'checkout', 'HEAD', '--to', `${folder.path}.out`]);
    expect(fingerprint(`${folder.path}.out`)).toEqual(before);
  });

  test('a killed commit leaves nothing that stops the next one', async () => {
    fs.writeFileSync(`${folder.path}/huge`, noise(40_000_000, 9));
    ok(['-C', folder.path, 'init']);
    for (const delay of [120, 200, 280, 360]) {
      const child = spawn(process.execPath, [BIN, '-C', folder.path, 'commit', '-m', 'x'], { stdio: 'ignore' });
      setTimeout(() => child.kill('SIGKILL'), delay);
      await new Promise((resolve) => child.on('exit', resolve));
    }
    ok(['-C', folder.path, 'commit', '-m', 'y', '--allow-empty']);
    ok(['-C', folder.path, 'checkout', 'HEAD', '--to', `${folder.path}.out`]);
    expect(fs.readFileSync(`${folder.path}.out/huge`).equals(noise(40_000_000, 9))).toBe(true);
  });
});

test('what a killed checkout staged goes with the next one into the same folder, and with gc', () => {
  commitOne();
  const token = '0123456789abcdef'.repeat(2);
  fs.mkdirSync(`${folder.path}.out/.snap-checkout-${token}`, { recursive: true });
  fs.writeFileSync(`${folder.path}.out/.snap-checkout-${token}/${token}-1-0`, 'half');
  fs.writeFileSync(`${folder.path}/.snap/tmp/${token}-m0`, 'half');
  ok(['-C', folder.path, 'checkout', 'HEAD', '--to', `${folder.path}.out`]);
  expect(fs.readdirSync(`${folder.path}.out`).sort()).toEqual(['.snapignore', 'a']);
  ok(['-C', folder.path, 'gc']);
  expect(fs.readdirSync(`${folder.path}/.snap/tmp`)).toEqual([]);
});

test('stdout closed early is no error', async () => {
  commitOne();
  const child = spawn(process.execPath, [BIN, '-C', folder.path, 'commit', '--help'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.destroy();
  expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(0);
});
