/**
 * A pack without its footer, read by one whose index is gone too: its blocks are found by a scan until `snap repair` has
 * made it whole, and verify goes on calling it damaged.
 */
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { readFile } from '../../src/api/diff.ts';
import { verify } from '../../src/api/verify.ts';
import { TRAILER_BYTES } from '../../src/pack/pack-format.ts';
import { pictureOf, samePicture } from '../kit/crash/stage.ts';
import { packPaths } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { makeSmallWorkspace, scratchFolder } from '../kit/small-workspace.ts';
import { FailingDisk } from './failing-disk.ts';

const folder = scratchFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let made: SmallWorkspace;
beforeEach(async () => {
  made = await makeSmallWorkspace(join(folder, 'work'));
});
afterEach(() => made.close());

test('its blobs are read, and it is damaged all the same', async () => {
  for (let i = 0; i < 20; i++) made.write(i % 2 === 0 ? `f${i}` : `d/f${i}`, noise(3000, i + 1));
  await made.commit('first');
  const before = packPaths(made.store);
  made.write('f0', 'another');
  const id = await made.commit('second');
  for (const pack of before) cutFooter(pack);
  await withoutIndex();
  expect(await cat('HEAD:f2')).toEqual(noise(3000, 3));
  expect(await cat('HEAD:d/f3')).toEqual(noise(3000, 4));
  const to = join(folder, 'copy');
  expect((await checkout(made.workspace, { revision: 'HEAD', to })).failures).toEqual([]);
  expect(samePicture(pictureOf(to), made.pictures.get(id) ?? new Map())).toBe(true);
  const { faults } = await verify(made.workspace);
  for (const pack of before)
    expect(faults).toContainEqual(expect.objectContaining({ what: 'pack', pack: pack.slice(-37, -5) }));
});

test('what is damaged in it is not read', async () => {
  for (let i = 0; i < 20; i++) made.write(`f${i}`, noise(3000, i + 1));
  await made.commit('first');
  const before = packPaths(made.store);
  made.write('f0', 'another');
  await made.commit('second');
  for (const pack of before)
    cutFooter(pack, (bytes) => {
      const at = bytes.indexOf(noise(3000, 3));
      if (at >= 0) bytes[at + 7] = (bytes[at + 7] ?? 0) ^ 1;
    });
  await withoutIndex();
  await expect(cat('HEAD:f2')).rejects.toMatchObject({ code: 'corrupt-data' });
});

test('a commit does not rely on it', async () => {
  for (let i = 0; i < 20; i++) made.write(`f${i}`, noise(3000, i + 1));
  await made.commit('first');
  const before = packPaths(made.store);
  made.write('f0', 'another');
  await made.commit('second');
  for (const pack of before) cutFooter(pack);
  await withoutIndex();
  made.write('f0', 'a third');
  await made.commit('third');
  for (const pack of before) rmSync(pack);
  expect(await cat('HEAD:f2')).toEqual(noise(3000, 3));
});

test('snapshots of a pack without its footer wait for repair: refs alone say which there are', async () => {
  made.write('a', 'a');
  const first = await made.commit('first');
  for (const pack of packPaths(made.store)) cutFooter(pack);
  await withoutIndex();
  const { trees, state } = made.workspace.repository;
  await expect(trees.snapshot(first)).rejects.toMatchObject({ code: 'corrupt-data' });
  expect([...state().refs.values()]).toEqual([first]);
});

test('what the disk does not give of one costs nothing of another', async () => {
  made.write('a', noise(3000, 1));
  await made.commit('first');
  const first = packPaths(made.store);
  made.write('b', noise(3000, 2));
  await made.commit('second');
  const both = packPaths(made.store);
  made.write('c', 'c');
  await made.commit('third');
  for (const pack of both) cutFooter(pack);
  await withoutIndex();
  const failing = new FailingDisk((call, path) => (call === 'read' && first.includes(path) ? 'EIO' : undefined));
  await made.reopen({ disk: failing.disk });
  expect(await cat('HEAD:b')).toEqual(noise(3000, 2));
  await expect(cat('HEAD:a')).rejects.toMatchObject({ code: 'corrupt-data' });
});

/** Zeros in place of the trailer, and `change` before it. */
function cutFooter(pack: string, change: (bytes: Buffer) => void = () => undefined): void {
  const bytes = readFileSync(pack);
  change(bytes);
  bytes.fill(0, bytes.length - TRAILER_BYTES);
  chmodSync(pack, 0o600);
  writeFileSync(pack, bytes);
}

async function withoutIndex(): Promise<void> {
  await made.workspace.close();
  rmSync(join(made.root, '.snap/index'), { recursive: true });
  await made.reopen();
}

async function cat(what: string): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const { content } = await readFile(made.workspace, what);
  for await (const piece of content) pieces.push(new Uint8Array(piece));
  return Buffer.concat(pieces);
}
