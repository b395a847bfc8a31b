/**
 * One of several processes that want one lock, which a dead process holds: takes it `rounds` times, and each time makes
 * sure that nobody else believes to hold it. Arguments: path of the lock, rounds, milliseconds at which to begin.
 * Prints how often it saw another holder.
 */
import { closeSync, openSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { realDisk } from '../../../src/disk/disk.ts';
import { tryLock } from '../../../src/disk/lock-file.ts';
import { processEnvironment } from '../../../src/environment.ts';

const [path = '', rounds = '1'] = process.argv.slice(2);
const { holder } = processEnvironment('breaker');
let clashes = 0;
process.stdin.resume();
process.stdin.setEncoding('utf8');
process.stdout.write('ready\n');
let round = 0;
process.stdin.on('data', () => {
  const name = `${path}/${round++}`;
  for (;;) {
    const lock = tryLock(realDisk, name, {
      ...holder,
      id: `${holder.id.slice(0, 24)}${String(round).padStart(8, '0')}`,
    });
    if (!('release' in lock)) continue;
    try {
      closeSync(openSync(`${name}.held`, 'wx'));
    } catch {
      clashes++;
    }
    writeFileSync(`${name}.log`, `${holder.pid}\n`, { flag: 'a' });
    if (readFileSync(name, 'utf8').includes(`"pid":${holder.pid},`) === false) clashes++;
    try {
      unlinkSync(`${name}.held`);
    } catch {
      clashes++;
    }
    lock.release();
    break;
  }
  process.stdout.write(`${clashes}\n`);
  if (round === Number(rounds)) process.stdin.pause();
});
