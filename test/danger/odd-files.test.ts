/** Files and folders that are large, many, special, or something else by the time they are read. */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { amount } from '../kit/amount.ts';
import { verifyAll } from '../kit/damage.ts';
import { fingerprint, noise, roundTimes } from '../kit/folder.ts';
import { testFrom } from '../kit/test-from.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';
import { commitOver, plainPath, removeDeep } from './crafted.ts';

let made: TestWorkspace;
const out = (): string => join(made.root, '..', 'out');
const at = (name: string): string => join(made.root, name);
beforeEach(async () => {
  made = await makeWorkspace({ files: { a: 'alpha' } });
});
afterEach(async () => {
  removeDeep(out());
  await made.cleanup();
});

async function expectRoundTrip(specials = true): Promise<void> {
  const { id, scan } = await commit(made.workspace, { message: 'odd' });
  expect(scan.skipped).toEqual([]);
  const result = await checkout(made.workspace, { revision: id ?? '', to: out() });
  expect(result.failures).toEqual([]);
  expect(fingerprint(out(), { specials })).toEqual(fingerprint(made.root, { specials }));
}

test('a file larger than 2^53 - 1 bytes is left out at once, and named', async (context) => {
  const { status } = spawnSync('truncate', ['-s', String(2n ** 53n), at('huge')]);
  if (status !== 0) context.skip('no files of that size here');
  const { counts, skipped } = (await commit(made.workspace, { message: 'huge' })).scan;
  expect(counts.added).toBe(2);
  expect(skipped).toEqual([{ path: 'huge', reason: 'it is larger than 8 PiB, which no snapshot can hold' }]);
});

test('names of 255 bytes, and paths of 4,095, 4,096 and 4,097 bytes', async () => {
  for (const unit of ['n', 'é', '☃', '𝒳']) made.write(unit.repeat(255 / Buffer.byteLength(unit)), unit);
  fs.writeFileSync(Buffer.concat([Buffer.from(`${made.root}/`), Buffer.alloc(255, 0xfe)]), 'no UTF-8');
  fs.mkdirSync(Buffer.concat([Buffer.from(`${made.root}/`), Buffer.alloc(255, 0xfd)]));
  const folder = `${'f'.repeat(255)}/`.repeat(15);
  for (const total of [4094, 4095, 4096, 4097]) {
    const name = 'x'.repeat(total - made.root.length - 1 - folder.length);
    if (name.length < 1 || name.length > 255) continue;
    realFolders(folder);
    const before = process.cwd();
    process.chdir(join(made.root, folder));
    fs.writeFileSync(name, String(total));
    process.chdir(before);
  }
  const { id, scan } = await commit(made.workspace, { message: 'long' });
  expect(scan.skipped).toEqual([]);
  const result = await checkout(made.workspace, { revision: id ?? '', to: out() });
  expect(result.failures).toEqual([]);
  const listed = (root: string): string =>
    execFileSync('find', ['.', '-type', 'f', '-not', '-path', './.snap/*'], { cwd: root, encoding: 'latin1' });
  expect(listed(out()).split('\n').sort()).toEqual(listed(made.root).split('\n').sort());
});

function realFolders(path: string): void {
  fs.mkdirSync(at(path), { recursive: true });
}

test('one folder of very many files: all committed, one more renews little, all come back', {
  timeout: 900_000,
}, async () => {
  const count = amount({ sample: 600, ordinary: 100_000, long: 1_000_000 });
  fs.mkdirSync(at('many'));
  for (let i = 0; i < count; i++) fs.writeFileSync(at(`many/file ${i}`), i % 10 === 0 ? `content ${i}` : '');
  const first = await commit(made.workspace, { message: 'many' });
  expect(first.scan.totals.files).toBe(count + 2);
  made.write('many/one more', 'x');
  const second = await commit(made.workspace, { message: 'one more' });
  expect(second.scan.counts).toEqual({ added: 1, changed: 0, removed: 0 });
  expect(second.newBytes).toBeLessThan(first.newBytes / 3 + 400_000);
  const result = await checkout(made.workspace, { revision: first.id ?? '', to: out() });
  expect(result.failures).toEqual([]);
  expect(fs.readdirSync(join(out(), 'many')).length).toBe(count);
  const back = await checkout(made.workspace, { revision: first.id ?? '' });
  expect(back).toMatchObject({ removed: 1, written: 0, failures: [] });
});

