/** Locks whose holder cannot be seen from here: nobody takes them away, and the message says what a person may do. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { commit } from '../../src/api/commit.ts';
import { gc } from '../../src/api/gc.ts';
import { processEnvironment } from '../../src/environment.ts';
import { GC_LOCK, WORKSPACE } from '../../src/repo/layout.ts';
import { lockedBy } from '../../src/repo/lock-holder.ts';
import { encodeHolder, newRoots, openAt } from './failing-disk.ts';

const roots = newRoots();
const environment = processEnvironment('snap test');
const { pidNamespace: _, ...own } = environment.holder;
const elsewhere = { ...own, id: 'another', pid: 4711, host: 'far-away', bootId: 'another', command: 'snap commit' };

test('the lock of another machine is not broken, be it as old as it may: its time and path are told', async () => {
  const root = await roots.init();
  const workspace = await openAt(root);
  try {
    for (const [path, work] of [
      [join(root, '.snap', WORKSPACE.lock), () => commit(workspace, { message: 'x' })],
      [join(root, '.snap/store', GC_LOCK), () => gc(workspace)],
    ] as const) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, encodeHolder(elsewhere));
      await expect(work()).rejects.toMatchObject({
        code: 'locked',
        message: expect.stringContaining('`snap commit` (process 4711 on far-away)'),
        hint: expect.stringMatching(
          /it began at \d{4}-\d\d-\d\dT.* on far-away, another machine or container.*remove /,
        ),
        context: { pid: 4711, host: 'far-away', path },
      });
      expect(existsSync(path)).toBe(true);
    }
  } finally {
    await workspace.close();
  }
});

test('of a lock that is given back meanwhile no time is told, and of a holder of this machine none is needed', () => {
  const path = join(roots.root, 'nowhere');
  expect(lockedBy(environment, path, elsewhere, 'Held by', 'Wait.').hint).toContain('it began on far-away');
  expect(lockedBy(environment, path, environment.holder, 'Held by', 'Wait.').hint).toBe('Wait.');
});
