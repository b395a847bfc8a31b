/**
 * A small workspace with every kind of stored file in it: several packs, raw and compressed blocks, chunk lists, tags, a
 * checkpoint on wish, operations, an index with a table and a log. Its chunks and packs are small, so that a few kilobytes
 * hold all of it.
 */
import fs from 'node:fs';
import { join } from 'node:path';
import { checkout } from '../../../src/api/checkout.ts';
import { commit } from '../../../src/api/commit.ts';
import { tag } from '../../../src/api/tag.ts';
import { undo } from '../../../src/api/undo.ts';
import { initWorkspace, openWorkspace } from '../../../src/api/workspace.ts';
import { processEnvironment } from '../../../src/environment.ts';
import type { Entries } from '../../kit/checker/snapshot.ts';
import { readFolder } from '../../kit/checker/snapshot.ts';
import { noise, roundTimes } from '../../kit/folder.ts';

export interface Fixture {
  readonly root: string;
  /** What each snapshot holds, read from the folder when it was committed. */
  readonly snapshots: ReadonlyMap<string, Entries>;
  readonly head: string;
  /** `.snap` as it was when the second snapshot had been committed. */
  readonly earlier: string;
}

export async function makeFixture(root: string, seed: number, checkpoint: boolean): Promise<Fixture> {
  fs.mkdirSync(root, { recursive: true });
  await initWorkspace(root, { name: 'fixture' });
  shrinkChunks(join(root, '.snap/store/config.json'));
  const snapshots = new Map<string, Entries>();
  const write = (path: string, content: string | Buffer): void => {
    fs.mkdirSync(join(root, path, '..'), { recursive: true });
    fs.writeFileSync(join(root, path), content);
  };
  const earlier = `${root}-earlier`;
  let workspace = await openWorkspace(root);
  const save = async (message: string): Promise<string> => {
    roundTimes(root);
    const { id } = await commit(workspace, { message });
    if (id === undefined) throw new Error('nothing to commit');
    snapshots.set(id, readFolder(root));
    return id;
  };
  write('src/a.txt', 'alpha\n');
  write('src/deep/text', 'the same line again and again\n'.repeat(40));
  write('noise', noise(700, seed * 2 + 1));
  write('chunks', noise(5000, seed * 2 + 3));
  fs.symlinkSync('src/a.txt', join(root, 'link'));
  await save('first');
  write('src/a.txt', 'beta\n');
  write('src/deep/more', noise(900, seed * 2 + 5));
  await save('second');
  await tag(workspace, 'v1');
  await workspace.close();
  fs.cpSync(join(root, '.snap'), earlier, { recursive: true, preserveTimestamps: true });
  workspace = await openWorkspace(root);
  write(
    'chunks',
    Buffer.concat([
      noise(5000, seed * 2 + 3).subarray(0, 2500),
      Buffer.from(`edit ${seed}`),
      noise(5000, seed * 2 + 3).subarray(2500),
    ]),
  );
  fs.rmSync(join(root, 'noise'));
  const head = await save('third');
  await checkout(workspace, { revision: 'HEAD~1' });
  await undo(workspace);
  if (checkpoint)
    for (let i = workspace.repository.state().number; i < 257; i++)
      await tag(workspace, 'moving', { force: true, revision: i % 2 === 0 ? 'HEAD' : 'HEAD~1' });
  await workspace.close();
  // LevelDB moves its log into a table when it is opened again; then both kinds of file are there.
  const again = await openWorkspace(root);
  await tag(again, 'v2');
  await again.close();
  leaveLocks(root);
  return { root, snapshots, head, earlier };
}

/** A lock and a session of a command that was killed. */
function leaveLocks(root: string): void {
  const { holder } = processEnvironment('a command that was killed');
  const dead = `${JSON.stringify({ ...holder, pid: 4_194_303, startTime: '1' })}\n`;
  const sessions = join(root, '.snap/store/locks/sessions');
  fs.mkdirSync(sessions, { recursive: true });
  fs.writeFileSync(join(sessions, '00112233445566778899aabbccddeeff.json'), dead);
  fs.writeFileSync(join(root, '.snap/lock'), dead);
}

/** Small chunks and packs, before anything is stored. */
function shrinkChunks(path: string): void {
  const config = fs.readFileSync(path, 'utf8');
  const small = config
    .replace(/"averageBytes":\d+/, '"averageBytes":256')
    .replace(/"maxBytes":\d+/, '"maxBytes":1024')
    .replace(/"minBytes":\d+/, '"minBytes":64')
    .replace(/"packBytes":\d+/, '"packBytes":1024');
  fs.chmodSync(path, 0o644);
  fs.writeFileSync(path, small);
}
