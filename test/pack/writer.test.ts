/** Danger: a pack that is taken for written and is not, or one that is left behind. */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Disk } from '../../src/disk/disk.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { blobIdOf } from '../../src/object/blob-id.ts';
import { sealBlock } from '../../src/pack/block.ts';
import { PackWriter } from '../../src/pack/pack-writer.ts';
import { temporaryFolder } from '../kit/folder.ts';
import { data, PACK, packOf, zstd } from './packs.ts';

let folder: { path: string; remove(): void };
const path = (): string => join(folder.path, 'staged');
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

const contents = [[data('one'), data('two')], [data('three')]];
const made = packOf(...contents);
const openFiles = (): string[] => readdirSync('/proc/self/fd');

/** A disk that counts its open files, and on which a call fails. */
function broken(failing: Partial<Disk>): Disk {
  return { ...realDisk, ...failing };
}
const noSpace = (): never => {
  throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
};

function append(writer: PackWriter): void {
  for (const parts of contents) writer.append(sealBlock(zstd, parts, 'off'));
}

test('writes what the format says, durably, readable by its owner alone', async () => {
  const synced: number[] = [];
  const writer = new PackWriter(broken({ syncLater: async (fd) => void synced.push(fd) }), PACK, path());
  const places = contents.map((parts) => writer.append(sealBlock(zstd, parts, 'off')));
  expect(places).toEqual(made.blocks);
  expect(writer.size).toBe(made.bytes.length);
  const staged = await writer.seal();
  expect(readFileSync(path()).equals(made.bytes)).toBe(true);
  expect(staged).toEqual({
    path: path(),
    record: { id: PACK, size: made.bytes.length, sha256: blobIdOf(made.bytes), blobs: 3 },
  });
  expect(synced).toHaveLength(1);
  expect(statSync(path()).mode & 0o777).toBe(0o600);
});

test('never writes over a file', () => {
  writeFileSync(path(), 'kept');
  expect(() => new PackWriter(realDisk, PACK, path())).toThrow('EEXIST');
  expect(readFileSync(path(), 'utf8')).toBe('kept');
});

test('a write that fails removes the file, and nothing can be added afterwards', () => {
  const before = openFiles().length;
  let full = false;
  const disk = broken({ write: (...args) => (full ? noSpace() : realDisk.write(...args)) });
  const writer = new PackWriter(disk, PACK, path());
  full = true;
  expect(() => append(writer)).toThrow(expect.objectContaining({ code: 'no-space' }));
  expect(existsSync(path())).toBe(false);
  expect(openFiles()).toHaveLength(before);
  full = false;
  expect(() => append(writer)).toThrow(expect.objectContaining({ code: 'internal' }));
  writer.abandon();
});

test.each(['write', 'syncLater', 'close'] as const)('sealing with a failing %s gives no pack', async (name) => {
  const before = openFiles().length;
  let full = false;
  const disk = broken({
    write: (...args) => (full && name === 'write' ? noSpace() : realDisk.write(...args)),
    syncLater: async (fd) => (full && name === 'syncLater' ? noSpace() : realDisk.syncLater(fd)),
    // It is closed all the same, as on Linux.
    close: (fd) => {
      realDisk.close(fd);
      if (full && name === 'close') noSpace();
    },
  });
  const writer = new PackWriter(disk, PACK, path());
  append(writer);
  full = true;
  await expect(writer.seal()).rejects.toThrow(expect.objectContaining({ code: 'no-space' }));
  expect(existsSync(path())).toBe(false);
  expect(openFiles()).toHaveLength(before);
  await expect(writer.seal()).rejects.toThrow(expect.objectContaining({ code: 'internal' }));
});

test('abandoned: the file is gone; sealed: it stays', async () => {
  const before = openFiles().length;
  const writer = new PackWriter(realDisk, PACK, path());
  append(writer);
  writer.abandon();
  writer.abandon();
  expect(existsSync(path())).toBe(false);
  expect(openFiles()).toHaveLength(before);
  const other = new PackWriter(realDisk, PACK, path());
  await other.seal();
  other.abandon();
  expect(existsSync(path())).toBe(true);
  expect(openFiles()).toHaveLength(before);
});
