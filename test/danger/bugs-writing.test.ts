/** Bugs that other tools of this kind had, by their number in the project's list: what is made, kept and derived. */
import fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { log } from '../../src/api/history.ts';
import { repair } from '../../src/api/repair.ts';
import { loadZstd } from '../../src/compress/zstd.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { SnapError } from '../../src/errors.ts';
import { BlobTable } from '../../src/index/blob-table.ts';
import type { BlobKind } from '../../src/object/blob-id.ts';
import { BLOB_KIND, blobIdOf } from '../../src/object/blob-id.ts';
import { openBlock, sealBlock } from '../../src/pack/block.ts';
import { amount, randomFrom, SEED } from '../kit/amount.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import { verifyAll } from '../kit/damage.ts';
import { fingerprint, noise, roundTimes } from '../kit/folder.ts';
import { storeHashes } from '../kit/store-damage.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';
import { commitOver, plainPath } from './crafted.ts';

const LONG = { timeout: amount({ sample: 60_000, ordinary: 240_000, long: 7_200_000 }) };

let made: TestWorkspace;
const store = (): string => join(made.root, '.snap/store');
const out = (name: string): string => join(made.root, '..', name);
beforeEach(async () => {
  made = await makeWorkspace({ files: { a: 'alpha\n', 'sub/b': 'beta\n' } });
});
afterEach(() => made.cleanup());

test('#1 the table of blobs answers as a map does, however many it has', LONG, () => {
  const operations = amount({ sample: 30_000, ordinary: 1_000_000, long: 5_000_000 });
  const random = randomFrom(SEED);
  const table = new BlobTable();
  const map = new Map<string, number>();
  const kinds = Object.values(BLOB_KIND) as BlobKind[];
  for (let operation = 0; operation < operations; operation++) {
    const kind = kinds[Math.floor(random() * kinds.length)] ?? BLOB_KIND.data;
    const id = blobIdOf(Buffer.from(String(Math.floor((random() * operations) / 2))));
    const key = `${kind} ${id}`;
    const where = `seed ${SEED}, operation ${operation}`;
    if (random() < 0.5) {
      const number = table.add(kind, id);
      if (number !== (map.get(key) ?? map.size)) expect(number, where).toBe(map.get(key) ?? map.size);
      map.set(key, number);
    } else if (table.find(kind, id) !== (map.get(key) ?? -1))
      expect(table.find(kind, id), where).toBe(map.get(key) ?? -1);
  }
  expect(table.size).toBe(map.size);
});

test('#2 repair of a store that is whole changes not one byte, whatever it may drop', async () => {
  await made.commit('first');
  made.write('b', noise(90_000, 3));
  await made.commit('second');
  const before = storeHashes(store());
  for (const dropDamaged of [false, true]) {
    expect(await repair(made.workspace, { dropDamaged })).toMatchObject({ remains: false, lostBlobs: 0 });
    expect(storeHashes(store())).toEqual(before);
  }
});

test(
  '#20 no entry is published before the last pack is in its place and durable, however long that takes',
  LONG,
  async () => {
    await made.workspace.close();
    let syncs = 1;
    for (let slow = 1; slow <= syncs; slow++) {
      made.write('b', noise(100_000, slow));
      let seen = 0;
      let waiting = false;
      const published: boolean[] = [];
      const disk = {
        ...realDisk,
        syncLater: async (fd: number): Promise<void> => {
          if (++seen === slow) {
            waiting = true;
            await new Promise((resolve) => setTimeout(resolve, 150));
          }
          await realDisk.syncLater(fd);
          if (seen === slow) waiting = false;
        },
        link: (from: string, to: string): void => {
          if (to.includes('/journal/')) published.push(waiting);
          realDisk.link(from, to);
        },
      };
      await commitOver(made.root, disk, { workers: inlineWorkers(disk) });
      syncs = seen;
      expect(published, `slow is ${slow} of ${seen}`).toEqual([false]);
    }
    expect(syncs).toBeGreaterThan(0);
    await made.reopen();
  },
);

