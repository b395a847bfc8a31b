/** An index whose mark of use cannot be written is let go of: the next opening in the same process gets it. */
import { expect, test } from 'vitest';
import type { Disk } from '../../src/disk/disk.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { SnapError } from '../../src/errors.ts';
import { openIndex } from '../../src/repo/open-index.ts';
import { deadEnvironment } from '../kit/crash/stage.ts';
import { temporaryFolder } from '../kit/folder.ts';

test('a failure to mark the index as used does not leave it open', async () => {
  const folder = temporaryFolder();
  try {
    // The first thing that is written; reading works.
    const full = new Proxy(realDisk, {
      get: (target, name, receiver) =>
        name === 'write'
          ? () => {
              throw new SnapError('no-space', 'no space left');
            }
          : (Reflect.get(target, name, receiver) as unknown),
    }) as Disk;
    await expect(openIndex(deadEnvironment(full), folder.path, 'a')).rejects.toThrow('no space left');
    const { index, close } = await openIndex(deadEnvironment(realDisk), folder.path, 'a');
    expect(index).not.toBe('locked');
    await close();
  } finally {
    folder.remove();
  }
});
