/** Reading files that change, vanish or may not be read, with the workers' own jobs run on a disk that does it. */
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { defaultChunkParams } from '../../src/chunk/chunk-params.ts';
import type { Disk } from '../../src/disk/disk.ts';
import { OPEN, realDisk } from '../../src/disk/disk.ts';
import { blobIdOf } from '../../src/object/blob-id.ts';
import type { FileReading } from '../../src/scan/file-reader.ts';
import { FileReader } from '../../src/scan/file-reader.ts';
import { hashChunks } from '../../src/work/hash-chunks.ts';
import type { Job } from '../../src/work/jobs.ts';
import { cutStretch, numbersOf, readFiles } from '../../src/work/read-files.ts';
import type { Workers } from '../../src/work/start-workers.ts';
import { plainPath } from '../danger/crafted.ts';
import { noise } from '../kit/folder.ts';
import { FailingDisk } from '../repo/failing-disk.ts';

let root: string;
beforeEach(() => {
  root = fs.mkdtempSync(join(tmpdir(), 'snap-test-'));
});
afterEach(() => fs.rmSync(root, { recursive: true }));

/** What a worker thread would do, here, on `disk`. */
function workersOn(disk: Disk): Workers {
  const run = async (job: Job): Promise<unknown> => {
    if (job.kind === 'read') return readFiles(disk, job);
    if (job.kind === 'cut') return cutStretch(disk, job);
    if (job.kind === 'hash') return { buffer: job.buffer, chunks: hashChunks(job.buffer, job) };
    throw new Error(job.kind);
  };
  return { capacity: 4, warm: () => undefined, run } as unknown as Workers;
}

async function readAll(disk: Disk, names: readonly string[], base = root): Promise<FileReading[]> {
  const sink = { take: () => undefined, spareBuffer: () => undefined, ready: async () => undefined };
  const fd = realDisk.open(base, OPEN.folder);
  const reader = new FileReader({
    workers: workersOn(disk),
    root: { fd, path: base },
    chunker: defaultChunkParams,
    sink,
    signal: undefined,
  });
  const readings = names.map((path) => {
    const seen = fs.lstatSync(join(base, path), { bigint: true });
    return new Promise<FileReading>((settle, fail) => {
      reader.read({ path, size: Number(seen.size), stat: Buffer.from(numbersOf(seen).buffer), at: 0, settle, fail });
    });
  });
  reader.flush();
  try {
    return await Promise.all(readings);
  } finally {
    realDisk.close(fd);
  }
}

/** Writes `path` again after each of the first `times` times that its bytes were read, `bytes(n)` long. */
function changing(path: string, times: number, bytes: (n: number) => Buffer): Disk {
  let changes = 0;
  const watched = new Set<number>();
  return {
    ...realDisk,
    open: (opened, flags, mode) => {
      const fd = realDisk.open(opened, flags, mode);
      if (plainPath(opened) === path) watched.add(fd);
      return fd;
    },
    close: (fd) => {
      watched.delete(fd);
      realDisk.close(fd);
    },
    read: (fd, ...rest) => {
      const count = realDisk.read(fd, ...rest);
      if (watched.has(fd) && count > 0 && changes < times) fs.writeFileSync(path, bytes(++changes));
      return count;
    },
  };
}

function idsOf(reading: FileReading | undefined): string[] {
  return reading?.kind === 'read' ? reading.chunks.map(({ id }) => id) : [];
}

describe.each([
  ['small', 1000],
  ['read by stretches', 9_000_000],
])('a file that is %s', (_, size) => {
  const version = (n: number): Buffer => noise(size + n, n);

  test('and changes while it is read is read again', async () => {
    fs.writeFileSync(`${root}/other`, 'quiet');
    fs.writeFileSync(`${root}/f`, version(0));
    const [reading, other] = await readAll(changing(`${root}/f`, 1, version), ['f', 'other']);
    expect(reading).toMatchObject({ kind: 'read', size: size + 1, unsteady: false });
    const whole = Buffer.concat([version(1)]);
    let at = 0;
    for (const chunk of reading?.kind === 'read' ? reading.chunks : []) {
      expect(blobIdOf(whole.subarray(at, at + chunk.length))).toBe(chunk.id);
      at += chunk.length;
    }
    expect(at).toBe(size + 1);
    if (reading?.kind === 'read') expect(reading.now?.[1]).toBe(fs.statSync(`${root}/f`, { bigint: true }).mtimeNs);
    expect(other).toMatchObject({ kind: 'read', unsteady: false });
    expect(idsOf(other)).toEqual([blobIdOf(Buffer.from('quiet'))]);
  });

  test('and changes every time is taken as it was read last, and marked', async () => {
    fs.writeFileSync(`${root}/f`, version(0));
    const [reading] = await readAll(
      changing(`${root}/f`, 100, (n) => noise(size, n)),
      ['f'],
    );
    expect(reading).toMatchObject({ kind: 'read', unsteady: true });
  });

  test('and vanished, or may not be read, is told apart', async () => {
    fs.writeFileSync(`${root}/f`, version(0));
    fs.writeFileSync(`${root}/g`, version(1));
    const disk: Disk = {
      ...realDisk,
      open: (path, flags, mode) => {
        if (path.endsWith('/f')) fs.rmSync(path);
        if (path.endsWith('/g')) throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
        return realDisk.open(path, flags, mode);
      },
    };
    expect(await readAll(disk, ['f', 'g'])).toEqual([{ kind: 'gone' }, { kind: 'failed', reason: 'EACCES' }]);
  });
});

test('a reading that is interrupted goes on; one that always is ends', async () => {
  const sizes = { small: 1000, large: 9_000_000 };
  for (const [name, size] of Object.entries(sizes)) fs.writeFileSync(`${root}/${name}`, noise(size, size));
  for (const [interrupts, kind] of [
    [(n: number) => n % 3 > 0, 'read'],
    [() => true, 'failed'],
  ] as const) {
    let calls = 0;
    const { disk } = new FailingDisk((call) => (call === 'read' && interrupts(++calls) ? 'EINTR' : undefined));
    expect((await readAll(disk, ['small', 'large'])).map((reading) => reading.kind)).toEqual([kind, kind]);
  }
});

test('a file that says it is empty and is not, as below /proc, is read to its end', async () => {
  const [reading] = await readAll(realDisk, ['version'], '/proc');
  expect(idsOf(reading)).toEqual([blobIdOf(fs.readFileSync('/proc/version'))]);
});

test('many large files at once are all read', async () => {
  const names = Array.from({ length: 9 }, (_, n) => `large${n}`);
  for (const [n, name] of names.entries()) fs.writeFileSync(`${root}/${name}`, noise(2_500_000 + n, n));
  const readings = await readAll(realDisk, names);
  expect(readings.map((reading) => (reading.kind === 'read' ? reading.size : 0))).toEqual(
    names.map((_, n) => 2_500_000 + n),
  );
});
