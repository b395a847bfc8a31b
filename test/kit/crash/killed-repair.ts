/**
 * `node killed-repair.ts <workspace> <n> [drop]`: repairs, and is killed just before its n-th change of the disk; with 0
 * it is not, and prints how many changes there were.
 */
import { repair } from '../../../src/api/repair.ts';
import { openWorkspaceIn } from '../../../src/api/workspace.ts';
import type { Disk } from '../../../src/disk/disk.ts';
import { OPEN, realDisk } from '../../../src/disk/disk.ts';
import { processEnvironment } from '../../../src/environment.ts';
import { inlineWorkers } from './inline-workers.ts';

const CHANGING: readonly (keyof Disk)[] = [
  'open',
  'write',
  'sync',
  'syncLater',
  'truncate',
  'rename',
  'link',
  'unlink',
  'makeFolder',
  'removeFolder',
];

const [root = '', at = '0', drop] = process.argv.slice(2);
let changes = 0;
for (const name of CHANGING) {
  const real = realDisk[name] as (...args: unknown[]) => unknown;
  Object.assign(realDisk, {
    [name]: (...args: unknown[]): unknown => {
      const reads = name === 'open' && args[1] !== OPEN.create;
      if (!reads && ++changes === Number(at)) process.kill(process.pid, 'SIGKILL');
      return real(...args);
    },
  });
}
const workspace = await openWorkspaceIn(processEnvironment('snap repair'), inlineWorkers(realDisk), root);
await repair(workspace, { dropDamaged: drop === 'drop' });
await workspace.close();
process.stdout.write(`${changes}\n`);
