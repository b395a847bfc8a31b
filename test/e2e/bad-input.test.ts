/** Wrong requests: one sentence of what, one of what to do, an exit code, and nothing is changed; an output nobody reads. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../kit/folder.ts';
import { requestsIn } from './requests.ts';

const BIN = fileURLToPath(new URL('../../bin/snap.js', import.meta.url));
let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

const { commitOne, expectError } = requestsIn(() => folder.path);

describe('wrong requests', () => {
  test('no workspace here or above', () => expectError(['commit'], 10, /is not in a snap workspace/));
  test('usage', () => {
    expectError(['comit'], 2, /unknown command/);
    expectError(['commit', '--compression', 'huge'], 2, /compression/);
    expectError(['commit', '--meta', 'novalue'], 2, /key=value/);
  });
  test('a second init, an init inside another workspace', () => {
    commitOne();
    expectError(['init'], 1, /is a workspace already/);
    expectError(['init', 'sub'], 1, /lies inside the workspace/);
    expect(fs.existsSync(`${folder.path}/sub`)).toBe(false);
  });
  test('unknown, short and ambiguous revisions', () => {
    const id = commitOne();
    expectError(['checkout', 'nothere'], 1, /there is no snapshot "nothere"/);
    expectError(['checkout', id.slice(0, 3)], 1, /too short for an id/);
    expectError(['checkout', 'HEAD~1'], 1, /beyond the first snapshot/);
    expectError(['checkout', '@{1999-01-01}'], 1, /no snapshot from/);
    expectError(['checkout', '@{some day}'], 2, /some day/);
  });
  test('an unknown path, with the nearest name', () => {
    fs.mkdirSync(`${folder.path}/src`);
    fs.writeFileSync(`${folder.path}/src/config.json`, '{}');
    commitOne();
    expectError(['checkout', 'HEAD', 'src/confg.json'], 1, /src\/config\.json/);
  });
  test('a target that is not empty', () => {
    commitOne();
    fs.mkdirSync(`${folder.path}/full`);
    fs.writeFileSync(`${folder.path}/full/x`, 'mine');
    expectError(['checkout', 'HEAD', '--to', 'full'], 1, /is not empty/);
    expect(fs.readdirSync(`${folder.path}/full`)).toEqual(['x']);
  });
  test('paths outside the workspace, patterns that match nothing, tags that are none', () => {
    commitOne();
    expectError(['commit', '../outside'], 2, /outside the workspace/);
    expectError(['commit', 'no/*.such'], 1, /matches nothing/);
    expectError(['commit', '--allow-empty', '--tag', 'a b'], 2, /is not a tag name/);
    expectError(['commit', '--allow-empty', '--tag', '../x'], 2, /is not a tag name/);
  });
  test('settings that are wrong name file and line', () => {
    commitOne();
    fs.appendFileSync(`${folder.path}/.snap/config.toml`, '\n[commit]\n');
    expectError(['commit'], 2, /config\.toml:\d+/);
  });
});

test('stdout closed early is no error', async () => {
  commitOne();
  const child = spawn(process.execPath, [BIN, '-C', folder.path, 'commit', '--help'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.destroy();
  expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(0);
});
