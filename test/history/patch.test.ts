import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import type { DiffSettings } from '../../src/api/diff.ts';
import { diff, TEXT_BYTES_MAX } from '../../src/api/diff.ts';
import { patchLines, patchParts, terminalText } from '../../src/cli/patch-lines.ts';
import type { TextDiff } from '../../src/history/text-diff.ts';
import { diffText } from '../../src/history/text-diff.ts';
import { noise } from '../kit/folder.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;

beforeEach(async () => {
  made = await makeWorkspace();
});
afterEach(() => made.cleanup());

async function patch(settings: DiffSettings = {}): Promise<Buffer> {
  const result = await diff(made.workspace, settings);
  let text = '';
  for await (const change of result.changes) {
    for (const part of patchParts(change))
      for (const line of patchLines(part, await result.text(part))) text += `${line.text}\n`;
  }
  result.close();
  return Buffer.from(text, 'latin1');
}

test('git apply turns the one snapshot into the other, byte for byte', async () => {
  const lines = Array.from({ length: 60 }, (_, i) => `line ${i}\n`).join('');
  made.write('edited', lines);
  made.write('latin1', Buffer.from('caf\xe9\nna\xefve\n', 'latin1'));
  made.write('crlf', 'a\r\nb\r\n');
  made.write('no newline', 'last');
  made.write('we"ird\ttab', 'x\n');
  made.write('run.sh', '#!/bin/sh\n');
  made.write('gone', 'gone\n');
  made.write('old name', 'moved content\n');
  made.write('grow', '');
  await made.commit('first');
  made.write('edited', lines.replace('line 3\n', '').replace('line 50\n', 'line fifty\nand more\n'));
  made.write('latin1', Buffer.from('caf\xe9\nna\xefvet\xe9\n', 'latin1'));
  made.write('crlf', 'a\r\nB\r\n');
  made.write('no newline', 'last one');
  made.write('we"ird\ttab', 'y\n');
  chmodSync(join(made.root, 'run.sh'), 0o755);
  made.remove('gone');
  made.remove('old name');
  made.write('new name', 'moved content\n');
  made.write('added', 'one\ntwo');
  made.write('grow', 'grown\n');
  await made.commit('second');
  const folders = ['before', 'after'].map((name) => join(mkdtempSync(join(tmpdir(), 'snap-patch-')), name));
  const [before, after] = folders;
  if (before === undefined || after === undefined) throw new Error('two folders');
  await checkout(made.workspace, { revision: 'HEAD~1', to: before });
  await checkout(made.workspace, { revision: 'HEAD', to: after });
  execFileSync('git', ['apply', '--whitespace=nowarn', '-'], {
    cwd: before,
    input: await patch({ from: 'HEAD~1', to: 'HEAD' }),
  });
  const contents = (folder: string): string[] =>
    readdirSync(folder)
      .sort()
      .map((name) => `${name}: ${readFileSync(join(folder, name), 'latin1')}`);
  expect(contents(before)).toEqual(contents(after));
  execFileSync('test', ['-x', join(before, 'run.sh')]);
  for (const folder of folders) rmSync(dirname(folder), { recursive: true });
});

test('a patch with files that are no text changes the others, and their names and modes', async () => {
  const other = mkdtempSync(join(tmpdir(), 'snap-patch-'));
  for (const name of ['run', 'bin', 'moved', 'gone']) made.write(name, Buffer.from(`\0${name}`));
  made.write('text', 'one\n');
  await made.commit('first');
  await checkout(made.workspace, { revision: 'HEAD', to: join(other, 'before') });
  chmodSync(join(made.root, 'run'), 0o755);
  for (const name of ['bin', 'new']) made.write(name, Buffer.from('\0other'));
  for (const name of ['moved', 'gone']) made.remove(name);
  made.write('moved to', Buffer.from('\0moved'));
  made.write('text', 'two\n');
  await made.commit('second');
  const input = await patch({ from: 'HEAD~1', to: 'HEAD' });
  const cwd = join(other, 'before');
  execFileSync('git', ['apply', '-'], { cwd, input });
  expect(readFileSync(join(cwd, 'text'), 'utf8')).toBe('two\n');
  expect(readFileSync(join(cwd, 'moved to'), 'utf8')).toBe('\0moved');
  expect(readFileSync(join(cwd, 'bin'), 'utf8')).toBe('\0bin');
  expect(readFileSync(join(cwd, 'gone'), 'utf8')).toBe('\0gone');
  execFileSync('test', ['-x', join(cwd, 'run')]);
  rmSync(other, { recursive: true });
});

