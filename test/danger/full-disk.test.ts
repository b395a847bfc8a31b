/** Full disks, stores and workspaces that cannot be written, and other people's: on real file systems. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { gc } from '../../src/api/gc.ts';
import { initWorkspace, openWorkspace } from '../../src/api/workspace.ts';
import { hasCode } from '../../src/errors.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { amount, randomFrom, SEED } from '../kit/amount.ts';
import { verifyAll } from '../kit/damage.ts';
import { fingerprint, roundTimes, temporaryFolder } from '../kit/folder.ts';
import type { Ran } from '../kit/snap.ts';
import { ok, snap } from '../kit/snap.ts';
import { testFrom } from '../kit/test-from.ts';

const BIN = fileURLToPath(new URL('../../bin/snap.js', import.meta.url));
const IS_ROOT = process.getuid?.() === 0;
const NOBODY = ['--reuid', '65534', '--regid', '65534', '--clear-groups'];

let folder: { path: string; remove(): void };
const mounts: string[] = [];
beforeEach(() => {
  folder = temporaryFolder();
  fs.chmodSync(folder.path, 0o755);
});
afterEach(() => {
  for (const path of mounts.splice(0)) spawnSync('umount', ['-l', path]);
  folder.remove();
});

const mayMount = canMount();
const mayBeNobody = IS_ROOT && spawnSync('setpriv', [...NOBODY, process.execPath, BIN, '--version']).status === 0;
if (!mayMount)
  process.stderr.write('full-disk.test.ts: nothing can be mounted here; full and read-only disks are not tested\n');
if (!mayBeNobody) process.stderr.write('full-disk.test.ts: no other user can run here; permissions are not tested\n');

function canMount(): boolean {
  const probe = temporaryFolder();
  const can = IS_ROOT && spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', probe.path]).status === 0;
  if (can) spawnSync('umount', ['-l', probe.path]);
  probe.remove();
  return can;
}

/** Bytes that do not compress, made fast. */
function bytes(length: number, seed: number): Buffer {
  const key = Buffer.alloc(16, String(seed));
  return createCipheriv('aes-128-ctr', key, key).update(Buffer.alloc(length));
}

function mount(path: string, ...options: string[]): void {
  fs.mkdirSync(path, { recursive: true });
  execFileSync('mount', [...options, path]);
  mounts.push(path);
}

function remountReadOnly(path: string): void {
  execFileSync('mount', ['-o', 'remount,ro', path]);
}

