/** Bugs that other tools of this kind had, by their number in the project's list: what is in the store. */
import fs from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { readFile } from '../../src/api/diff.ts';
import { gc } from '../../src/api/gc.ts';
import { log } from '../../src/api/history.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import { openWorkspace } from '../../src/api/workspace.ts';
import { loadZstd } from '../../src/compress/zstd.ts';
import { SnapError } from '../../src/errors.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { BLOB_KIND, blobIdOf } from '../../src/object/blob-id.ts';
import { blobIn, openBlock } from '../../src/pack/block.ts';
import { beginSession } from '../../src/repo/session.ts';
import { amount, randomFrom, SEED } from '../kit/amount.ts';
import { flipBit, packPaths, verifyAll } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

const LONG = { timeout: amount({ sample: 60_000, ordinary: 240_000, long: 7_200_000 }) };

let made: TestWorkspace;
const store = (): string => join(made.root, '.snap/store');
const out = (): string => join(made.root, '..', 'out');
beforeEach(async () => {
  made = await makeWorkspace({ files: { a: 'alpha\n', 'sub/b': 'beta\n' } });
});
afterEach(() => made.cleanup());

async function loggedIds(): Promise<BlobId[]> {
  const ids: BlobId[] = [];
  for await (const { id } of log(made.workspace)) ids.push(id);
  return ids;
}

test('#3 a file whose bytes are a snapshot, a tree, a journal entry or a pack is a file and nothing else', async () => {
  const first = await made.commit('first');
  const { repository } = made.workspace;
  const { tree } = await repository.trees.snapshot(first);
  // A snapshot that was never committed, of a tree that is only in a file.
  const forgedTree = Buffer.from(await repository.blobs.read(BLOB_KIND.tree, tree)).map((byte, i) =>
    i === 6 ? 0x63 : byte,
  );
  const snapshotText = Buffer.from(await repository.blobs.read(BLOB_KIND.snapshot, first)).toString();
  const forged = Buffer.from(snapshotText.replace(tree, blobIdOf(forgedTree)).replace('first', 'forged'));
  made.write('forged snapshot', forged);
  made.write('forged tree', forgedTree);
  made.write('entry', fs.readFileSync(join(store(), 'journal/000000000002.json')));
  made.write('pack', fs.readFileSync(packPaths(store())[0] ?? ''));
  const second = await made.commit('second');

  expect(await loggedIds()).toEqual([second, first]);
  for (const kind of [BLOB_KIND.snapshot, BLOB_KIND.tree, BLOB_KIND.chunkList])
    for (const bytes of [forged, forgedTree]) {
      const wanted = made.workspace.repository.blobs.read(kind, blobIdOf(bytes));
      await expect(wanted).rejects.toMatchObject({ code: 'corrupt-data' });
    }
  for (const revision of [blobIdOf(forged), blobIdOf(forged).slice(0, 12), blobIdOf(forgedTree)])
    await expect(checkout(made.workspace, { revision, to: out() })).rejects.toMatchObject({ code: 'not-found' });
  expect((await verifyAll(made.workspace)).faults).toEqual([]);
  await gc(made.workspace, { rules: { keepLast: 1 }, now: true });
  await checkout(made.workspace, { revision: 'HEAD', to: out() });
  expect(fs.readFileSync(`${out()}/forged snapshot`).equals(forged)).toBe(true);
  expect(fs.readFileSync(`${out()}/forged tree`).equals(forgedTree)).toBe(true);
});

