import { appendFileSync, linkSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseBlobId } from '../../src/object/blob-id.ts';
import type { OperationRecord } from '../../src/repo/operation-log.ts';
import { appendOperation, damageOfOperations, readOperations } from '../../src/repo/operation-log.ts';
import { makeWorkspace, type TestWorkspace } from '../kit/workspace.ts';
import { FailingDisk } from './failing-disk.ts';

let made: TestWorkspace;
let file: string;
const A = parseBlobId('a'.repeat(64), 'test');
const B = parseBlobId('b'.repeat(64), 'test');

beforeEach(async () => {
  made = await makeWorkspace();
  file = join(made.root, '.snap/operations.jsonl');
});
afterEach(() => made.cleanup());

const append = (paths: readonly string[] | null = null): Promise<OperationRecord> =>
  appendOperation(made.workspace.repository, { operation: 'checkout', from: A, saved: null, to: B, paths });
const read = (): Promise<OperationRecord[]> => readOperations(made.workspace.repository);

test('records come back as they were written, in order, with numbers', async () => {
  expect(await read()).toEqual([]);
  const one = await append();
  const two = await append(['a b', 'ä\n"x"']);
  expect(await read()).toEqual([one, two]);
  expect(one).toMatchObject({ n: 1, head: B, undoes: null, journal: 1, paths: null });
  expect(two).toMatchObject({ n: 2, head: A, paths: ['a b', 'ä\n"x"'] });
});

test('a last line torn at any byte is ignored, and the next append goes in its place', async () => {
  const one = await append();
  const whole = readFileSync(file).length;
  await append(['torn']);
  const bytes = readFileSync(file);
  for (let length = whole; length < bytes.length; length += 7) {
    writeFileSync(file, bytes.subarray(0, length));
    expect(await read()).toEqual([one]);
    const two = await append();
    expect(await read()).toEqual([one, two]);
  }
  appendFileSync(file, 'x'.repeat(5000));
  const last = await append();
  expect(last.n).toBe(3);
  expect(readFileSync(file, 'utf8'), 'nothing of the torn line is left').toMatch(/"undoes":null}\n$/);
  truncateSync(file, 3);
  expect((await append()).n).toBe(1);
});

test('a file with another name, as `cp -al` leaves it, is written anew: the other keeps what it has', async () => {
  const one = await append();
  appendFileSync(file, 'no operation\n');
  const before = readFileSync(file, 'utf8');
  linkSync(file, `${file}.copy`);
  const two = await append();
  expect(readFileSync(`${file}.copy`, 'utf8')).toBe(before);
  expect(await read()).toEqual([one, two]);
  expect(two.n).toBe(3);
  const three = await append();
  expect(await read()).toEqual([one, two, three]);
});

test('a damaged line is named by file and line, costs its own record, and stops nobody', async () => {
  const one = await append();
  await append();
  const three = await append();
  const lines = readFileSync(file, 'utf8').split('\n');
  const changes: ((line: string) => string)[] = [
    (line) => line.replace('checkout', 'checkin'),
    (line) => line.slice(0, -1),
    () => '',
    (line) => line.replace('"n":2', '"n":3'),
    (line) => line.replace('"n":2', '"n":77'),
    (line) => line.replace('"n":2', '"n":1'),
    (line) => line.replace('bbb', 'xbb'),
    (line) => line.replace(/"time":"[^"]*"/, '"time":"yesterday"'),
    (line) => `\0${line.slice(1)}`,
  ];
  for (const change of changes) {
    writeFileSync(file, [lines[0], change(lines[1] ?? ''), ...lines.slice(2)].join('\n'));
    expect(await read()).toEqual([one, three]);
    expect(damageOfOperations(made.workspace.repository)).toEqual([expect.stringContaining(`${file}:2 is damaged`)]);
    expect(await append()).toMatchObject({ n: 4 });
  }
  writeFileSync(file, [lines[0], lines[1], (lines[2] ?? '').replace('checkout', 'checkin'), ''].join('\n'));
  expect(await append(), 'no number is used again').toMatchObject({ n: 4 });
});