test('very many names of one file are one file again', { timeout: 900_000 }, async () => {
  const count = amount({ sample: 100, ordinary: 10_000, long: 60_000 });
  made.write('links/0', 'one inode');
  for (let i = 1; i < count; i++) fs.linkSync(at('links/0'), at(`links/${i}`));
  const { id, scan } = await commit(made.workspace, { message: 'links' });
  expect(scan.bytesRead).toBeLessThan(2000);
  const result = await checkout(made.workspace, { revision: id ?? '', to: out() });
  expect(result.failures).toEqual([]);
  expect(fs.statSync(join(out(), 'links/0')).nlink).toBe(count);
  fs.rmSync(at('links/0'));
  made.write('links/0', 'a file of its own');
  await made.commit('one less');
  await checkout(made.workspace, { revision: id ?? '' });
  expect(fs.statSync(at('links/0')).nlink).toBe(count);
});

test('sizes at the borders of chunks, and of what is read at once', async () => {
  const borders = [1, 65_536, 262_144, 1_048_576, 2_097_152, 4_194_304];
  const sizes = amount({ sample: borders.slice(1, 5), ordinary: borders, long: borders }).flatMap((size) => [
    size - 1,
    size,
    size + 1,
  ]);
  for (const size of sizes) made.write(`noise ${size}`, noise(size, size + 1));
  roundTimes(made.root);
  await expectRoundTrip();
});

/** Becomes of `name` once the walk has looked at it, before it is read: deterministic, unlike a racing thread. */
async function commitWhile(name: string, change: () => void): Promise<Awaited<ReturnType<typeof commitOver>>> {
  let done = false;
  await made.workspace.close();
  return commitOver(made.root, {
    ...realDisk,
    lstat: (path) => {
      const stat = realDisk.lstat(path);
      if (!done && stat !== undefined && plainPath(path) === at(name)) {
        done = true;
        change();
      }
      return stat;
    },
  });
}

const SECRET = 'secret of somebody else';
const BECOMES: [what: string, change: (name: string) => void, content: string | undefined][] = [
  ['grows', (name) => fs.appendFileSync(at(name), 'more'), 'before a changemore'],
  ['shrinks', (name) => fs.truncateSync(at(name), 3), 'bef'],
  ['becomes empty', (name) => fs.truncateSync(at(name), 0), ''],
  ['becomes large', (name) => fs.writeFileSync(at(name), Buffer.alloc(5_000_000, 'x')), 'x'.repeat(5_000_000)],
  ['vanishes', (name) => fs.rmSync(at(name)), undefined],
];
const SOME = BECOMES.filter((_, i) => [0, 3].includes(i));

test.each(
  amount({ sample: SOME, ordinary: BECOMES, long: BECOMES }),
)('a file that %s between the look at it and its reading', async (_what, change, content) => {
  fs.writeFileSync(out(), SECRET);
  made.write('victim', 'before a change');
  const { id, snapshot } = await commitWhile('victim', () => change('victim'));
  fs.rmSync(out());
  await made.reopen();
  await checkout(made.workspace, { revision: id ?? '', to: out() });
  expect(fs.existsSync(join(out(), 'victim')) ? fs.readFileSync(join(out(), 'victim'), 'utf8') : undefined).toBe(
    content,
  );
  expect(fs.readFileSync(join(out(), 'a'), 'utf8')).toBe('alpha');
  expect(snapshot?.skipped.map(({ path }) => path)).toEqual(content === undefined ? ['victim'] : []);
  expect((await commit(made.workspace, { message: 'next' })).id).toBeUndefined();
});

