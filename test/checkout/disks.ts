/** Disks on which something happens at a chosen call: it fails, or somebody else gets in between. */
import type { Disk } from '../../src/disk/disk.ts';
import { realDisk } from '../../src/disk/disk.ts';

type Call = Exclude<keyof Disk, 'syncLater'>;

/** The real disk, where `call` throws `errno` whenever its first argument fits `path`. */
export function failingDisk(call: Call, path: RegExp, errno: string): Disk {
  return before(call, (first) => {
    if (!path.test(first)) return;
    const error: NodeJS.ErrnoException = new Error(`${errno}: injected, ${call} '${first}'`);
    error.code = errno;
    throw error;
  });
}

/** The real disk; runs `meddle` once, when a checkout has looked at everything and is about to write down that it begins. */
export function meddlingDisk(meddle: () => void): Disk {
  let done = false;
  return before('open', (path) => {
    if (done || !path.endsWith('/operations.jsonl')) return;
    done = true;
    meddle();
  });
}

function before(call: Call, hook: (first: string) => void): Disk {
  const real = realDisk[call] as (...args: unknown[]) => unknown;
  const wrapped = (...args: unknown[]): unknown => {
    hook(String(args[0]));
    return real(...args);
  };
  return { ...realDisk, [call]: wrapped };
}
