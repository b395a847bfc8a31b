/** FIFOs, devices and sockets come and go with checkouts; what cannot be made is named, and shows as deleted. */
import { execFileSync } from 'node:child_process';
import { chmodSync, lchownSync, lstatSync, lutimesSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { status } from '../../src/api/history.ts';
import { undo } from '../../src/api/undo.ts';
import { snap } from '../kit/snap.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

const isRoot = process.getuid?.() === 0;

let made: TestWorkspace;
beforeEach(async () => {
  made = await makeWorkspace({ files: { a: 'one' } });
});
afterEach(() => made.cleanup());

const at = (path: string): string => join(made.root, path);

async function changes(): Promise<string[]> {
  const found: string[] = [];
  for await (const { kind, path } of (await status(made.workspace)).changes) found.push(`${kind} ${path}`);
  return found;
}

test.skipIf(!isRoot)('links and FIFOs get their owners back, and so do their folders', async () => {
  execFileSync('mkfifo', [at('pipe')]);
  symlinkSync('a', at('link'));
  mkdirSync(at('folder'));
  for (const [i, path] of ['pipe', 'link', 'folder', 'a'].entries()) lchownSync(at(path), 1001 + i, 2001 + i);
  await made.commit('first');
  for (const path of ['pipe', 'link', 'folder', 'a']) rmSync(at(path), { recursive: true });
  await checkout(made.workspace, { revision: 'HEAD' });
  for (const [i, path] of ['pipe', 'link', 'folder', 'a'].entries())
    expect(lstatSync(at(path)), path).toMatchObject({ uid: 1001 + i, gid: 2001 + i });
});

test('a FIFO that went comes back with its mode and its time, in place and elsewhere, and goes and comes by undo', async () => {
  execFileSync('mkfifo', [at('pipe')]);
  chmodSync(at('pipe'), 0o2620);
  lutimesSync(at('pipe'), 981173106.25, 981173106.25);
  const picture = (path: string): unknown[] => {
    const { mode, mtimeMs } = lstatSync(path);
    return [mode.toString(8), mtimeMs];
  };
  const before = picture(at('pipe'));
  const first = await made.commit('first');
  rmSync(at('pipe'));
  await made.commit('second');
  const { notMade, failures } = await checkout(made.workspace, { revision: first });
  expect([notMade, failures]).toEqual([[], []]);
  expect(picture(at('pipe'))).toEqual(before);
  expect(await changes()).toEqual([]);
  await undo(made.workspace);
  expect(readdirSync(made.root)).not.toContain('pipe');
  await undo(made.workspace, { operation: 'w2' });
  expect(picture(at('pipe'))).toEqual(before);
  await checkout(made.workspace, { revision: first, to: `${made.root}-out` });
  expect(picture(`${made.root}-out/pipe`)).toEqual(before);
  expect(readdirSync(at('.snap/tmp'))).toEqual([]);
});

test('a FIFO with another mode gets it, though nobody reads or writes it', async () => {
  execFileSync('mkfifo', ['-m', '600', at('pipe')]);
  const first = await made.commit('first');
  chmodSync(at('pipe'), 0o200);
  await made.commit('second');
  expect((await checkout(made.workspace, { revision: first })).failures).toEqual([]);
  expect(lstatSync(at('pipe')).mode & 0o7777).toBe(0o600);
});

test.runIf(isRoot)('devices go and come, and nothing is said to have changed meanwhile', async () => {
  const none = await made.commit('none');
  execFileSync('mknod', ['-m', '640', at('null'), 'c', '1', '3']);
  execFileSync('mknod', [at('loop'), 'b', '7', '300']);
  const both = await made.commit('both');
  const numbers = (): number[] => [lstatSync(at('null')).rdev, lstatSync(at('loop')).rdev];
  const before = numbers();
  expect(await checkout(made.workspace, { revision: none })).toMatchObject({ failures: [], removed: 2 });
  expect(await checkout(made.workspace, { revision: both })).toMatchObject({ failures: [], notMade: [] });
  expect(numbers()).toEqual(before);
  expect(lstatSync(at('null')).mode & 0o7777).toBe(0o640);
  expect(await changes()).toEqual([]);
});

test('a socket cannot be made: exit 3, named, and deleted from then on', async () => {
  const none = await made.commit('none');
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(at('socket'), resolve));
  const first = await made.commit('first');
  await checkout(made.workspace, { revision: none });
  await new Promise((resolve) => server.close(resolve));
  const ran = snap(['-C', made.root, 'checkout', first]);
  expect(ran.code).toBe(3);
  expect(ran.stderr).toMatch(/^warning: socket is a socket, .*it is missing now$/m);
  await made.reopen();
  expect(await changes()).toEqual(['removed socket']);
  const undone = snap(['-C', made.root, 'undo', 'w1', '--json']);
  expect([undone.code, JSON.parse(undone.stdout).notMade]).toEqual([3, ['socket']]);
});

test('what failed to be made is not taken for there', async () => {
  const first = await made.commit('first');
  execFileSync('mkfifo', [at('pipe')]);
  const second = await made.commit('second');
  await checkout(made.workspace, { revision: first });
  const path = process.env.PATH;
  process.env.PATH = '/nowhere';
  try {
    expect((await checkout(made.workspace, { revision: second })).notMade).toEqual(['pipe']);
  } finally {
    process.env.PATH = path;
  }
  expect(await changes()).toEqual(['removed pipe']);
});
