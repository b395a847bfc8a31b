/** A workspace that is moved while a command writes: nothing grows where it was, and nothing is lost where it is. */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { commit } from '../../src/api/commit.ts';
import { openWorkspace } from '../../src/api/workspace.ts';
import type { Disk } from '../../src/disk/disk.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { snapshotRef } from '../../src/object/ref-name.ts';
import { commitOver } from '../danger/crafted.ts';
import { checkStore } from '../kit/checker/check-store.ts';
import { verifyAll } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import { makeWorkspace } from '../kit/workspace.ts';

test('at any write, link or rename of a commit', { timeout: 120_000 }, async () => {
  for (let at = 1; ; at++) {
    const made = await makeWorkspace({ files: { a: 'alpha' } });
    const first = await made.commit('first');
    await made.workspace.close();
    made.write('new', noise(80_000, at));
    const moved = join(dirname(made.root), 'moved');
    let calls = 0;
    const counted = <T extends unknown[], R>(call: (...args: T) => R): ((...args: T) => R) => {
      return (...args) => {
        if (++calls === at) renameSync(made.root, moved);
        return call(...args);
      };
    };
    const disk: Disk = {
      ...realDisk,
      write: counted(realDisk.write),
      link: counted(realDisk.link),
      rename: counted(realDisk.rename),
      makeFolder: counted(realDisk.makeFolder),
    };
    const result = await commitOver(made.root, disk).catch((error: unknown) => error);
    const isMoved = existsSync(moved);
    if (isMoved) {
      expect(existsSync(made.root), `call ${at}: ${String(result)}`).toBe(false);
      expect(checkStore(join(moved, '.snap/store'))).toEqual([]);
      // The process that held it has ended by now.
      rmSync(join(moved, '.snap/lock'), { force: true });
      const workspace = await openWorkspace(moved);
      expect((await verifyAll(workspace)).faults).toEqual([]);
      expect(workspace.repository.state().refs.has(snapshotRef(first))).toBe(true);
      await commit(workspace, { message: 'next', allowEmpty: true });
      await workspace.close();
      renameSync(moved, made.root);
    }
    await made.cleanup();
    if (!isMoved) {
      expect(at).toBeGreaterThan(10);
      return;
    }
  }
});
