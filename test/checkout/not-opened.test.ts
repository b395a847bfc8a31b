/** A checkout that cannot open what it writes through: it has changed nothing, and leaves nothing open. */
import { mkdirSync, readdirSync, readlinkSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { checkout, planCheckout } from '../../src/api/checkout.ts';
import { gc } from '../../src/api/gc.ts';
import { newWorkspace } from '../repo/one-workspace.ts';

const { failing, roots, at, open, commits } = newWorkspace();

const sessions = (): string[] => readdirSync(at('.snap/store/locks/sessions'));

/** How many descriptors of this process lead into folders of this test. */
function openFolders(): number {
  const paths = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
  // Its index keeps files open.
  return paths.filter((path) => path.startsWith(roots.root) && !path.includes('/index/')).length;
}

test('a link in the place of .snap/tmp stops it before anything is saved, and previews too', async () => {
  await commits(2);
  const workspace = await open();
  writeFileSync(at('f'), 'not committed');
  renameSync(at('.snap/tmp'), at('elsewhere'));
  symlinkSync(at('elsewhere'), at('.snap/tmp'));
  const before = workspace.repository.state().number;
  const refused = { code: 'refused', message: expect.stringContaining('.snap/tmp is a link') };
  await expect(checkout(workspace, { revision: 'HEAD~1' })).rejects.toMatchObject(refused);
  await expect(planCheckout(workspace, { revision: 'HEAD~1' })).rejects.toMatchObject(refused);
  expect(workspace.repository.state().number).toBe(before);
  expect(sessions()).toEqual([]);
});

test.skipIf(process.platform !== 'linux')('its session and its descriptors go where one cannot be opened', async () => {
  await commits(2);
  const workspace = await open();
  const descriptors = openFolders();
  failing.hook = (call, path) => (call === 'open' && path.endsWith('/.snap/tmp') ? 'EMFILE' : undefined);
  await expect(checkout(workspace, { revision: 'HEAD~1' })).rejects.toThrow();
  expect(sessions()).toEqual([]);
  mkdirSync(at('../to'));
  for (const fails of ['makeFolder', 'open', 'write']) {
    failing.hook = (call, path) => (call === fails && /\.snap-checkout-|-mark$/.test(path) ? 'ENOSPC' : undefined);
    await expect(checkout(workspace, { revision: 'HEAD~1', to: at('../to') })).rejects.toMatchObject({
      code: 'no-space',
    });
  }
  failing.hook = undefined;
  expect(openFolders()).toBe(descriptors);
  expect(sessions()).toEqual([]);
  await gc(workspace);
});
