/** A store that lies in its own workspace is never part of a snapshot, nor touched by a checkout. */
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit, previewCommit } from '../../src/api/commit.ts';
import { explainIgnored } from '../../src/api/history.ts';
import { verify } from '../../src/api/verify.ts';
import { initWorkspace } from '../../src/api/workspace.ts';
import { hasCode } from '../../src/errors.ts';
import { STORE_REASON } from '../../src/repo/is-store.ts';
import { pictureOf, readPicture } from '../kit/crash/stage.ts';
import { makeWorkspace } from '../kit/workspace.ts';

test('init refuses a store inside the folder, and a folder inside the store', async () => {
  const root = mkdtempSync(join(tmpdir(), 'snap-own-'));
  try {
    for (const [folder, store] of [
      [root, join(root, 'sub')],
      [join(root, 'store/work'), join(root, 'store')],
      [root, root],
    ] as const)
      expect(hasCode(await initWorkspace(folder, { store }).catch((error: unknown) => error), 'refused')).toBe(true);
    expect([...pictureOf(root).keys()]).toEqual([]);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('one that got there by the settings is left out, and left alone', async () => {
  await using made = await makeWorkspace({ files: { f: 'one', 'sub/packs/old': 'a file of the same name' } });
  const first = await made.commit('one');
  made.remove('sub');
  renameSync(`${made.root}/.snap/store`, `${made.root}/sub`);
  const config = `${made.root}/.snap/config.toml`;
  writeFileSync(config, readFileSync(config, 'utf8').replace('.snap/store', 'sub'));
  await made.reopen();
  made.write('f', 'two');
  const second = await made.commit('two');
  expect([...(await readPicture(made.workspace.repository, second)).keys()].sort()).toEqual(['.snapignore', 'f']);
  expect(explainIgnored(made.workspace, ['sub/'])[0]?.rule).toContain('store of this workspace');
  await checkout(made.workspace, { revision: first });
  await checkout(made.workspace, { revision: second });
  expect(made.read('f')).toBe('two');
  expect((await verify(made.workspace, { data: true })).faultCount).toBe(0);
});

test('--to does not write into the files of snap', async () => {
  await using made = await makeWorkspace({ files: { f: 'one' } });
  await made.commit('one');
  for (const to of ['', '/.snap', '/.snap/x', '/.snap/store/packs']) {
    const error = await checkout(made.workspace, { revision: 'HEAD', to: made.root + to, force: true }).catch(
      (thrown: unknown) => thrown,
    );
    expect(hasCode(error, 'refused'), to).toBe(true);
  }
});

test('--to does not write into them through links, nor into a folder that holds the store', async () => {
  await using made = await makeWorkspace({ files: { f: 'one' } });
  await made.commit('one');
  const beside = join(made.root, '..');
  symlinkSync(made.root, join(beside, 'link'));
  symlinkSync('../work/.snap/store', join(made.root, 'inner'));
  await using shared = await makeWorkspace({ files: { f: 'two' }, store: join(beside, 'stores/one') });
  await shared.commit('two');
  mkdirSync(join(beside, 'stores/other'));
  const cases = [
    [made, join(beside, 'link')],
    [made, join(beside, 'link/.snap/new')],
    [made, join(made.root, 'inner')],
    [made, join(made.root, 'inner/packs')],
    [shared, join(beside, 'stores')],
    [shared, beside],
  ] as const;
  for (const [{ workspace }, to] of cases) {
    const error = await checkout(workspace, { revision: 'HEAD', to, force: true }).catch((thrown: unknown) => thrown);
    expect(hasCode(error, 'refused'), to).toBe(true);
  }
  expect((await checkout(shared.workspace, { revision: 'HEAD', to: join(beside, 'stores/other') })).failures).toEqual(
    [],
  );
  expect((await checkout(made.workspace, { revision: 'HEAD', to: join(made.root, 'copy') })).failures).toEqual([]);
});

test('the store of another workspace is neither taken in nor removed, and init does not put one there unasked', async () => {
  await using outer = await makeWorkspace({ files: { f: 'one' } });
  const first = await outer.commit('one');
  const store = join(outer.root, 'deep/store');
  const refusal = await initWorkspace(join(outer.root, '../other'), { store }).catch((error: unknown) => error);
  expect(hasCode(refusal, 'refused')).toBe(true);
  expect(outer.exists('deep')).toBe(false);
  // One that got there all the same.
  await using inner = await makeWorkspace({ files: { g: 'one' }, store: join(outer.root, '../aside') });
  await inner.commit('inner');
  outer.write('deep/beside', 'beside');
  await inner.workspace.close();
  renameSync(join(outer.root, '../aside'), store);
  const config = `${inner.root}/.snap/config.toml`;
  writeFileSync(config, readFileSync(config, 'utf8').replace(join(outer.root, '../aside'), store));
  await inner.reopen();
  const { id, scan } = await commit(outer.workspace, { message: 'two' });
  if (id === undefined) throw new Error('nothing was committed');
  expect(scan.skipped).toEqual([{ path: 'deep/store', reason: STORE_REASON }]);
  expect([...(await readPicture(outer.workspace.repository, id)).keys()].sort()).toEqual([
    '.snapignore',
    'deep',
    'deep/beside',
    'f',
  ]);
  expect((await previewCommit(outer.workspace)).scan).toMatchObject({
    differs: false,
    skipped: [{ path: 'deep/store', reason: STORE_REASON }],
  });
  expect(explainIgnored(outer.workspace, ['deep/store/packs'])[0]?.rule).toContain(STORE_REASON);
  const { kept } = await checkout(outer.workspace, { revision: first });
  expect(outer.exists('deep/beside')).toBe(false);
  expect(kept).toEqual(['deep']);
  expect((await verify(inner.workspace, { data: true })).faultCount).toBe(0);
  // What takes its place is a folder as any other.
  await outer.commit('without');
  renameSync(store, join(outer.root, '../away'));
  outer.write('deep/store/file', 'ordinary');
  const last = await outer.commit('ordinary');
  expect([...(await readPicture(outer.workspace.repository, last)).keys()]).toContain('deep/store/file');
});

test('a snapshot that took a store in, as an earlier version did, does not touch it', async () => {
  await using outer = await makeWorkspace({
    files: { 'st/config.json': '{}', 'st/journal/x': 'x', 'st/packs/y': 'y' },
  });
  const before = await outer.commit('no store yet');
  outer.remove('st');
  const none = await outer.commit('none');
  await using inner = await makeWorkspace({ files: { g: 'one' }, store: join(outer.root, '../aside') });
  const kept = await inner.commit('inner');
  await inner.workspace.close();
  renameSync(join(outer.root, '../aside'), join(outer.root, 'st'));
  const config = `${inner.root}/.snap/config.toml`;
  writeFileSync(config, readFileSync(config, 'utf8').replace(join(outer.root, '../aside'), join(outer.root, 'st')));
  await inner.reopen();
  for (const revision of [before, none]) {
    await checkout(outer.workspace, { revision });
    await checkout(outer.workspace, { revision, to: `${outer.root}/../copy`, force: true });
    expect((await verify(inner.workspace, { data: true })).faultCount).toBe(0);
    expect([...(await readPicture(inner.workspace.repository, kept)).keys()]).toContain('g');
  }
  const refused = await checkout(outer.workspace, { revision: before, to: join(outer.root, 'st'), force: true }).catch(
    (error: unknown) => error,
  );
  expect(hasCode(refused, 'refused')).toBe(true);
});
