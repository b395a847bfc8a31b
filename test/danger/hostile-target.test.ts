/**
 * Checkouts into folders that somebody else fills with links, before and while it goes on, and of trees that nobody
 * should have made: nothing outside the target changes (#5, #49, #50, #51 of the project's list of bugs).
 */
import fs from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import type { OverwritePolicy } from '../../src/checkout/apply-options.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { BLOB_KIND, blobIdOf } from '../../src/object/blob-id.ts';
import { amount, randomFrom, SEED } from '../kit/amount.ts';
import { verifyAll } from '../kit/damage.ts';
import { fingerprint, noise } from '../kit/folder.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';
import type { CraftedBlob } from './crafted.ts';
import { fileEntry, folderEntry, looseTree, publishTree, symlinkEntry } from './crafted.ts';

let made: TestWorkspace;
let canary: string;
const out = (): string => join(made.root, '..', 'out');
beforeEach(async () => {
  made = await makeWorkspace({ files: { 'd/x': 'from the snapshot', 'd/deep/y': 'y', f: 'file' } });
  canary = join(made.root, '..', 'canary');
  fs.mkdirSync(join(canary, 'deep'), { recursive: true });
  for (const name of ['x', 'f', 'deep/y']) fs.writeFileSync(join(canary, name), 'not yours', { mode: 0o600 });
  fs.chmodSync(canary, 0o750);
  for (const name of ['deep', '']) fs.utimesSync(join(canary, name), 1_000_000_000, 1_000_000_000);
});
afterEach(() => made.cleanup());

/** All of the canary: names, bytes, modes, times, owners, and of the folder itself. */
function canaryNow(): string[] {
  const stat = fs.lstatSync(canary, { bigint: true });
  return [...fingerprint(canary), `${stat.mode} ${stat.mtimeNs} ${stat.uid} ${stat.gid}`];
}

const PLANTED: [what: string, path: string][] = [
  ['a folder', 'd'],
  ['a folder inside', 'd/deep'],
  ['a file', 'f'],
  ['a file in a folder', 'd/x'],
];

test.each(
  amount({ sample: PLANTED.slice(1, 3), ordinary: PLANTED, long: PLANTED }),
)('#51 a link planted in place of %s, dangling or not, is not followed', async (_what, path) => {
  await made.commit('first');
  for (const target of [canary, join(canary, 'f'), join(canary, 'new'), '../canary'])
    for (const overwrite of ['always', 'if-newer', 'never'] satisfies OverwritePolicy[]) {
      fs.rmSync(out(), { recursive: true, force: true });
      fs.mkdirSync(join(out(), path, '..'), { recursive: true });
      fs.symlinkSync(target, join(out(), path));
      const before = canaryNow();
      await checkout(made.workspace, { revision: 'HEAD', to: out(), force: true, overwrite }).catch(() => undefined);
      expect(canaryNow(), `${path} to ${target}, ${overwrite}`).toEqual(before);
      expect(fs.existsSync(join(canary, 'new'))).toBe(false);
    }
});

test('#51 links in place of folders of the workspace itself, planted after the scan, are not followed', async () => {
  const first = await made.commit('first');
  made.write('d/x', 'second');
  made.write('d/deep/z', 'z');
  await made.commit('second');
  const before = canaryNow();
  fs.renameSync(join(made.root, 'd'), join(made.root, 'd-aside'));
  fs.symlinkSync(canary, join(made.root, 'd'));
  await checkout(made.workspace, { revision: first });
  expect(canaryNow()).toEqual(before);
  expect(made.read('d/x')).toBe('from the snapshot');
});

const evil = (entries: Parameters<typeof looseTree>[0]): CraftedBlob => ({
  kind: BLOB_KIND.tree,
  bytes: looseTree(entries),
});
const data = (text: string): CraftedBlob => ({ kind: BLOB_KIND.data, bytes: Buffer.from(text) });
const idOf = ({ bytes }: CraftedBlob): BlobId => blobIdOf(bytes);

test('#5 #14 #49 #50 trees with one name twice, as link and folder or as link and file, are refused and write nothing outside', async () => {
  await made.commit('first');
  const bytes = data('evil');
  const file = (name: string): ReturnType<typeof fileEntry> => fileEntry(name, bytes.bytes);
  const inner = evil([file('x')]);
  const cases: [string, CraftedBlob][] = [
    ['link and folder', evil([symlinkEntry('d', canary), folderEntry('d', idOf(inner))])],
    ['folder and link', evil([folderEntry('d', idOf(inner)), symlinkEntry('d', canary)])],
    ['link and file', evil([symlinkEntry('f', join(canary, 'f')), file('f')])],
    ['twice a file', evil([file('f'), file('f')])],
    ['unsorted', evil([symlinkEntry('z', canary), file('a')])],
  ];
  const before = canaryNow();
  for (const [what, tree] of cases) {
    const revision = await publishTree(made.workspace, [bytes, inner, tree], idOf(tree));
    for (const to of [out(), undefined])
      await expect(
        checkout(made.workspace, { revision, ...(to === undefined ? {} : { to }) }),
        what,
      ).rejects.toMatchObject({
        code: 'corrupt-data',
      });
    expect(canaryNow(), what).toEqual(before);
    expect(made.read('d/x')).toBe('from the snapshot');
    expect((await verifyAll(made.workspace)).faultCount, what).toBeGreaterThan(0);
    fs.rmSync(out(), { recursive: true, force: true });
  }
});

