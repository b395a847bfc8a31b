import fs from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { temporaryFolder } from '../kit/folder.ts';

// The built library, as a program that depends on it gets it.
const built = new URL('../../dist/api.js', import.meta.url).href;
const api = (await import(built)) as typeof import('../../src/api.ts');

let folder: { path: string; remove(): void };
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

test('a checkpoint before a step, a roll-back after it, and nothing that the step made is lost', async () => {
  fs.writeFileSync(`${folder.path}/state`, 'before');
  await api.initWorkspace(folder.path);
  const workspace = await api.openWorkspace(folder.path, { command: 'test' });
  try {
    const before = await api.commit(workspace, { message: 'before' });
    expect(before.id).toMatch(/^[0-9a-f]{64}$/);
    fs.writeFileSync(`${folder.path}/state`, 'half done');
    fs.writeFileSync(`${folder.path}/made`, 'by the step');
    const back = await api.checkout(workspace, { revision: before.id ?? '' });
    expect(fs.readFileSync(`${folder.path}/state`, 'utf8')).toBe('before');
    expect(fs.existsSync(`${folder.path}/made`)).toBe(false);
    const changes = [];
    for await (const change of (await api.diff(workspace, { from: 'HEAD', to: back.saved ?? '' })).changes)
      changes.push(change.path);
    expect(changes.sort()).toEqual(['made', 'state']);
    await api.undo(workspace);
    expect(fs.readFileSync(`${folder.path}/made`, 'utf8')).toBe('by the step');
    expect((await api.commit(workspace)).id).toBeDefined();
    expect((await api.verify(workspace, { data: true })).faults).toEqual([]);
  } finally {
    await workspace.close();
  }
});

test('errors have codes', async () => {
  await expect(api.openWorkspace(folder.path)).rejects.toMatchObject({ code: 'no-workspace' });
  await expect(api.initWorkspace('relative')).rejects.toMatchObject({ code: 'usage' });
});

test('a commit that is aborted throws and stores no snapshot', async () => {
  fs.writeFileSync(`${folder.path}/big`, Buffer.alloc(30_000_000, 'x'));
  await api.initWorkspace(folder.path);
  const stop = new AbortController();
  const workspace = await api.openWorkspace(folder.path, { signal: stop.signal });
  try {
    stop.abort();
    await expect(api.commit(workspace)).rejects.toBeDefined();
    expect(workspace.repository.head().snapshot).toBeNull();
  } finally {
    await workspace.close();
  }
});
