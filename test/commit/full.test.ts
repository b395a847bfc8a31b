/** A commit on a full disk says how to get room again. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { commit } from '../../src/api/commit.ts';
import { FailingDisk, newRoots, openAt } from '../repo/failing-disk.ts';

const roots = newRoots();

test('the hint names gc', async () => {
  const root = await roots.init();
  writeFileSync(join(root, 'a'), 'one');
  const { disk } = new FailingDisk((call, path) => (call === 'write' && path.endsWith('.pack') ? 'ENOSPC' : undefined));
  const workspace = await openAt(root, { disk });
  await expect(commit(workspace)).rejects.toMatchObject({
    code: 'no-space',
    hint: expect.stringMatching(/nothing that was committed is lost.*`snap gc` frees what this commit left/),
  });
  await workspace.close();
});