test('a line that is there twice counts once, one that is missing is missed by nobody', async () => {
  const records = [await append(), await append(), await append()];
  const lines = readFileSync(file, 'utf8').split('\n');
  for (const i of [0, 1, 2]) {
    writeFileSync(file, [...lines.slice(0, i), lines[i], ...lines.slice(i)].join('\n'));
    expect(await read()).toEqual(records);
    expect(damageOfOperations(made.workspace.repository)).toHaveLength(1);
    writeFileSync(file, lines.filter((_line, other) => other !== i).join('\n'));
    expect(await read()).toEqual(records.filter((_record, other) => other !== i));
    expect(damageOfOperations(made.workspace.repository)).toEqual([]);
  }
});

test('a record of a newer version is not damage', async () => {
  await append();
  const text = readFileSync(file, 'utf8');
  for (const newer of [
    text.replace('"format":1', '"format":2'),
    text.replace('"undoes":null', '"undoes":null,"x":1'),
  ]) {
    writeFileSync(file, newer);
    await expect(read()).rejects.toMatchObject({ code: 'unsupported-format' });
    expect(damageOfOperations(made.workspace.repository)).toEqual([]);
    expect((await append()).n, 'what it does not know does not keep it from working').toBe(2);
  }
});

test.each([
  ['ENOSPC', 'write', 'no-space'],
  ['EIO', 'sync', 'io'],
  ['EIO', 'close', 'io'],
  ['EROFS', 'open', 'permission'],
] as const)('%s of %s is an error, no descriptor stays open, and the next record has the same number', async (errno, call, code) => {
  const one = await append();
  const failing = new FailingDisk((name, path) => (name === call && path === file ? errno : undefined));
  const { repository } = made.workspace;
  const environment = { ...repository.environment, disk: failing.disk };
  const open = (): number => readdirSync('/proc/self/fd').length;
  const before = open();
  const draft = { operation: 'checkout', from: A, saved: null, to: B, paths: null } as const;
  await expect(appendOperation({ ...repository, environment }, draft)).rejects.toMatchObject({
    code,
    message: expect.stringContaining(file),
  });
  expect(open()).toBe(before);
  // What a failed sync or close leaves may be there or not; what was acknowledged is.
  expect((await read())[0]).toEqual(one);
  failing.hook = undefined;
  const records = await read();
  const next = await append();
  expect(next.n).toBe(records.length + 1);
  expect(await read()).toEqual([...records, next]);
});

test('a file that cannot be read is an error of its kind', async () => {
  await append();
  const failing = new FailingDisk((name, path) => (name === 'read' && path === file ? 'EIO' : undefined));
  const { repository } = made.workspace;
  const environment = { ...repository.environment, disk: failing.disk };
  await expect(readOperations({ ...repository, environment })).rejects.toMatchObject({ code: 'io' });
});

test.each([
  ['no newline', '{"format":1,'],
  ['zeros before the newline', `${'\0'.repeat(300)}"undoes":null}\n`],
  ['garbage with newlines in it', '\n\u0003x\n\u0011\u0012 y'],
  ['garbage that ends with a newline', 'a\nb\u0007\n'],
])('what a torn write left at the end, %s, is ignored and goes with the next one', async (_what, tail) => {
  const one = await append();
  const whole = readFileSync(file);
  appendFileSync(file, tail);
  expect(damageOfOperations(made.workspace.repository)).toEqual([]);
  expect(await read()).toEqual([one]);
  const next = await append();
  expect(next.n).toBeGreaterThan(1);
  expect(await read()).toEqual([one, next]);
  expect(readFileSync(file).subarray(0, whole.length)).toEqual(whole);
});

test('the first record is durable with the name of its file', async () => {
  const synced: string[] = [];
  const failing = new FailingDisk((name, path) => {
    if (name === 'sync') synced.push(path);
    return undefined;
  });
  const { repository } = made.workspace;
  const environment = { ...repository.environment, disk: failing.disk };
  const draft = { operation: 'checkout', from: A, saved: null, to: B, paths: null } as const;
  await appendOperation({ ...repository, environment }, draft);
  expect(synced).toEqual([file, join(made.root, '.snap')]);
  await appendOperation({ ...repository, environment }, draft);
  expect(synced.slice(2)).toEqual([file]);
});
