/** A folder to check out into that this user may not use: what to do is said of that folder, not of the store. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkout, planCheckout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { FailingDisk, newRoots, openAt } from '../repo/failing-disk.ts';

const roots = newRoots();

test.each(['lstat', 'makeFolder', 'list'] as const)('%s says no', async (forbidden) => {
  const root = await roots.init();
  writeFileSync(join(root, 'a'), 'one');
  const to = join(roots.root, 'forbidden/to');
  const failing = new FailingDisk();
  const workspace = await openAt(root, { disk: failing.disk });
  await commit(workspace);
  if (forbidden === 'list') failing.disk.makeFolder(join(roots.root, 'forbidden'));
  if (forbidden === 'list') failing.disk.makeFolder(to);
  failing.hook = (call, path) => (call === forbidden && path.includes('/forbidden') ? 'EACCES' : undefined);
  const settings = { revision: 'HEAD', to };
  const refused = {
    code: 'permission',
    message: expect.stringContaining(`${to} (EACCES)`),
    hint: 'Name a folder that you may write to.',
  };
  await expect(checkout(workspace, settings)).rejects.toMatchObject(refused);
  if (forbidden !== 'makeFolder') await expect(planCheckout(workspace, settings)).rejects.toMatchObject(refused);
  expect(existsSync(join(to, 'a'))).toBe(false);
  await workspace.close();
});