test('#15 a tree that cannot be read stops gc and a checkout that deletes, and nothing is removed', async () => {
  made.write('sub/deep/c', noise(70_000, 5));
  const first = await made.commit('first');
  made.write('a', 'changed');
  made.write('other/d', 'd');
  // Else the checkout need not read what is the same.
  made.write('sub/deep/c', noise(70_000, 6));
  await made.commit('second');
  const { repository } = made.workspace;
  const sub = await repository.trees.entryAt((await repository.trees.snapshot(first)).tree, ['sub']);
  if (sub?.kind !== 2) throw new Error('no folder');
  const { pack, blockOffset } = await repository.blobs.locate(BLOB_KIND.tree, sub.tree);
  await made.workspace.close();
  flipBit(join(store(), 'packs', pack.slice(0, 2), `${pack}.pack`), blockOffset + 30);
  fs.rmSync(join(made.root, '.snap/index'), { recursive: true });
  await made.reopen();
  const packs = packPaths(store());
  await expect(checkout(made.workspace, { revision: first })).rejects.toMatchObject({ code: 'corrupt-data' });
  await expect(gc(made.workspace, { rules: { keepLast: 2 }, now: true })).rejects.toMatchObject({
    code: 'corrupt-data',
  });
  expect(packPaths(store())).toEqual(expect.arrayContaining(packs));
  expect(made.read('other/d')).toBe('d');
  expect(made.read('sub/b')).toBe('beta\n');
});

test('#24 rules that would keep nothing are refused, whatever they are, and nothing is pruned', async () => {
  for (const message of ['one', 'two', 'three']) {
    made.write('a', message);
    await made.commit(message);
  }
  const before = fs.readdirSync(join(store(), 'journal'));
  for (const rules of [
    { keepLast: 0 },
    { keepDaily: 0 },
    { keepLast: 0, keepHourly: 0, keepYearly: 0 },
    { keepLast: -1 },
    { keepLast: Number.NaN },
  ])
    await expect(gc(made.workspace, { rules, now: true }), JSON.stringify(rules)).rejects.toBeInstanceOf(SnapError);
  expect(fs.readdirSync(join(store(), 'journal'))).toEqual(before);
  expect((await loggedIds()).length).toBe(3);
});

test('#26 locks, sessions and temporary files do not pile up', LONG, async () => {
  const left = (): string[] => [
    ...fs.readdirSync(join(made.root, '.snap')).filter((name) => name.startsWith('lock')),
    ...fs.readdirSync(join(made.root, '.snap/tmp')),
    ...fs.readdirSync(join(store(), 'tmp')),
    ...fs.readdirSync(join(store(), 'locks/sessions')),
  ];
  await made.commit('first');
  for (let i = 0; i < amount({ sample: 3, ordinary: 60, long: 1000 }); i++) {
    made.write('a', `round ${i}`);
    await made.commit(`round ${i}`);
    if (i % 10 === 0) await checkout(made.workspace, { revision: 'HEAD~1' });
    beginSession(made.workspace.repository.environment, made.workspace.repository.backend).end();
    // A session of a process that died: whoever looks removes it.
    const holder = { id: `dead-${i}`, pid: 1, host: made.workspace.repository.environment.host, bootId: 'old' };
    const dead = { ...holder, startTime: '1', command: 'snap commit' };
    fs.writeFileSync(join(store(), `locks/sessions/dead-${i}.json`), JSON.stringify(dead));
  }
  await gc(made.workspace, { now: true });
  expect(left()).toEqual([]);
});

test(
  '#28 #37 every stored file cut off at every length, also at 0: an error or right bytes, never an exception, never wrong bytes',
  LONG,
  async () => {
    await made.commit('first');
    made.write('a', 'ALPHA\n');
    await made.commit('second');
    await made.workspace.close();
    const random = randomFrom(SEED);
    const files = ['', '.snap/HEAD', '.snap/config.toml', '.snap/operations.jsonl'].map((name) =>
      join(made.root, name),
    );
    const stored = fs.readdirSync(store(), { recursive: true, encoding: 'utf8' }).map((name) => join(store(), name));
    for (const path of [...files, ...stored].filter((name) => fs.existsSync(name) && fs.statSync(name).isFile())) {
      const whole = fs.readFileSync(path);
      const { mode } = fs.statSync(path);
      fs.chmodSync(path, 0o600);
      for (const length of lengthsOf(whole.length, random)) {
        fs.writeFileSync(path, whole.subarray(0, length));
        if (length % 2 === 0) fs.rmSync(join(made.root, '.snap/index'), { recursive: true, force: true });
        const what = `seed ${SEED}: ${path.slice(made.root.length)} cut off at ${length} of ${whole.length}`;
        const problem = await readEverything(made.root, what);
        if (problem !== undefined) expect(problem, `${what}: ${problem.stack}`).toBeInstanceOf(SnapError);
        expect((problem as SnapError | undefined)?.code, what).not.toBe('internal');
      }
      fs.writeFileSync(path, whole);
      fs.chmodSync(path, mode);
    }
    fs.rmSync(join(made.root, '.snap/index'), { recursive: true, force: true });
    await made.reopen();
    expect((await verifyAll(made.workspace)).faults).toEqual([]);
  },
);