test('#22 what a faulty compressor makes of a block is never stored', async () => {
  const zstd = await loadZstd();
  const bytes = Buffer.from('text that can be compressed, and then some. '.repeat(500));
  const parts = [{ blob: { kind: BLOB_KIND.data, id: blobIdOf(bytes), length: bytes.length }, bytes }];
  const size = zstd.compress(bytes, 'balanced').length;
  let refused = 0;
  for (let at = 0; at < size; at++) {
    const faulty = {
      ...zstd,
      compress: (...args: Parameters<typeof zstd.compress>) => {
        const changed = Uint8Array.from(zstd.compress(...args));
        changed[at] = (changed[at] ?? 0) ^ 0x10;
        return changed;
      },
    };
    try {
      // A bit that does not matter is no fault.
      const { raw } = openBlock(zstd, Buffer.from(sealBlock(faulty, parts, 'balanced').bytes), 'block');
      expect(Buffer.from(raw.subarray(0, bytes.length)).equals(bytes), `byte ${at}`).toBe(true);
    } catch (error) {
      expect(error, `byte ${at}`).toBeInstanceOf(SnapError);
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(size / 2);
});

const HURT: Record<string, (path: string) => void> = {
  'is empty': (path) => fs.truncateSync(path, 0),
  'is cut in half': (path) => fs.truncateSync(path, fs.statSync(path).size >> 1),
  'is zeros': (path) => fs.writeFileSync(path, Buffer.alloc(fs.statSync(path).size)),
  'is gone': (path) => fs.rmSync(path),
};

test.each(amount({ sample: ['is cut in half'], ordinary: Object.keys(HURT), long: Object.keys(HURT) }))(
  '#23 #43 whatever file of the index %s, every answer is the same',
  LONG,
  async (how) => {
    for (const message of ['one', 'two', 'three']) {
      made.write('a', message);
      for (let i = 0; i < 30; i++) made.write(`many/${i}`, `${message} ${i}`);
      roundTimes(made.root);
      await made.commit(message);
      await made.reopen();
    }
    const index = join(made.root, '.snap/index');
    const messages = async (): Promise<string[]> => {
      const found: string[] = [];
      for await (const { snapshot } of log(made.workspace, {})) found.push(snapshot.message);
      return found;
    };
    const wanted = await messages();
    await made.workspace.close();
    fs.cpSync(index, out('index'), { recursive: true });
    const names = fs.readdirSync(index).filter((name) => fs.statSync(join(index, name)).isFile());
    for (const name of amount({ sample: names.slice(0, 3), ordinary: names, long: names })) {
      fs.rmSync(index, { recursive: true, force: true });
      fs.cpSync(out('index'), index, { recursive: true });
      HURT[how]?.(join(index, name));
      await made.reopen();
      expect(await messages(), name).toEqual(wanted);
      expect((await commit(made.workspace, {})).id, name).toBeUndefined();
      const to = out(`${how} ${name}`);
      await checkout(made.workspace, { revision: 'HEAD', to });
      expect(fingerprint(to), name).toEqual(fingerprint(made.root));
      await made.workspace.close();
    }
    await made.reopen();
    expect((await verifyAll(made.workspace)).faults).toEqual([]);
  },
);

test('#48 nothing of a workspace or store is run: three modules start programs: snap itself, the editor, and mkfifo', async () => {
  const src = join(import.meta.dirname, '../../src');
  const starting = fs
    .readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter(
      (name) =>
        name.endsWith('.ts') &&
        /child_process|shell: *true|\beval\(|new Function/.test(fs.readFileSync(join(src, name), 'utf8')),
    );
  expect(starting.sort()).toEqual(['cli/commands/config.ts', 'disk/disk.ts', 'index/check-apart.ts']);
  // What git would run on such an occasion.
  const ran = out('ran');
  for (const hook of ['pre-commit', 'post-commit', 'post-checkout']) {
    made.write(`.git/hooks/${hook}`, `#!/bin/sh\ntouch ${ran}\n`);
    fs.chmodSync(join(made.root, '.git/hooks', hook), 0o755);
  }
  made.write('.git/HEAD', 'ref: refs/heads/main\n');
  made.write('.git/config', `[core]\nfsmonitor = touch ${ran}\nhooksPath = .git/hooks\n`);
  await made.commit('with hooks');
  await checkout(made.workspace, { revision: 'HEAD', to: out('copy') });
  expect(fs.existsSync(ran)).toBe(false);
});

test('#55 a small file that is written between two reads of it is stored whole, as one version', async () => {
  await made.workspace.close();
  const version = (n: number): Buffer => Buffer.alloc(60_000, String.fromCharCode(97 + (n % 26)));
  for (const times of amount({ sample: [1, 10], ordinary: [1, 2, 3, 10], long: [1, 2, 3, 10] })) {
    fs.writeFileSync(join(made.root, 'torn'), version(0));
    let written = 0;
    const torn = new Set<number>();
    const disk = {
      ...realDisk,
      open: (path: string, flags: number, mode?: number): number => {
        const fd = realDisk.open(path, flags, mode);
        if (plainPath(path).endsWith('/torn')) torn.add(fd);
        return fd;
      },
      close: (fd: number): void => {
        torn.delete(fd);
        realDisk.close(fd);
      },
      // At most 20,000 bytes at once, and others write between two of them.
      read: (fd: number, buffer: Uint8Array, offset: number, length: number, position: number | null): number => {
        const count = realDisk.read(fd, buffer, offset, torn.has(fd) ? Math.min(length, 20_000) : length, position);
        if (torn.has(fd) && written < times) {
          const now = performance.now();
          // Past the tick in which the version before was written.
          while (performance.now() - now < 12);
          fs.writeFileSync(join(made.root, 'torn'), version(++written));
        }
        return count;
      },
    };
    const { id, scan } = await commitOver(made.root, disk, { workers: inlineWorkers(disk), message: `${times}` });
    await made.reopen();
    const to = out(`torn ${times}`);
    await checkout(made.workspace, { revision: id ?? '', to });
    const bytes = fs.readFileSync(join(to, 'torn'));
    const isWhole = bytes.length === 60_000 && bytes.every((byte) => byte === bytes[0]);
    // Whole, or marked: never torn in silence.
    expect(isWhole || scan.unsteady.includes('torn'), `written ${times} times`).toBe(true);
    if (times < 3) expect(scan.unsteady, `written ${times} times`).toEqual([]);
    await made.workspace.close();
  }
  await made.reopen();
});