describe.runIf(mayMount)('a small disk', () => {
  const root = (): string => join(folder.path, 'disk/work');
  const storeSizes: [name: string, megabytes: number][] = [
    amount({ sample: ['12 MiB', 12], ordinary: ['64 MiB', 64], long: ['64 MiB', 64] }),
  ];

  test.each(storeSizes)(
    'of %s that fills up again and again keeps all that was committed',
    { timeout: amount({ sample: 60_000, ordinary: 280_000, long: 7_200_000 }) },
    async (_name, size) => {
      mount(join(folder.path, 'disk'), '-t', 'tmpfs', '-o', `size=${size}m`, 'none');
      fs.mkdirSync(root());
      await initWorkspace(root());
      const random = randomFrom(SEED);
      const committed: { id: BlobId; seen: string[] }[] = [];
      const what = (round: number, n: number): string => `seed ${SEED}: round ${round}, operation ${n}`;
      const rounds = amount({ sample: 1, ordinary: 10, long: 50 });
      for (let round = 0; round < rounds; round++) {
        let full = false;
        for (let n = 0; !full && n < 40; n++) {
          const workspace = await openWorkspace(root());
          try {
            fs.writeFileSync(
              join(root(), `f${n % 5}`),
              bytes(Math.floor((0.03 + random() * 0.04) * size * 2 ** 20), round * 100 + n + 1),
            );
            roundTimes(root());
            const { id } = await commit(workspace, { message: what(round, n) });
            if (id !== undefined) committed.push({ id, seen: fingerprint(root()) });
            if (n % 3 === 2) {
              const { failures } = await checkout(workspace, {
                revision: 'HEAD~1',
                to: join(folder.path, 'disk', `out-${n}`),
              });
              full = failures.some(({ code }) => code === 'no-space');
            }
          } catch (error) {
            const errno = error instanceof Error && 'code' in error ? error.code : undefined;
            expect(errno === 'ENOSPC' || hasCode(error, 'no-space'), `${what(round, n)}: ${String(error)}`).toBe(true);
            full = true;
          } finally {
            await workspace.close();
          }
        }
        expect(full, what(round, -1)).toBe(true);
        // The disk is full: what is committed can be read, elsewhere.
        await expectAll(committed.slice(-1), what(round, -2));
        for (const name of fs.readdirSync(join(folder.path, 'disk')).filter((found) => found.startsWith('out-')))
          fs.rmSync(join(folder.path, 'disk', name), { recursive: true });
        for (const name of fs.readdirSync(root()).filter((found) => found.startsWith('f')))
          fs.rmSync(join(root(), name));
        // Room again: the next commit and gc work, with no step by hand.
        const workspace = await openWorkspace(root());
        fs.writeFileSync(join(root(), 'small'), `round ${round}`);
        roundTimes(root());
        const { id } = await commit(workspace, { message: `room in round ${round}` });
        if (id !== undefined) committed.push({ id, seen: fingerprint(root()) });
        await gc(workspace, { now: true });
        await expectAll(
          committed.filter((_, i) => i % amount({ sample: 6, ordinary: 3, long: 1 }) === 0),
          what(round, -3),
        );
        expect((await verifyAll(workspace)).faults, what(round, -3)).toEqual([]);
        await gc(workspace, { rules: { keepLast: 1 }, now: true });
        await workspace.close();
        committed.splice(0, committed.length - 1);
        expect(leftovers(root()), what(round, -4)).toEqual([]);
      }
    },
  );

  async function expectAll(committed: readonly { id: BlobId; seen: string[] }[], message: string): Promise<void> {
    const workspace = await openWorkspace(root());
    for (const [i, { id, seen }] of committed.entries()) {
      const to = join(folder.path, `elsewhere-${i}`);
      const { failures } = await checkout(workspace, { revision: id, to });
      expect(failures, message).toEqual([]);
      expect(fingerprint(to), message).toEqual(seen);
      fs.rmSync(to, { recursive: true });
    }
    await workspace.close();
  }

  function leftovers(path: string): string[] {
    return ['tmp', 'store/tmp', 'store/locks/sessions'].flatMap((name) => fs.readdirSync(join(path, '.snap', name)));
  }

  test('read-only: reading works, the rest says why and changes nothing', () => {
    mount(join(folder.path, 'disk'), '-t', 'tmpfs', '-o', 'size=16m', 'none');
    prepare(root());
    remountReadOnly(join(folder.path, 'disk'));
    expectReads((args) => snap(['-C', root(), ...args]), join(folder.path, 'out'));
    for (const args of CHANGING) expectRefused(snap(['-C', root(), ...args]), args, /read-only|permission|EROFS/i);
    // Only the store is on the read-only disk.
    const work = join(folder.path, 'work');
    fs.mkdirSync(work);
    fs.writeFileSync(join(work, 'a'), 'mine');
    const opened = snap(['-C', work, 'init', '--store', `${root()}/.snap/store`]);
    if (opened.code === 0) {
      expectRefused(snap(['-C', work, 'commit', '-m', 'x']), ['commit'], /read-only|permission|EROFS/i);
      expect(fs.readFileSync(join(work, 'a'), 'utf8')).toBe('mine');
    } else expectRefused(opened, ['init'], /read-only|permission|EROFS/i);
  });
});

const EVERY_CHANGE = [
  ['commit', '-m', 'x'],
  ['checkout', 'HEAD~1'],
  ['tag', 'v1'],
  ['gc'],
  ['undo'],
  ['config', 'set', 'commit.compression', 'max'],
];

const CHANGING = amount({ sample: EVERY_CHANGE.slice(0, 2), ordinary: EVERY_CHANGE, long: EVERY_CHANGE });

/** Two snapshots, and a change that is in none. */
function prepare(root: string): void {
  fs.mkdirSync(root, { recursive: true });
  ok(['-C', root, 'init']);
  for (const text of ['one', 'two']) {
    fs.writeFileSync(join(root, 'a'), text);
    ok(['-C', root, 'commit', '-m', text]);
  }
  fs.writeFileSync(join(root, 'a'), 'three');
}

function expectReads(run: (args: readonly string[]) => Ran, out: string): void {
  const reads: [args: string[], shown: string][] = [
    [['log'], 'one'],
    [['ls', 'HEAD'], 'a'],
    [['cat', 'HEAD~1:a'], 'one'],
    [['status'], 'a'],
    [['diff', 'HEAD~1', 'HEAD'], 'two'],
    [['verify', '--data'], 'no damage'],
    [['checkout', 'HEAD', '--to', out], 'written'],
  ];
  const some = [0, 2, 6].map((i) => reads[i] ?? [[], '']) as typeof reads;
  for (const [args, shown] of amount({ sample: some, ordinary: reads, long: reads })) {
    const { code, stdout, stderr } = run(args);
    expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: expect.any(String) });
    expect(stdout, args.join(' ')).toContain(shown);
  }
  expect(fs.readFileSync(join(out, 'a'), 'utf8')).toBe('two');
}

function expectRefused({ code, stdout, stderr }: Ran, args: readonly string[], why: RegExp): void {
  expect({ args, code, stderr }).toEqual({ args, code: 1, stderr: expect.stringMatching(why) });
  expect({ args, stderr }).not.toEqual({ args, stderr: expect.stringMatching(/bug in snap|at .*\.js:/) });
  expect(stderr.trim().split('\n').length, `${args.join(' ')}: ${stderr}`).toBeGreaterThanOrEqual(2);
  expect(stdout, args.join(' ')).toBe('');
}

