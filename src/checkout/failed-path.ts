/** What a checkout could not do for one path. */
import type { ErrorCode } from '../errors.ts';
import { fromSystemError } from '../errors.ts';

export interface FailedPath {
  readonly path: string;
  readonly code: ErrorCode;
  readonly reason: string;
  /** Only its mode, owner or time could not be set, because it is somebody else's. */
  readonly onlyMetadata?: true;
}

/** What failed for one path; throws what concerns them all. */
export function failedPath(path: string, action: string, error: unknown): FailedPath {
  const failure = fromSystemError(error, action, path);
  if (failure.code === 'no-space' || failure.code === 'internal' || failure.code === 'interrupted') throw failure;
  return { path, code: failure.code, reason: failure.message };
}

/** What kept the mode, owner or time of a path from being set. */
export function metadataFailure(path: string, error: unknown): FailedPath {
  const { code, message: reason } = fromSystemError(error, 'changing', path);
  return code === 'permission' ? { path, code, reason, onlyMetadata: true } : { path, code, reason };
}
