/** A folder whose tree is lost costs `checkout --to` that folder; in place nothing may be removed while something is missing. */
import { lstatSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { BLOB_KIND, blobIdOf } from '../../src/object/blob-id.ts';
import { encodeTree } from '../../src/object/tree.ts';
import { encodeFolder } from '../../src/object/tree-parts.ts';
import { fileEntry, folderEntry, publishTree } from '../danger/crafted.ts';
import { readFolder } from '../kit/checker/snapshot.ts';
import { flipBit, packPaths } from '../kit/damage.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { makeSmallWorkspace, scratchFolder } from '../kit/small-workspace.ts';
import { snap } from '../kit/snap.ts';
import { makeWorkspace } from '../kit/workspace.ts';

test('checkout --to writes what can be read around a damaged folder', async () => {
  await using made = await makeWorkspace({ files: { 'lost/a': 'a', 'lost/deep/b': 'b' } });
  const store = join(made.root, '.snap/store');
  await made.commit('one');
  const [first] = packPaths(store);
  made.write('kept/c', 'c');
  const id = await made.commit('two');
  made.write('kept/c', 'another');
  made.remove('lost');
  await made.commit('three');
  rmSync(first ?? '');
  rmSync(join(made.root, '.snap/index'), { recursive: true });
  await made.reopen();
  const to = join(made.root, '../out');
  const { failures } = await checkout(made.workspace, { revision: id, to });
  expect(failures).toContainEqual(expect.objectContaining({ path: 'lost', code: 'corrupt-data' }));
  expect([...readFolder(to).keys()]).toEqual(['kept', 'kept/c', 'lost']);

  const before = readFolder(made.root);
  await expect(checkout(made.workspace, { revision: id })).rejects.toMatchObject({ code: 'corrupt-data' });
  expect(readFolder(made.root)).toEqual(before);
});

describe('of a folder so large that its tree is in parts, a damaged part costs what it holds', () => {
  const scratch = scratchFolder();
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  const EMPTY = Buffer.alloc(0);
  const NAMES = Array.from({ length: 6000 }, (_, i) => `f${String(i).padStart(4, '0')}`);
  /** As SPEC.md says of these names. */
  const FIRST_NAMES = ['f0000', 'f0082', 'f1562', 'f3057', 'f4570', 'f4736', 'f5090'];
  const nameless = { size: 0, content: { chunks: [] } };
  const files = NAMES.map((name) => ({ ...fileEntry(name, EMPTY), ...nameless }));

  /** Publishes the 6,000 files in `folder`, with one bit of the part that begins at `first` flipped. */
  async function publishDamaged(made: SmallWorkspace, folder: string, first: string): Promise<BlobId> {
    const parts = encodeFolder(files);
    const blobs = parts.map(({ bytes }) => ({ kind: BLOB_KIND.tree, bytes }));
    let tree = parts.at(-1)?.id as BlobId;
    if (folder !== '') {
      const above = encodeTree([folderEntry(folder, tree)]);
      blobs.push({ kind: BLOB_KIND.tree, bytes: above });
      tree = blobIdOf(above);
    }
    const id = await publishTree(made.workspace, blobs, tree);
    const part = parts[FIRST_NAMES.indexOf(first)]?.bytes ?? EMPTY;
    for (const pack of packPaths(made.store)) {
      const at = readFileSync(pack).indexOf(part);
      if (at >= 0) flipBit(pack, at + 50);
    }
    return id;
  }

  test.each([
    ['large', 'f1562', 'f3057'],
    ['', 'f0000', 'f0082'],
    ['large', 'f5090', undefined],
  ])('in folder "%s", the part from %s', async (folder, first, next) => {
    await using made = await makeSmallWorkspace(join(scratch, `work-${folder}-${first}`));
    made.write('mine', 'mine');
    await made.commit('good');
    const id = await publishDamaged(made, folder, first);
    const to = `${made.root}-out`;
    const { failures } = await checkout(made.workspace, { revision: id, to });
    expect(failures).toEqual([expect.objectContaining({ path: folder === '' ? to : folder, code: 'corrupt-data' })]);
    expect(failures[0]?.reason).toContain(
      `from "${first}" to ${next === undefined ? 'the last' : `the one before "${next}"`}`,
    );
    const lost = (name: string): boolean => name >= first && (next === undefined || name < next);
    expect(readdirSync(join(to, folder)).sort()).toEqual(NAMES.filter((name) => !lost(name)));
    const mtimeMs = folder === '' ? lstatSync(made.root).mtimeMs : 1_700_000_000_000;
    expect(lstatSync(join(to, folder)).mtimeMs).toBeCloseTo(mtimeMs, 2);

    // In place nothing is removed while something is missing.
    await expect(checkout(made.workspace, { revision: id })).rejects.toMatchObject({ code: 'corrupt-data' });
    expect([...readFolder(made.root).keys()].filter((name) => !name.startsWith('.snapignore'))).toEqual(['mine']);
  });

  test('the command ends as for other damage', async () => {
    await using made = await makeSmallWorkspace(join(scratch, 'command'));
    made.write('mine', 'mine');
    await made.commit('good');
    const id = await publishDamaged(made, 'large', 'f1562');
    await made.workspace.close();
    const { code, stdout } = snap(['-C', made.root, 'checkout', id, '--to', `${made.root}-out`, '--json']);
    expect(code).toBe(20);
    expect(JSON.parse(stdout)).toMatchObject({ written: 6000 - (3057 - 1562), failures: [{ path: 'large' }] });
    await made.reopen();
  });
});
