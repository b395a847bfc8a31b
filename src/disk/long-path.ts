/**
 * Paths of any length. The system takes 4095 bytes in one call; on Linux a longer path is entered stretch by stretch,
 * each from an open descriptor of the one before. Elsewhere the system's ENAMETOOLONG stays.
 */
import fs from 'node:fs';
import { systemPath } from '../bytes/names.ts';

/** A UTF-16 unit takes at most three bytes. */
const STRETCH_UNITS_MAX = 1364;
/** O_PATH, which needs no permission to read, and O_DIRECTORY. Node does not name the first. */
const ENTER = 0o10000000 | fs.constants.O_DIRECTORY;

/** Calls `use` with a path that the system takes. */
export function atPath<T>(path: string, use: (path: string | Buffer) => T): T {
  if (path.length <= STRETCH_UNITS_MAX || !path.includes('/', 1) || !fs.existsSync('/proc/self/fd'))
    return use(systemPath(path));
  let rest = path;
  let entered: number | undefined;
  try {
    while (rest.length > STRETCH_UNITS_MAX) {
      const slash = rest.lastIndexOf('/', STRETCH_UNITS_MAX);
      if (slash <= 0) break;
      const next = fs.openSync(systemPath(from(entered, rest.slice(0, slash))), ENTER);
      if (entered !== undefined) fs.closeSync(entered);
      entered = next;
      rest = rest.slice(slash + 1);
    }
    return use(systemPath(from(entered, rest)));
  } catch (error) {
    // The path that was asked for, not the one that the system was given.
    if (error instanceof Error && 'path' in error) error.path = path;
    throw error;
  } finally {
    if (entered !== undefined) fs.closeSync(entered);
  }
}

function from(entered: number | undefined, rest: string): string {
  return entered === undefined ? rest : `/proc/self/fd/${entered}/${rest}`;
}
