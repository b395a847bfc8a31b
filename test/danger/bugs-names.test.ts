/** Bugs that other tools of this kind had, by their number in the project's list: names, tags and settings. */
import fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { readFile } from '../../src/api/diff.ts';
import { show } from '../../src/api/history.ts';
import { tag, tags } from '../../src/api/tag.ts';
import { amount } from '../kit/amount.ts';
import { fingerprint, roundTimes } from '../kit/folder.ts';
import { snap } from '../kit/snap.ts';
import { testFrom } from '../kit/test-from.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;
const out = (): string => join(made.root, '..', 'out');
beforeEach(async () => {
  made = await makeWorkspace();
});
afterEach(() => made.cleanup());

/** Commits, checks out elsewhere, and compares byte for byte. */
async function expectRoundTrip(): Promise<void> {
  roundTimes(made.root);
  await made.commit('odd names');
  const result = await checkout(made.workspace, { revision: 'HEAD', to: out() });
  expect(result.failures).toEqual([]);
  expect(fingerprint(out())).toEqual(fingerprint(made.root));
}

const RESERVED = ['.snap', '.SNAP', '.Snap', '.sna\u200cp', '.snap.', '.snap ', '.snap::$INDEX_ALLOCATION', 'SNAP~1'];

test('#13 names that lead elsewhere on Windows come back as they are, with nothing beside them', async () => {
  const names = [
    '..\\up',
    'a\\b',
    'C:',
    'C:\\x',
    'file:stream',
    'CON',
    'con.txt',
    'NUL',
    'COM1',
    'end.',
    'end ',
    '...',
  ];
  for (const name of [...names, '\\\\server\\share', 'a?b*c|d"e<f>']) made.write(name, name);
  made.write('AUX/PRN', 'x');
  await expectRoundTrip();
});

test('#46 .snap in any spelling is neither stored nor touched', async () => {
  for (const name of RESERVED.slice(1)) {
    made.write(`${name}/config.toml`, 'planted');
    made.write(`sub/${name}`, 'planted');
  }
  made.write('a', 'one');
  const id = await made.commit('one');
  made.write('a', 'two');
  made.remove('sub');
  for (const name of RESERVED.slice(1)) made.write(`sub/${name}`, 'mine');
  await checkout(made.workspace, { revision: id });
  for (const name of RESERVED.slice(1)) {
    expect(made.read(`${name}/config.toml`), JSON.stringify(name)).toBe('planted');
    expect(made.read(`sub/${name}`), JSON.stringify(name)).toBe('mine');
  }
  await checkout(made.workspace, { revision: id, to: out() });
  expect(fs.readdirSync(out(), { recursive: true, encoding: 'utf8' }).sort()).toEqual(['.snapignore', 'a', 'sub']);
});

test('#14 names that differ in case or in Unicode form only are files of their own', async () => {
  const twins = [
    'README',
    'readme',
    'Readme',
    'stra\u00dfe',
    'strasse',
    '\u00e9',
    'e\u0301',
    '\u212b',
    '\u00c5',
    'A\u030a',
  ];
  for (const name of [...twins, '\u017fnap', 'ﬁ', 'fi']) made.write(name, `I am ${JSON.stringify(name)}`);
  await expectRoundTrip();
  made.remove('readme');
  made.remove('e\u0301');
  await made.commit('two less');
  await checkout(made.workspace, { revision: 'HEAD~1' });
  expect(made.read('readme')).toBe('I am "readme"');
  expect(made.read('e\u0301')).toBe(`I am ${JSON.stringify('e\u0301')}`);
});

testFrom('ordinary')(
  '#31 every byte but / and NUL in names and in targets of links, and targets of any length',
  async () => {
    const root = Buffer.from(`${made.root}/`);
    for (let byte = 1; byte < 256; byte++) {
      if (byte === 0x2f) continue;
      const name = Buffer.of(0x6e, byte, 0x6e);
      fs.writeFileSync(Buffer.concat([root, name]), `byte ${byte}`);
      fs.symlinkSync(Buffer.of(0x80, 0x2f, byte), Buffer.concat([root, Buffer.of(0x6c, byte)]));
    }
    fs.symlinkSync('x'.repeat(4095), `${made.root}/long target`);
    fs.symlinkSync(Buffer.alloc(4000, 0xff), `${made.root}/long bytes`);
    await expectRoundTrip();
  },
);

