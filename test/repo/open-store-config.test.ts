/** Danger: the one small file that a store cannot be opened without. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { processEnvironment } from '../../src/environment.ts';
import { mendConfig } from '../../src/repair/mend-config.ts';
import { decodeCopy } from '../../src/repo/open-store-config.ts';
import { flipBit } from '../kit/damage.ts';
import { FailingDisk, newRoots, openAt } from './failing-disk.ts';

const roots = newRoots();
let root: string;
let config: string;
let copy: string;
let was: Buffer;
const open = async (given: Parameters<typeof openAt>[1] = {}): Promise<void> => (await openAt(root, given)).close();
const mend = (dryRun = false): ReturnType<typeof mendConfig> =>
  mendConfig(processEnvironment('snap test'), root, dryRun);

beforeEach(async () => {
  root = await roots.init();
  [config, copy] = [join(root, '.snap/store/config.json'), join(root, '.snap/store-config.json')];
  was = readFileSync(config);
  await open();
});

test('opening keeps a copy, writes a damaged one anew, and needs none', async () => {
  expect(decodeCopy(readFileSync(copy))).toEqual(was);
  truncateSync(copy, 5);
  await open();
  expect(decodeCopy(readFileSync(copy))).toEqual(was);
  rmSync(copy);
  rmSync(join(root, '.snap/tmp'), { recursive: true });
  for (const errno of ['EROFS', 'ENOSPC', 'EACCES']) {
    const failing = new FailingDisk((call, path) =>
      call === 'open' && /\.snap\/tmp\//.test(path) ? errno : undefined,
    );
    await open({ disk: failing.disk });
    expect(existsSync(copy), errno).toBe(false);
  }
  await open();
  expect(decodeCopy(readFileSync(copy))).toEqual(was);
});

test.each([
  ['gone', () => rmSync(config), 'is missing'],
  ['cut', () => truncateSync(config, 20), 'damaged'],
  ['altered', () => writeFileSync(config, was.toString().replace('262144', '524288')), 'as this workspace has seen it'],
])('one that is %s is damage, and comes back from the copy', async (_what, harm, message) => {
  harm();
  await expect(open()).rejects.toMatchObject({
    code: 'corrupt-data',
    message: expect.stringContaining(message),
    hint: expect.stringContaining('snap repair'),
  });
  expect(await mend(true)).toMatchObject({ reason: expect.stringContaining(message), quarantined: undefined });
  await expect(open()).rejects.toMatchObject({ code: 'corrupt-data' });
  expect((await mend())?.quarantined).toBe(_what === 'gone' ? undefined : 'quarantine/config.json');
  expect(readFileSync(config)).toEqual(was);
  expect(await mend()).toBeUndefined();
  await open();
});

test('without a copy nobody can say what it was; without a journal there is no store', async () => {
  const sealed = readFileSync(copy);
  rmSync(copy);
  truncateSync(config, 20);
  await expect(open()).rejects.toMatchObject({ code: 'corrupt-data' });
  await expect(mend()).rejects.toMatchObject({ code: 'corrupt-data' });
  rmSync(config);
  await expect(open()).rejects.toMatchObject({ code: 'no-store' });
  writeFileSync(copy, sealed);
  await expect(open()).rejects.toMatchObject({ code: 'corrupt-data' });
  rmSync(join(root, '.snap/store/journal'), { recursive: true });
  await expect(open()).rejects.toMatchObject({ code: 'no-store' });
});

test('another store is none that was damaged: the copy follows', async () => {
  const other = was.toString().replace(/"id":"[0-9a-f]{32}"/, `"id":"${'a1'.repeat(16)}"`);
  writeFileSync(config, other);
  await open();
  expect(decodeCopy(readFileSync(copy))?.toString()).toBe(other);
});

test('a whole copy that this version cannot read says nothing: the store is opened, and copied again', async () => {
  for (const text of [was.toString().replace('"format":1', '"format":9'), '{}']) {
    expect(text).not.toBe(was.toString());
    writeFileSync(copy, sealed(text));
    expect(decodeCopy(readFileSync(copy))?.toString()).toBe(text);
    await open();
    expect(decodeCopy(readFileSync(copy))).toEqual(was);
  }
});

test('a copy with any bit flipped is no witness against the store', async () => {
  const { length } = readFileSync(copy);
  for (let offset = 0; offset < length; offset++) {
    flipBit(copy, offset, offset % 8);
    expect(await mend(true), `byte ${offset}`).toBeUndefined();
    expect(decodeCopy(readFileSync(copy)), `byte ${offset}`).toEqual(was);
  }
});

/** As a workspace keeps it: with its SHA-256. */
function sealed(text: string): string {
  return `${text}\n${createHash('sha256').update(text).digest('hex')}\n`;
}
