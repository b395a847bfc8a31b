/**
 * The one error class of snap. Whoever raises it says what is wrong (message), what to do next (hint), and
 * which values were involved (context); whoever catches it decides by code, never by text.
 * The command line maps codes to exit codes in src/cli/exit-code.ts.
 */

export type ErrorCode =
  | 'usage' // the command line, a pattern, a time, a size, a rule is malformed
  | 'not-found' // a revision, path, tag or config key does not exist
  | 'ambiguous' // an id prefix fits several snapshots
  | 'exists' // what should be created is there already
  | 'refused' // the request is clear but would lose or hide something
  | 'no-workspace' // no .snap here or above
  | 'no-store' // the workspace's store is missing or not a store
  | 'locked' // another process holds what this one needs
  | 'wrong-password'
  | 'corrupt-data' // stored bytes are not what they must be
  | 'unsupported-format' // a version or flag this program does not know
  | 'conflict' // somebody else published first; try again on top of it
  | 'no-space' // the disk of the store or of the target is full
  | 'permission' // the operating system says no
  | 'io' // any other failure of a disk or a remote
  | 'interrupted' // the user or the caller's signal stopped it
  | 'internal'; // a broken promise between our own modules

export interface SnapErrorDetails {
  /** One sentence: what to do next. */
  readonly hint?: string;
  /** Values for machines and for --verbose; no secrets. */
  readonly context?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

export class SnapError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, details: SnapErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'SnapError';
    this.code = code;
    this.hint = details.hint;
    this.context = details.context ?? {};
  }
}

/** True if `error` is a SnapError with one of `codes`. */
export function hasCode(error: unknown, ...codes: ErrorCode[]): error is SnapError {
  return error instanceof SnapError && codes.includes(error.code);
}

/** The errno name ("ENOENT") of a system error, or undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}

const IN_WORDS: Readonly<Record<string, string>> = {
  EEXIST: 'something else, perhaps a link, stands there already',
  ENOTDIR: 'a part of this path is a file, not a folder',
  ENAMETOOLONG: 'a name in it is longer than the file system allows',
};

/** Wraps a system error of an operation on `path` in a SnapError with the fitting code; passes SnapErrors on. */
export function fromSystemError(error: unknown, action: string, path: string): SnapError {
  if (error instanceof SnapError) return error;
  const errno = errnoOf(error);
  const context = { path, errno };
  switch (errno) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new SnapError('no-space', `no space left while ${action} ${path}`, {
        hint: 'Free some space and run the command again; nothing that was committed is lost.',
        context,
        cause: error,
      });
    case 'EROFS':
      return new SnapError('permission', `${action} ${path} failed: its file system is mounted read-only (EROFS)`, {
        hint: 'Mount it for writing. What only reads works as it is.',
        context,
        cause: error,
      });
    case 'EACCES':
    case 'EPERM':
      return new SnapError('permission', `no permission for ${action} ${path} (${errno})`, {
        hint: 'Check the owner and the mode of that path. A command that was run as root leaves files of root in .snap: give them back with chown -R.',
        context,
        cause: error,
      });
    default: {
      if (lacksDescriptors(error)) return tooManyOpen(error, action, path);
      const reason = errno ?? (error instanceof Error ? error.message : String(error));
      const why = errno === undefined ? undefined : IN_WORDS[errno];
      return new SnapError('io', `${action} ${path} failed${why === undefined ? '' : `: ${why}`} (${reason})`, {
        context,
        cause: error,
      });
    }
  }
}

/** What the system says of bytes that a disk, or the file system on it, does not give back: the last two are EBADMSG and EUCLEAN. */
const UNREADABLE: ReadonlySet<unknown> = new Set([
  'EIO',
  'EREMOTEIO',
  'Unknown system error -74',
  'Unknown system error -117',
]);

/** True if `error` says that what was to be read is lost, and not that this process, or the network, cannot read now. */
export function isUnreadable(error: unknown): boolean {
  return UNREADABLE.has(error instanceof SnapError ? error.context.errno : errnoOf(error));
}

/** True if `error`, or what caused it, is that this process or the machine may not open another file. */
export function lacksDescriptors(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const isIt = /EMFILE|ENFILE|too many open files/i.test(`${errnoOf(error) ?? ''} ${error.message}`);
  return isIt || lacksDescriptors(error.cause);
}

function tooManyOpen(error: unknown, action: string, path: string): SnapError {
  return new SnapError('io', `${action} ${path} failed: too many files are open`, {
    hint: 'Raise the limit of open files (`ulimit -n 1024`) and run the command again.',
    context: { path, errno: errnoOf(error) },
    cause: error,
  });
}

/** Runs `work`; system errors come out as of `fromSystemError`. */
export function describing<T>(action: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    throw fromSystemError(error, action, path);
  }
}
