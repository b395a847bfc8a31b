/** Full and read-only disks: on real file systems. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';
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
import { snap } from '../kit/snap.ts';
import { CHANGING, expectReads, expectRefused, prepare } from './not-writable.ts';

const IS_ROOT = process.getuid?.() === 0;

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
if (!mayMount)
  process.stderr.write('full-disk.test.ts: nothing can be mounted here; full and read-only disks are not tested\n');

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

  test('full to its last byte: everything can be read, and once there is room it goes on', () => {
    mount(join(folder.path, 'disk'), '-t', 'tmpfs', '-o', 'size=16m', 'none');
    prepare(root());
    const filler = fs.openSync(join(folder.path, 'disk/filler'), 'w');
    const page = bytes(4096, 1);
    expect(() => {
      for (;;) fs.writeSync(filler, page);
    }).toThrow('ENOSPC');
    fs.closeSync(filler);
    expect(fs.statfsSync(root()).bfree).toBe(0);
    expectReads((args) => snap(['-C', root(), ...args]), join(folder.path, 'out'));
    for (const args of [['commit', '-m', 'x'], ['gc']])
      expectRefused(snap(['-C', root(), ...args]), args, /no space left while locking .*\.snap.*lock/);
    expect(leftovers(root())).toEqual([]);
    fs.rmSync(join(folder.path, 'disk/filler'));
    expect(snap(['-C', root(), 'commit', '-m', 'x'])).toMatchObject({ code: 0 });
  });

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