test('#30 escape sequences, newlines and bytes that are no UTF-8 never reach the terminal as they are', async () => {
  const names = [
    '\u001b[2J',
    '\u001b]52;c;aGk=\u0007',
    'a\nb',
    'a\rb',
    '\u202egnp.exe',
    '\u0085',
    '\u009b31m',
    '\u200f',
    '\u2028',
  ];
  for (const name of names) {
    made.write(name, 'x');
    made.write(`folder ${name}/in`, 'x');
    fs.symlinkSync(`to ${name}`, `${made.root}/link ${name}`);
  }
  fs.writeFileSync(Buffer.concat([Buffer.from(`${made.root}/`), Buffer.of(0x66, 0x9b, 0x33)]), 'x');
  await commit(made.workspace, { message: '\u001b[31mred\r\u202e', meta: { '\u001b[1mkey': 'value\u0007' } });
  for (const name of names) made.write(name, 'changed');
  await made.workspace.close();
  const { uid } = fs.statSync(made.root);
  if (uid !== 0) fs.chmodSync(`${made.root}/a\nb`, 0);
  const commands = [
    ['status'],
    ['diff'],
    ['log'],
    ['show', 'HEAD'],
    ['ls', '-R', 'HEAD'],
    ['find', '*'],
    ['checkout', '--dry-run', 'HEAD'],
    ['cat', 'HEAD:\u001b[2J\u202e'],
    ['checkout', '\u001b]0;title\u0007'],
    ['\u001b[2Jcommand'],
    ['tag', '\u001b[2J'],
    ['commit', '--json', '-m', '\u001b[31m'],
  ];
  for (const args of amount({ sample: [4, 9, 11].map((i) => commands[i] ?? []), ordinary: commands, long: commands })) {
    const { stdout, stderr } = snap(['-C', made.root, ...args]);
    // JSON and text alike: nothing but printable characters and newlines.
    const raw = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffd]/u.exec(
      stdout + stderr,
    );
    expect({
      args,
      found: raw?.[0],
      around: (stdout + stderr).slice((raw?.index ?? 0) - 40, (raw?.index ?? -1) + 40),
    }).toEqual({
      args,
      found: undefined,
      around: expect.anything(),
    });
  }
});

test('#47 CR, LF and NUL in names of tags and in settings are refused, in texts kept as they are', async () => {
  made.write('a', 'one');
  const meta = { 'ends in CR\r': 'value\r', 'a\nb': 'c\u0000d', __proto__x: '\r\n' };
  const message = 'subject\r\n\r\nbody\r';
  const { id } = await commit(made.workspace, { message, meta });
  if (id === undefined) throw new Error('nothing committed');
  for (const name of ['v1\r', 'v1\n', 'a\nb', 'v\u0000', ' v', 'v\u00a0', '-v', '../v', 'a//b', 'HEAD', '.', 'v\u200b'])
    await expect(tag(made.workspace, name), JSON.stringify(name)).rejects.toMatchObject({ code: 'usage' });
  await made.reopen();
  const { snapshot } = await show(made.workspace, id);
  expect(snapshot.message).toBe(message);
  expect(snapshot.meta).toEqual(meta);
});

test('#56 __proto__, constructor and the like are names as any other, of files, folders, tags and keys', async () => {
  const names = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf'];
  for (const name of names) {
    made.write(`files/${name}`, name);
    made.write(`${name}/inside`, name);
  }
  const meta = JSON.parse(`{${names.map((name) => `"${name}":"of ${name}"`).join()}}`) as Record<string, string>;
  const { id } = await commit(made.workspace, { message: '__proto__', meta });
  for (const name of names) await tag(made.workspace, name);
  made.write('files/__proto__', 'changed');
  await made.commit('second');
  await made.reopen();
  expect((await tags(made.workspace)).map(({ name }) => name).sort()).toEqual([...names].sort());
  const { snapshot } = await show(made.workspace, '__proto__');
  expect(Object.entries(snapshot.meta).sort()).toEqual(names.map((name) => [name, `of ${name}`]).sort());
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  await checkout(made.workspace, { revision: id ?? '' });
  for (const name of names) {
    expect(made.read(`files/${name}`)).toBe(name);
    const parts: Uint8Array[] = [];
    for await (const part of (await readFile(made.workspace, `${name}:${name}/inside`)).content) parts.push(part);
    expect(Buffer.concat(parts).toString()).toBe(name);
  }
});
