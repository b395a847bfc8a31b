/** The one table from what happened to what the shell sees. Documented in README.md; scripts depend on it. */
import type { ErrorCode } from '../errors.ts';

export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  partial: 3,
  noWorkspace: 10,
  locked: 11,
  wrongPassword: 12,
  damaged: 20,
  interrupted: 130,
} as const;

/** Of the signals that stop a command in order: 128 and the number of the signal, as shells have it. */
export const EXIT_OF_SIGNAL: Readonly<Record<string, number>> = {
  SIGHUP: 129,
  SIGINT: EXIT.interrupted,
  SIGTERM: 143,
};

const BY_CODE: Readonly<Record<ErrorCode, number>> = {
  usage: EXIT.usage,
  'not-found': EXIT.failed,
  ambiguous: EXIT.failed,
  exists: EXIT.failed,
  refused: EXIT.failed,
  'no-workspace': EXIT.noWorkspace,
  'no-store': EXIT.noWorkspace,
  locked: EXIT.locked,
  'wrong-password': EXIT.wrongPassword,
  'corrupt-data': EXIT.damaged,
  'unsupported-format': EXIT.failed,
  conflict: EXIT.failed,
  'no-space': EXIT.failed,
  permission: EXIT.failed,
  io: EXIT.failed,
  interrupted: EXIT.interrupted,
  internal: EXIT.failed,
};

/** `stopped`: aborted, for the signal of the system that it names, if one came. */
export function exitCodeOf(code: ErrorCode, stopped: AbortSignal): number {
  return (code === 'interrupted' ? EXIT_OF_SIGNAL[String(stopped.reason)] : undefined) ?? BY_CODE[code];
}
