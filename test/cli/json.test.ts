/** Names that are not UTF-8, in the JSON of every command that shows one: they can be told apart and had again. */
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { jsonText } from '../../src/cli/json.ts';
import { snap } from '../kit/snap.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;
beforeEach(async () => {
  made = await makeWorkspace();
});
afterEach(() => made.cleanup());

const NAMES = [Buffer.of(0x61, 0xe4), Buffer.of(0x61, 0xe5)];

/** Every `pathBytes` in the lines of JSON that a command prints, as hex. */
function pathBytes(...args: string[]): string[] {
  const ran = snap(['-C', made.root, ...args, '--json']);
  const found: string[] = [];
  for (const line of ran.stdout.trim().split('\n'))
    JSON.parse(line, function seek(this: unknown, key, value) {
      if (key === 'pathBytes') found.push(Buffer.from(value, 'base64').toString('hex'));
      return value;
    });
  return found.sort();
}

test('status, diff, show, ls and find give the bytes beside the name', async () => {
  for (const name of NAMES) writeFileSync(Buffer.concat([Buffer.from(`${made.root}/`), name]), name);
  expect(pathBytes('status')).toEqual(['61e4', '61e5']);
  expect(pathBytes('diff')).toEqual(['61e4', '61e5']);
  await made.commit('first');
  expect(pathBytes('ls')).toEqual(['61e4', '61e5']);
  expect(pathBytes('show', 'HEAD')).toEqual(['61e4', '61e5']);
  expect(pathBytes('find', 'a*')).toEqual(['61e4', '61e5']);
  expect(snap(['-C', made.root, 'ls', '--json']).stdout).not.toContain('kindBytes');
});

test('nothing that a terminal obeys is in the text, and the value is the same', () => {
  const name = 'a\u001b\u007f\u0085\u009b31m\u061c\u200b\u200f\u2028\u2029\u202e\u2066\ufeff\ufff9 é𝒳';
  expect(jsonText({ [name]: [name] })).toMatch(/^[\x20-\x7eé𝒳]+$/u);
  expect(JSON.parse(jsonText({ [name]: [name] }))).toEqual({ [name]: [name] });
  made.write('\u009b31m\u202e', 'x');
  const { stdout } = snap(['-C', made.root, 'status', '--json']);
  expect(stdout).toContain('"path":"\\u009b31m\\u202e"');
});

test('lists of names have a list beside them; what is UTF-8 has nothing', () => {
  const text = jsonText({ kept: ['é', 'a\udce4'], size: 12n, inner: { target: '\udcff', path: '𝒳' }, none: ['a'] });
  expect(JSON.parse(text)).toEqual({
    kept: ['é', 'a\udce4'],
    keptBytes: [null, 'YeQ='],
    size: '12',
    inner: { target: '\udcff', targetBytes: '/w==', path: '𝒳' },
    none: ['a'],
  });
});