test('FIFOs, sockets, devices, loops of links, setuid, sticky and odd times', async () => {
  execFileSync('mkfifo', [at('pipe')]);
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(at('socket'), resolve));
  if (process.getuid?.() === 0) {
    execFileSync('mknod', [at('null'), 'c', '1', '3']);
    execFileSync('mknod', [at('loop0'), 'b', '7', '0']);
  }
  fs.symlinkSync('loop b', at('loop a'));
  fs.symlinkSync('loop a', at('loop b'));
  fs.symlinkSync('.', at('here'));
  fs.symlinkSync('/', at('root of all'));
  for (const mode of [0, 0o1777, 0o2755, 0o4755, 0o6711, 0o7777, 0o100]) {
    made.write(`mode ${mode.toString(8)}`, 'x');
    fs.mkdirSync(at(`folder ${mode.toString(8)}`));
    fs.chmodSync(at(`mode ${mode.toString(8)}`), mode);
    if (process.getuid?.() === 0 || (mode & 0o500) === 0o500) fs.chmodSync(at(`folder ${mode.toString(8)}`), mode);
    else fs.rmdirSync(at(`folder ${mode.toString(8)}`));
    if (process.getuid?.() !== 0 && (mode & 0o400) === 0) fs.rmSync(at(`mode ${mode.toString(8)}`));
  }
  roundTimes(made.root);
  for (const seconds of [-1, 0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 33, 1_700_000_000.25]) {
    made.write(`time ${seconds}`, 'x');
    fs.utimesSync(at(`time ${seconds}`), new Date(seconds * 1000), new Date(seconds * 1000));
  }
  await expectRoundTrip(false);
  const { notMade } = await checkout(made.workspace, { revision: 'HEAD', to: `${out()}2` });
  fs.rmSync(`${out()}2`, { recursive: true });
  expect(notMade).toEqual(['socket']);
  // In place they stay as they are.
  made.write('a', 'changed');
  await made.commit('second');
  await checkout(made.workspace, { revision: 'HEAD~1' });
  expect(fs.lstatSync(at('pipe')).isFIFO() && fs.lstatSync(at('socket')).isSocket()).toBe(true);
  expect((await commit(made.workspace)).id).toBeUndefined();
  await new Promise((resolve) => server.close(resolve));
});

testFrom('ordinary')('times to the nanosecond are no change after a checkout', async () => {
  for (const nanoseconds of ['1', '999999999', '123456789', '000000001', '123000000'])
    for (const second of ['1700000000', '0', '-5', '4294967296']) {
      // Node sets times before 1970 to the millisecond.
      if (second.startsWith('-') && !nanoseconds.endsWith('000')) continue;
      made.write(`t ${second} ${nanoseconds}`, 'x');
      execFileSync('touch', ['-d', `@${second}.${nanoseconds}`, at(`t ${second} ${nanoseconds}`)]);
    }
  const first = await made.commit('first');
  for (const name of fs.readdirSync(made.root).filter((found) => found.startsWith('t '))) made.write(name, 'changed');
  await made.commit('second');
  await checkout(made.workspace, { revision: first });
  expect((await commit(made.workspace)).id).toBeUndefined();
  expect((await commit(made.workspace, { rescan: true })).id).toBeUndefined();
});

testFrom('long')('a sparse file of 5 GiB', { timeout: 900_000 }, async () => {
  const fd = fs.openSync(at('sparse'), 'w');
  fs.ftruncateSync(fd, 5 * 2 ** 30);
  for (const position of [0, 2 ** 31 - 1, 2 ** 32 - 3, 2 ** 32 + 1, 5 * 2 ** 30 - 7])
    fs.writeSync(fd, 'island', position);
  fs.closeSync(fd);
  await made.commit('sparse');
  await checkout(made.workspace, { revision: 'HEAD', to: out() });
  execFileSync('cmp', [at('sparse'), join(out(), 'sparse')]);
  expect(fs.statSync(join(out(), 'sparse')).blocks * 512).toBeLessThan(100_000_000);
  expect((await verifyAll(made.workspace)).faults).toEqual([]);
});
