/** A folder whose tree is lost costs `checkout --to` that folder; in place nothing may be removed while something is missing. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { readFolder } from '../kit/checker/snapshot.ts';
import { packPaths } from '../kit/damage.ts';
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