describe.runIf(mayBeNobody)('another user', () => {
  const root = (): string => join(folder.path, 'work');
  const asNobody = (args: readonly string[]): Ran => {
    const env = { PATH: process.env.PATH, HOME: '/nonexistent', TZ: 'UTC', XDG_CACHE_HOME: '/nonexistent' };
    const ran = spawnSync('setpriv', [...NOBODY, process.execPath, BIN, '-C', root(), ...args], {
      encoding: 'utf8',
      env,
    });
    return { code: ran.status, stdout: ran.stdout, stderr: ran.stderr };
  };

  test('of a workspace and store that belong to somebody else and may be read: as of a read-only disk', () => {
    prepare(root());
    execFileSync('chmod', ['-R', 'a+rX', root()]);
    const before = fingerprint(join(root(), '.snap/store'));
    const out = join(folder.path, 'out');
    fs.mkdirSync(out);
    fs.chownSync(out, 65534, 65534);
    expectReads(asNobody, out);
    for (const args of CHANGING) expectRefused(asNobody(args), args, /permission|EACCES|EPERM/i);
    expect(fingerprint(join(root(), '.snap/store'))).toEqual(before);
    expect(fs.readFileSync(join(root(), 'a'), 'utf8')).toBe('three');
  });

  testFrom('ordinary')('of a store that may not even be read: an error that says so', () => {
    prepare(root());
    fs.chmodSync(join(root(), '.snap'), 0o700);
    for (const args of [['log'], ['status'], ['commit', '-m', 'x']]) {
      const { code, stderr } = asNobody(args);
      expect([1, 10], `${args.join(' ')}: ${stderr}`).toContain(code);
      expect(stderr).toMatch(/permission|EACCES/i);
    }
  });

  test('with a folder of somebody else in the way of a checkout: its path, as status says it, and nothing is changed', () => {
    fs.mkdirSync(root());
    fs.chownSync(root(), 65534, 65534);
    expect(asNobody(['init']).code).toBe(0);
    fs.mkdirSync(join(root(), 'in/d'), { recursive: true });
    for (const name of ['in', 'in/d']) fs.chownSync(join(root(), name), 65534, 65534);
    for (const text of ['one', 'two']) {
      for (const name of ['a', 'in/d/f']) fs.writeFileSync(join(root(), name), text);
      expect(asNobody(['commit', '-m', text]).code).toBe(0);
    }
    fs.chownSync(join(root(), 'in/d'), 0, 0);
    fs.chmodSync(join(root(), 'in/d'), 0);
    for (const args of [
      ['checkout', 'HEAD~1', '-n'],
      ['checkout', 'HEAD~1'],
    ]) {
      const { code, stderr } = asNobody(args);
      expect({ args, code, stderr }).toEqual({
        args,
        code: 1,
        stderr: expect.stringContaining('in/d cannot be read (EACCES)'),
      });
      expect(stderr).not.toContain('/proc/');
    }
    expect(fs.readFileSync(join(root(), 'a'), 'utf8')).toBe('two');
  });

  test('whose own folder has files and folders without permission: named, exit code 3, and the rest is stored', () => {
    fs.mkdirSync(root());
    fs.chownSync(root(), 65534, 65534);
    expect(asNobody(['init']).code).toBe(0);
    for (const name of ['closed', 'listed only', 'entered only', 'fine']) {
      fs.mkdirSync(join(root(), name));
      fs.writeFileSync(join(root(), name, 'inside'), name);
      fs.chownSync(join(root(), name, 'inside'), 65534, 65534);
      fs.chownSync(join(root(), name), 65534, 65534);
    }
    fs.writeFileSync(join(root(), 'mode 000'), 'x', { mode: 0 });
    fs.chmodSync(join(root(), 'closed'), 0);
    fs.chmodSync(join(root(), 'listed only'), 0o400);
    fs.chmodSync(join(root(), 'entered only'), 0o100);
    const { code, stdout, stderr } = asNobody(['commit', '-m', 'x', '--json']);
    expect({ code, stderr }).toEqual({ code: 3, stderr: expect.any(String) });
    const { skipped } = JSON.parse(stdout) as { skipped: { path: string }[] };
    expect(skipped.map(({ path }) => path).sort()).toEqual(
      expect.arrayContaining(['closed', 'entered only', 'mode 000']),
    );
    expect(asNobody(['cat', 'HEAD:fine/inside']).stdout).toBe('fine');
    // What could not be read was not in the snapshot: a checkout leaves it alone.
    fs.writeFileSync(join(root(), 'fine/inside'), 'changed');
    expect([0, 3]).toContain(asNobody(['checkout', 'HEAD']).code);
    expect(fs.readFileSync(join(root(), 'closed/inside'), 'utf8')).toBe('closed');
    expect(fs.existsSync(join(root(), 'mode 000'))).toBe(true);
    expect(fs.readFileSync(join(root(), 'fine/inside'), 'utf8')).toBe('fine');
  });
});