test('git apply moves the files of a folder that was renamed, also beside other changes', async () => {
  const other = mkdtempSync(join(tmpdir(), 'snap-patch-'));
  for (const path of ['old/one', 'old/deep/two', 'old/deep/bin', 'kept'])
    made.write(path, path === 'old/deep/bin' ? Buffer.from('\0binary') : `${path}\n`);
  await made.commit('first');
  await checkout(made.workspace, { revision: 'HEAD', to: join(other, 'before') });
  renameSync(join(made.root, 'old'), join(made.root, 'new'));
  const cwd = join(other, 'before');
  const apply = (input: Buffer, ...options: string[]) =>
    execFileSync('git', ['apply', ...options, '-'], { cwd, input, encoding: 'utf8' });
  expect(
    apply(await patch(), '--numstat')
      .trimEnd()
      .split('\n'),
  ).toHaveLength(3);
  made.write('kept', 'changed\n');
  apply(await patch());
  for (const path of ['new/one', 'new/deep/two', 'new/deep/bin', 'kept'])
    expect(readFileSync(join(cwd, path), 'utf8')).toBe(made.read(path));
  expect(readdirSync(cwd)).not.toContain('old');
  rmSync(other, { recursive: true });
});

test('binary files (NUL in the first 8 KiB) and large ones are only said to differ, and read no further', async () => {
  made.write('bin', Buffer.concat([Buffer.from('text\n'.repeat(1000)), Buffer.of(0)]));
  const lines = TEXT_BYTES_MAX / 16 + 1;
  made.write('large', `${'x'.repeat(15)}\n`.repeat(lines));
  made.write('late nul', `${'y\n'.repeat(5000)}\0\n`);
  await made.commit('first');
  for (const name of ['bin', 'large', 'late nul']) made.write(name, `${made.read(name)}z\n`);
  const result = await diff(made.workspace);
  const kinds: Record<string, TextDiff['kind'] | undefined> = {};
  for await (const change of result.changes) kinds[change.path] = (await result.text(change))?.kind;
  expect(kinds).toEqual({ bin: 'binary', large: 'large', 'late nul': 'text' });
  const again = await diff(made.workspace, { paths: ['large'] });
  for await (const change of again.changes) {
    const text = await again.text(change, { bytesMax: Number.MAX_SAFE_INTEGER, contextLines: 1 });
    expect(text).toMatchObject({
      kind: 'text',
      added: 1,
      removed: 0,
      hunks: [{ oldStart: lines, oldLines: 1, newLines: 2 }],
    });
  }
  result.close();
  again.close();
  let read = 0;
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    for (; ; read++) yield Buffer.alloc(1000);
  };
  expect(await diffText({ size: 10, read: endless }, undefined, { contextLines: 3, bytesMax: 1e6 })).toEqual({
    kind: 'binary',
  });
  expect(read).toBe(0);
});

test('texts with nothing in common are all out and all in, in bounded time', async () => {
  const text = (seed: number): string => noise(200_000, seed).toString('base64').replace(/.{20}/g, '$&\n');
  const side = (content: string) => ({
    size: content.length,
    read: async function* () {
      yield Buffer.from(content);
    },
  });
  const [a, b] = [text(1), text(2)];
  const started = performance.now();
  const result = await diffText(side(a), side(b), { contextLines: 3, bytesMax: 1e6 });
  expect(performance.now() - started).toBeLessThan(20_000);
  expect(result).toMatchObject({ kind: 'text', removed: a.split('\n').length, added: b.split('\n').length });
});

test('the live side is read from the disk: a type change is two patches', async () => {
  made.write('x', 'one\n');
  await made.commit('first');
  writeFileSync(join(made.root, 'x'), 'two\n');
  expect((await patch()).toString()).toBe('diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-one\n+two\n');
  made.remove('x');
  execFileSync('ln', ['-s', 'target', join(made.root, 'x')]);
  const lines = (await patch()).toString();
  expect(lines).toContain('deleted file mode 100644');
  expect(lines).toContain('new file mode 120000');
  expect(lines).toContain('+target\n\\ No newline at end of file');
});

test('a terminal never gets control characters of a file', () => {
  expect(terminalText(Buffer.from('+\u001b[31mred\r tab\t ok'))).toBe('+<U+001B>[31mred^M tab\t ok');
  expect(terminalText(Buffer.from([0x2b, 0xff]))).toBe('+<FF>');
  expect(terminalText(Buffer.from('+c:\\path \u202e'))).toBe('+c:\\path <U+202E>');
});
