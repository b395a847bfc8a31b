/**
 * A real disk of which one call fails: the n-th, once or from then on. Errors have the system's form. Notes what must
 * never happen: a second sync of a descriptor whose first one failed (the kernel may have dropped its dirty pages).
 */
import type { Disk } from '../../../src/disk/disk.ts';
import { realDisk } from '../../../src/disk/disk.ts';

export const ERRNOS = ['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'EACCES', 'EROFS', 'EINTR', 'EBUSY', 'ESTALE'] as const;

export interface Fault {
  /** The call that fails, counted from 1; of calls that the errno can come from. */
  readonly at: number;
  /** An errno, or "short": reads and writes then do half of what was asked. */
  readonly errno: (typeof ERRNOS)[number] | 'short';
  readonly sticky: boolean;
}

export interface FaultyDisk {
  readonly disk: Disk;
  /** Calls that could have failed so far. */
  readonly calls: number;
  /** The call that failed first. */
  readonly failed: string | undefined;
  readonly violations: readonly string[];
}

type Call = Exclude<keyof Disk, 'syncLater'>;
const WRITING: readonly Call[] = ['open', 'write', 'sync', 'truncate', 'rename', 'link', 'makeFolder', 'symlink'];
const NAMING: readonly Call[] = ['rename', 'link', 'unlink', 'removeFolder'];
/** What a process cannot do without: its own locks in /proc, and giving back descriptors. */
const NEVER: readonly Call[] = ['freeBytes'];

export function faultyDisk(fault: Fault): FaultyDisk {
  let calls = 0;
  let failed: string | undefined;
  const violations: string[] = [];
  const badFds = new Set<number>();
  const fails = (name: Call, what: string): boolean => {
    if (NEVER.includes(name) || what.startsWith('/proc/') || !canFail(name, fault.errno)) return false;
    calls++;
    if (calls < fault.at || (calls > fault.at && !fault.sticky)) return false;
    failed ??= `${name} ${what}`;
    return true;
  };
  const wrapped = { ...realDisk } as Record<string, unknown>;
  for (const name of Object.keys(realDisk) as (keyof Disk)[]) {
    if (name === 'syncLater') continue;
    const real = realDisk[name] as (...args: unknown[]) => unknown;
    wrapped[name] = (...args: unknown[]): unknown => {
      const what = String(args[0]);
      if (name === 'sync' && badFds.has(Number(args[0])))
        violations.push('a descriptor was synced again after it failed');
      if (name === 'close') badFds.delete(Number(args[0]));
      if (!fails(name, what)) return real(...args);
      if (fault.errno === 'short') {
        const half = [...args];
        half[3] = Math.max(1, Math.floor(Number(args[3]) / 2));
        return real(...half);
      }
      if (name === 'sync') badFds.add(Number(args[0]));
      // A close that fails has closed all the same, as on Linux.
      if (name === 'close') real(...args);
      throw systemError(fault.errno, name, what);
    };
  }
  const disk = wrapped as unknown as Disk;
  wrapped.syncLater = async (fd: number): Promise<void> => disk.sync(fd);
  return {
    disk,
    get calls() {
      return calls;
    },
    get failed() {
      return failed;
    },
    violations,
  };
}

function canFail(name: Call, errno: Fault['errno']): boolean {
  switch (errno) {
    case 'short':
      return name === 'read' || name === 'write';
    case 'ENOSPC':
    case 'EDQUOT':
      return WRITING.includes(name) || name === 'close';
    case 'EROFS':
      return WRITING.includes(name) || NAMING.includes(name);
    case 'EMFILE':
      return name === 'open' || name === 'list';
    case 'EACCES':
      return name !== 'read' && name !== 'write' && name !== 'close' && name !== 'sync' && name !== 'stat';
    case 'EBUSY':
      return NAMING.includes(name);
    case 'EINTR':
      return name === 'open' || name === 'read' || name === 'write';
    default:
      return true;
  }
}

function systemError(errno: string, call: string, path: string): NodeJS.ErrnoException {
  const error: NodeJS.ErrnoException = new Error(`${errno}: injected, ${call} '${path}'`);
  error.code = errno;
  error.syscall = call;
  return error;
}
