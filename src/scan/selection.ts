/**
 * Which paths of a workspace a command is about: all, or those that patterns name. Patterns are paths, folders (with
 * all that is in them) or globs; fast-glob finds them in the live folder, picomatch in a snapshot's tree.
 */
import picomatch from 'picomatch';
import { errnoOf, fromSystemError, SnapError } from '../errors.ts';
import { checkGlob, unusableGlob } from './glob.ts';

export interface Selection {
  /** The path itself, or a folder above it, is selected. */
  has(path: string): boolean;
  /** Something below the folder `path` may be selected ('' is the workspace). */
  reaches(path: string): boolean;
}

export const everything: Selection = { has: () => true, reaches: () => true };

/**
 * The paths that `patterns` (relative to the workspace, "/" between names) name, live or in `tracked`, the paths of the
 * snapshot to compare with. Throws `usage` for a pattern outside the workspace, `not-found` for one that names nothing.
 */
export async function selectPaths(
  root: string,
  patterns: readonly string[],
  tracked: () => AsyncIterable<string>,
): Promise<Selection> {
  if (patterns.length === 0 || patterns.includes('') || patterns.includes('.')) return everything;
  const selected = new Set<string>();
  const matchers = patterns.map((pattern) => ({
    pattern,
    matches: picomatch(checkGlob(pattern), { dot: true }),
    found: false,
  }));
  for (const matcher of matchers) {
    const { pattern } = matcher;
    const found = await findLive(root, pattern);
    for (const path of found) selected.add(path.replace(/\/$/, ''));
    matcher.found = found.length > 0;
  }
  for await (const path of tracked()) {
    for (const matcher of matchers) {
      if (path !== matcher.pattern && !matcher.matches(path)) continue;
      matcher.found = true;
      selected.add(path);
    }
  }
  const missing = matchers.find((matcher) => !matcher.found);
  if (missing !== undefined) {
    throw new SnapError(
      'not-found',
      `"${missing.pattern}" matches nothing, neither in the folder nor in the last snapshot`,
      { hint: 'Patterns are relative to the current folder; quote them so that the shell does not expand them.' },
    );
  }
  return fromPaths(selected);
}

async function findLive(root: string, pattern: string): Promise<string[]> {
  // Also behind a brace: "{..,a}/b".
  if (/(?:^|[{,])\//.test(pattern)) throw unusableGlob(pattern, 'it is not relative to the workspace');
  if (/(?:^|[/{,])\.\.(?:[/},]|$)/.test(pattern)) throw unusableGlob(pattern, 'it leads out of the workspace');
  const { default: glob } = await import('fast-glob');
  const literal = glob.escapePath(pattern) === pattern;
  const wanted = literal ? [pattern, `${pattern}/`] : [pattern];
  const options = {
    cwd: root,
    dot: true,
    followSymbolicLinks: false,
    onlyFiles: false,
    unique: true,
    ignore: ['**/.snap/**'],
  };
  try {
    // What it makes of braces and quotes may begin elsewhere: '"/{a,b}' with "/", the whole file system.
    for (const { base, positive } of glob.generateTasks(wanted, options))
      if ([base, ...positive].some(leadsOut)) throw unusableGlob(pattern, 'it leads out of the workspace');
    return await glob(wanted, options);
  } catch (error) {
    if (error instanceof SnapError) throw error;
    // Longer than any name: nothing is there.
    if (errnoOf(error) === 'ENAMETOOLONG') return [];
    if (errnoOf(error)?.startsWith('E') === true && !(error instanceof TypeError))
      throw fromSystemError(error, 'looking for', pattern);
    throw unusableGlob(pattern, 'its brackets or braces do not fit', error);
  }
}

function leadsOut(path: string): boolean {
  return path.startsWith('/') || path.split('/').includes('..');
}

/** A selection of these very paths and all below them. */
export function fromPaths(paths: ReadonlySet<string>): Selection {
  const above = new Set<string>(['']);
  for (const path of paths)
    for (let i = path.indexOf('/'); i >= 0; i = path.indexOf('/', i + 1)) above.add(path.slice(0, i));
  const has = (path: string): boolean => {
    if (paths.has(path)) return true;
    for (let i = path.indexOf('/'); i >= 0; i = path.indexOf('/', i + 1)) if (paths.has(path.slice(0, i))) return true;
    return false;
  };
  return { has, reaches: (path) => above.has(path) || has(path) };
}
