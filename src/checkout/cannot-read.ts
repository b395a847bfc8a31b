/** What keeps a checkout from looking at something, in words: system calls name paths that go through descriptors. */
import { errnoOf, fromSystemError, SnapError } from '../errors.ts';

/** The error to throw for `error`, which came of looking at `path` in the folder `root`. Only the system's are others. */
export function cannotRead(error: unknown, root: string, path: string): unknown {
  const errno = errnoOf(error);
  if (errno === undefined || error instanceof SnapError) return error;
  // Of a folder on the way, if it was that.
  const at = String((error as NodeJS.ErrnoException).path);
  const shown = at.startsWith(`${root}/`) ? at.slice(root.length + 1) : path || root;
  return new SnapError(errno === 'EACCES' ? 'permission' : 'io', `${shown} cannot be read (${errno})`, {
    hint: 'Change its owner or its mode, or name the paths to check out.',
    cause: error,
  });
}

/** What `work` returns. The system's errors come out as of `fromSystemError`, with what to do about a folder that was named. */
export function atTarget<T>(action: string, folder: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw targetError(error, action, folder);
  }
}

/** The error to throw for `error`, which came of `action` on a folder to check out into. Only the system's are others. */
export function targetError(error: unknown, action: string, folder: string): unknown {
  const errno = errnoOf(error);
  if (errno === undefined || error instanceof SnapError) return error;
  const { code, message, hint, context } = fromSystemError(error, action, folder);
  const ownHint = errno === 'EACCES' || errno === 'EPERM' ? 'Name a folder that you may write to.' : hint;
  return new SnapError(code, message, { context, cause: error, ...(ownHint === undefined ? {} : { hint: ownHint }) });
}
