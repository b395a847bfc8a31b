/** An index whose mark of use cannot be written is not opened: the next opening in the same process gets it. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Disk } from '../../src/disk/disk.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { SnapError } from '../../src/errors.ts';
import { openIndex } from '../../src/repo/open-index.ts';
import { deadEnvironment } from '../kit/crash/stage.ts';
import { temporaryFolder } from '../kit/folder.ts';

test('on a full disk work goes on without the index, which the next opening in the same process gets', async () => {
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
    const opened = await openIndex(deadEnvironment(full), folder.path, 'a');
    expect(opened.index).toBe('locked');
    expect(opened.notice).toContain('cannot be written');
    expect(readdirSync(join(folder.path, 'tmp'))).toEqual([]);
    const { index, close } = await openIndex(deadEnvironment(realDisk), folder.path, 'a');
    expect(index).not.toBe('locked');
    await close();
  } finally {
    folder.remove();
  }
});
