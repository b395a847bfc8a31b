/**
 * A disk that works for real and writes down what was changed below one folder, in an order and with the bytes that
 * allow to say what could be on the medium after a power loss at any of these operations (crash-model.ts).
 */
import { readlinkSync } from 'node:fs';
import type { Disk } from '../../../src/disk/disk.ts';
import { realDisk } from '../../../src/disk/disk.ts';

/** Paths are relative to the traced folder; `file` is the number of the open descriptor's file, unique in the trace. */
export type TraceOp =
  | { readonly kind: 'create' | 'open'; readonly path: string; readonly file: number }
  | { readonly kind: 'write'; readonly file: number; readonly position: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly file: number; readonly length: number }
  | { readonly kind: 'sync'; readonly file: number }
  | { readonly kind: 'rename' | 'link'; readonly from: string; readonly to: string }
  | { readonly kind: 'unlink' | 'make-folder' | 'remove-folder'; readonly path: string }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string }
  /** Something that the scenario says happened between two operations, such as an acknowledged commit. */
  | { readonly kind: 'note'; readonly text: string };

interface OpenFile {
  readonly number: number;
  position: number;
}

const O_CREAT = 0o100;
const O_TRUNC = 0o1000;
const O_APPEND = 0o2000;

export interface Trace {
  readonly disk: Disk;
  readonly ops: TraceOp[];
  note(text: string): void;
}

/** `skip`: true for paths that are not written through this disk alone, such as those of LevelDB. */
export function traceDisk(root: string, skip: (path: string) => boolean): Trace {
  const ops: TraceOp[] = [];
  const files = new Map<number, OpenFile>();
  /** Where what is skipped was moved to. */
  const moved: string[] = [];
  let last = 0;
  const inside = (path: string): string | undefined => {
    const real = path.replace(/^\/proc\/self\/fd\/(\d+)/, (_all, fd: string) => readlinkSync(`/proc/self/fd/${fd}`));
    const plain = real.replace(/\/\.$/, '');
    if (plain !== root && !plain.startsWith(`${root}/`)) return undefined;
    const relative = plain.slice(root.length + 1);
    return skip(relative) || moved.some((at) => relative === at || relative.startsWith(`${at}/`))
      ? undefined
      : relative;
  };
  const noting = (fd: number, note: (file: OpenFile) => void): void => {
    const file = files.get(fd);
    if (file !== undefined) note(file);
  };
  const pathOp = (kind: 'unlink' | 'make-folder' | 'remove-folder', path: string, act: () => void): void => {
    const relative = inside(path);
    act();
    if (relative !== undefined) ops.push({ kind, path: relative });
  };
  const pairOp = (kind: 'rename' | 'link', from: string, to: string, act: () => void): void => {
    const [a, b] = [inside(from), inside(to)];
    act();
    if (a !== undefined && b !== undefined) ops.push({ kind, from: a, to: b });
    else if (b !== undefined) moved.push(b);
  };
  const disk: Disk = {
    ...realDisk,
    open: (path, flags, mode) => {
      const relative = inside(path);
      const isNew = relative !== undefined && (flags & O_CREAT) !== 0 && realDisk.lstat(path) === undefined;
      const fd = realDisk.open(path, flags, mode);
      if (relative === undefined) return fd;
      const file = { number: ++last, position: 0 };
      files.set(fd, file);
      ops.push({ kind: isNew ? 'create' : 'open', path: relative, file: file.number });
      if (!isNew && (flags & O_TRUNC) !== 0) ops.push({ kind: 'truncate', file: file.number, length: 0 });
      if ((flags & O_APPEND) !== 0) file.position = Number(realDisk.stat(fd).size);
      return fd;
    },
    close: (fd) => {
      files.delete(fd);
      realDisk.close(fd);
    },
    write: (fd, buffer, offset, length, position) => {
      const count = realDisk.write(fd, buffer, offset, length, position);
      noting(fd, (file) => {
        const at = position ?? file.position;
        if (position === null) file.position += count;
        ops.push({
          kind: 'write',
          file: file.number,
          position: at,
          bytes: Buffer.from(buffer.subarray(offset, offset + count)),
        });
      });
      return count;
    },
    truncate: (fd, length) => {
      realDisk.truncate(fd, length);
      noting(fd, (file) => ops.push({ kind: 'truncate', file: file.number, length }));
    },
    sync: (fd) => {
      realDisk.sync(fd);
      noting(fd, (file) => ops.push({ kind: 'sync', file: file.number }));
    },
    syncLater: async (fd) => {
      await realDisk.syncLater(fd);
      noting(fd, (file) => ops.push({ kind: 'sync', file: file.number }));
    },
    rename: (from, to) => pairOp('rename', from, to, () => realDisk.rename(from, to)),
    link: (from, to) => pairOp('link', from, to, () => realDisk.link(from, to)),
    unlink: (path) => pathOp('unlink', path, () => realDisk.unlink(path)),
    makeFolder: (path, mode) => pathOp('make-folder', path, () => realDisk.makeFolder(path, mode)),
    removeFolder: (path) => pathOp('remove-folder', path, () => realDisk.removeFolder(path)),
    symlink: (target, path) => {
      const relative = inside(path);
      realDisk.symlink(target, path);
      if (relative !== undefined) ops.push({ kind: 'symlink', path: relative, target });
    },
  };
  return { disk, ops, note: (text) => ops.push({ kind: 'note', text }) };
}