/** All of them in the long run, else the ends and some between. */
function lengthsOf(size: number, random: () => number): number[] {
  const all = Array.from({ length: size }, (_, i) => i);
  const wanted = amount({ sample: 2, ordinary: 20, long: size });
  if (wanted >= size) return all;
  return [0, size - 1, ...all.filter(() => random() < (wanted - 2) / size)];
}

/** Reads both snapshots as a command would; returns what went wrong. Throws for wrong bytes. */
async function readEverything(root: string, what: string): Promise<Error | undefined> {
  let workspace: Workspace | undefined;
  try {
    workspace = await openWorkspace(root);
    for (const [revision, content] of [
      ['HEAD', 'ALPHA\n'],
      ['HEAD~1', 'alpha\n'],
    ] as const) {
      const parts: Uint8Array[] = [];
      for await (const part of (await readFile(workspace, `${revision}:a`)).content) parts.push(part);
      expect(Buffer.concat(parts).toString(), what).toBe(content);
    }
    await verifyAll(workspace);
    return undefined;
  } catch (error) {
    if (error instanceof Error && error.name === 'AssertionError') throw error;
    return error as Error;
  } finally {
    await workspace?.close();
  }
}

test('#57 a block header that lies about its size costs no memory and is refused', async () => {
  made.write('zeros', Buffer.alloc(900_000));
  await made.commit('first');
  const zstd = await loadZstd();
  const { pack, blockOffset, storedLength } = await made.workspace.repository.blobs.locate(
    BLOB_KIND.data,
    blobIdOf(Buffer.alloc(900_000)),
  );
  const path = join(store(), 'packs', pack.slice(0, 2), `${pack}.pack`);
  const whole = fs.readFileSync(path);
  const block = whole.subarray(blockOffset, blockOffset + 24 + storedLength);
  for (const lie of [0, 1, 899_999, 2 ** 21, 2 ** 26, 2 ** 26 + 1, 2 ** 31, 2 ** 32 - 1]) {
    const lying = Buffer.from(block);
    lying.writeUInt32LE(lie, 8);
    lying.writeUInt32LE(crc32(lying.subarray(0, 20)), 20);
    const before = process.memoryUsage().rss;
    expect(() => {
      const { raw } = openBlock(zstd, lying, 'block');
      blobIn(raw, 0, { id: blobIdOf(Buffer.alloc(900_000)), length: 900_000 }, 'block');
    }, String(lie)).toThrow(SnapError);
    expect(process.memoryUsage().rss - before, String(lie)).toBeLessThan(40_000_000);
  }
  const lying = Buffer.from(whole);
  lying.writeUInt32LE(2 ** 26, blockOffset + 8);
  lying.writeUInt32LE(crc32(lying.subarray(blockOffset, blockOffset + 20)), blockOffset + 20);
  fs.chmodSync(path, 0o600);
  fs.writeFileSync(path, lying);
  expect((await verifyAll(made.workspace)).faultCount).toBeGreaterThan(0);
  const result = await checkout(made.workspace, { revision: 'HEAD', to: out() });
  expect(result.failures.map(({ code }) => code)).toContain('corrupt-data');
  expect(fs.existsSync(`${out()}/zeros`)).toBe(false);
  await expect(commit(made.workspace, {})).resolves.toBeDefined();
});
