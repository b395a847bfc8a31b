import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Environment } from '../../src/repo/environment.ts';
import { beginSession, liveSessions } from '../../src/repo/session.ts';
import type { Backend } from '../../src/storage/backend.ts';
import { fileBackend } from '../../src/storage/file-backend.ts';
import { encodeHolder, environmentWith, FailingDisk, newRoots } from './failing-disk.ts';

const roots = newRoots();
const failing = new FailingDisk();
const me = environmentWith({ disk: failing.disk });
const another = environmentWith();
let backend: Backend;
let folder: string;
const backendOf = (environment: Environment): Backend =>
  fileBackend(environment.disk, join(roots.root, 'store'), environment.uniqueName);
const alive = (): string[] => liveSessions(me, backend).map(({ id }) => id);

beforeEach(() => {
  failing.hook = undefined;
  mkdirSync(join(roots.root, 'store'), { recursive: true });
  backend = backendOf(me);
  folder = join(roots.root, 'store/locks/sessions');
});

test('others see a session from its begin to its end; nobody sees his own', () => {
  expect(alive(), 'a store that never had one').toEqual([]);
  const theirs = beginSession(another, backendOf(another));
  const mine = beginSession(me, backend);
  expect(alive()).toEqual([another.holder.id]);
  expect(liveSessions(another, backendOf(another)).map(({ id }) => id)).toEqual([me.holder.id]);
  theirs.end();
  expect(alive()).toEqual([]);
  theirs.end();
  mine.end();
  expect(readdirSync(folder)).toEqual([]);
  expect(readdirSync(join(roots.root, 'store/tmp'))).toEqual([]);
});

test('those of dead processes are removed, those of other machines and of living ones stay', () => {
  mkdirSync(folder, { recursive: true });
  const { holder } = another;
  writeFileSync(join(folder, 'dead.json'), encodeHolder({ ...holder, id: 'dead', startTime: 'then' }));
  writeFileSync(join(folder, 'boot.json'), encodeHolder({ ...holder, id: 'boot', bootId: 'an earlier one' }));
  writeFileSync(join(folder, 'torn.json'), encodeHolder(holder).subarray(0, 20));
  writeFileSync(join(folder, 'empty.json'), '');
  writeFileSync(join(folder, 'other.json'), '{"id":"x","pid":"1"}');
  writeFileSync(join(folder, 'far.json'), encodeHolder({ ...holder, id: 'far', host: 'elsewhere', bootId: 'x' }));
  writeFileSync(join(folder, 'near.json'), encodeHolder({ ...holder, id: 'near' }));
  const renamed = { ...holder, host: 'as this machine was called' };
  writeFileSync(join(folder, 'renamed.json'), encodeHolder({ ...renamed, id: 'renamed' }));
  writeFileSync(join(folder, 'left.json'), encodeHolder({ ...renamed, id: 'left', startTime: 'then' }));
  expect(alive().sort()).toEqual(['far', 'near', 'renamed']);
  expect(readdirSync(folder).sort()).toEqual(['far.json', 'near.json', 'renamed.json']);
});

test('one that ends while others are looked through is none', () => {
  const theirs = beginSession(another, backendOf(another));
  failing.hook = (call, path) => {
    if (call === 'open' && path.startsWith(`${folder}/`)) theirs.end();
    return undefined;
  };
  expect(alive()).toEqual([]);
});

describe('on a store that', () => {
  test.each(['EROFS', 'EACCES', 'EPERM'])('cannot be written (%s), reading goes on without one', (errno) => {
    failing.hook = (call) => (['makeFolder', 'write', 'rename'].includes(call) ? errno : undefined);
    const session = beginSession(me, backend);
    session.end();
    expect(existsSync(folder)).toBe(false);
  });

  test('is full, it is an error', () => {
    failing.hook = (call) => (call === 'write' ? 'ENOSPC' : undefined);
    expect(() => beginSession(me, backend)).toThrow(expect.objectContaining({ code: 'no-space' }));
    expect(readdirSync(folder), 'no torn session').toEqual([]);
  });

  test('cannot be looked at, nothing is said about who lives', () => {
    beginSession(another, backendOf(another));
    failing.hook = (call, path) => (call === 'list' && path === folder ? 'EIO' : undefined);
    expect(alive).toThrow(expect.objectContaining({ code: 'io' }));
    rmSync(folder, { recursive: true });
  });

  test('is no local folder, there are none', () => {
    const remote: Backend = { ...backend, localPath: () => undefined, changeablePath: () => undefined };
    beginSession(me, remote).end();
    expect(liveSessions(me, remote)).toEqual([]);
    expect(existsSync(folder)).toBe(false);
  });
});