test('#49 links of a snapshot are made and never walked through: the same content again, links first, folders after', async () => {
  await made.commit('first');
  const bytes = data('evil');
  const inner = evil([fileEntry('x', bytes.bytes)]);
  const links = evil([symlinkEntry('d', canary), symlinkEntry('f', join(canary, 'f'))]);
  const folders = evil([folderEntry('d', idOf(inner)), fileEntry('f', bytes.bytes)]);
  const [one, two] = [
    await publishTree(made.workspace, [links], idOf(links)),
    await publishTree(made.workspace, [bytes, inner, folders], idOf(folders)),
  ];
  const before = canaryNow();
  for (const revision of [one, two, one, two]) {
    await checkout(made.workspace, { revision });
    await checkout(made.workspace, { revision, to: out(), force: true });
    expect(canaryNow()).toEqual(before);
  }
  expect(made.read('d/x')).toBe('evil');
  expect(made.read('f')).toBe('evil');
});

/** Swaps folders for links and back, all the time; the target itself once it was opened: until then it may be a link. */
const SWAPPER = `
const fs = require('node:fs');
const { out, canary, names } = require('node:worker_threads').workerData;
const quietly = (work) => { try { return work(); } catch { return undefined; } };
for (let n = 0; ; n++) {
  const name = names[n % names.length];
  const temporary = (quietly(() => fs.readdirSync(out)) ?? []).find((found) => found.startsWith('.snap-checkout-'));
  for (const path of [out + '/' + name, temporary === undefined ? undefined : out + '/' + temporary, temporary !== undefined && n % 5 === 0 ? out : undefined]) {
    if (path === undefined) continue;
    quietly(() => fs.renameSync(path, path + '-aside'));
    quietly(() => fs.symlinkSync(canary, path));
    for (let wait = 0; wait < 2000 * (n % 7); wait++);
    quietly(() => fs.lstatSync(path).isSymbolicLink() && fs.unlinkSync(path));
    quietly(() => fs.renameSync(path + '-aside', path));
  }
}`;

test('#51 folders that become links and folders again while a checkout goes on lead nothing outside', {
  timeout: amount({ sample: 60_000, ordinary: 240_000, long: 7_200_000 }),
}, async () => {
  const names = Array.from({ length: 12 }, (_, i) => `d${i}`);
  const random = randomFrom(SEED);
  for (const name of names) {
    for (let i = 0; i < 25; i++) made.write(`${name}/f${i}`, noise(Math.floor(random() * 3000), i + 1));
    made.write(`${name}/deep/er/y`, name);
    fs.symlinkSync('f1', join(made.root, name, 'link'));
    fs.linkSync(join(made.root, name, 'f2'), join(made.root, name, 'deep/hard'));
  }
  made.write('d0/large', noise(9_000_000, 5));
  await made.commit('first');
  for (const name of ['large', 'f1', 'f2', 'link']) fs.writeFileSync(join(canary, name), 'not yours', { mode: 0o600 });
  fs.utimesSync(canary, 1_000_000_000, 1_000_000_000);
  const before = canaryNow();
  let swapped = 0;
  const rounds = amount({ sample: 2, ordinary: 25, long: 500 });
  // On a busy machine the swaps may all come too late.
  for (let round = 0; round < rounds || (swapped === 0 && round < rounds + 30); round++) {
    fs.rmSync(out(), { recursive: true, force: true });
    fs.mkdirSync(out());
    const swapper = new Worker(SWAPPER, { eval: true, workerData: { out: out(), canary, names } });
    await new Promise((resolve) => swapper.on('online', resolve));
    const result = await checkout(made.workspace, { revision: 'HEAD', to: out(), force: true }).catch(() => undefined);
    await swapper.terminate();
    if (result === undefined || result.failures.length > 0) swapped++;
    expect(canaryNow(), `seed ${SEED}, round ${round}`).toEqual(before);
    for (const left of fs.readdirSync(join(out(), '..')).filter((name) => name.startsWith('out')))
      fs.rmSync(join(out(), '..', left), { recursive: true, force: true });
  }
  expect(swapped, 'rounds in which a swap was met').toBeGreaterThan(0);
});
