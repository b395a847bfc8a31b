/** Where a path leads: every link on the way is followed, and what does not exist yet is kept as it is. */
import { SnapError } from '../errors.ts';
import type { Disk } from './disk.ts';

/** As Linux. */
const LINKS_MAX = 40;

/** Throws `refused` where links lead in a circle, and the system's errors. */
export function realPath(disk: Disk, path: string): string {
  const rest = path.split('/').reverse();
  const found: string[] = [];
  let links = 0;
  for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
    if (name === '' || name === '.') continue;
    if (name === '..') {
      found.pop();
      continue;
    }
    const at = `/${[...found, name].join('/')}`;
    if (disk.lstat(at)?.isSymbolicLink() !== true) {
      found.push(name);
      continue;
    }
    if (++links > LINKS_MAX) throw new SnapError('refused', `${path} leads through a circle of links`);
    const target = disk.readLink(at);
    if (target.startsWith('/')) found.length = 0;
    rest.push(...target.split('/').reverse());
  }
  return `/${found.join('/')}`;
}
