/**
 * Which paths of a workspace a command is about: all, or those that patterns name. Patterns are paths, folders (with
 * all that is in them) or globs; fast-glob finds them in the live folder, picomatch in a snapshot's tree.
 */
import { posix } from 'node:path';
import picomatch from 'picomatch';
import type { Disk } from '../disk/disk.ts';
import { utf8Path } from '../disk/utf8-path.ts';
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
  disk: Disk,
  root: string,
  patterns: readonly string[],
  tracked: () => AsyncIterable<string>,
): Promise<Selection> {
  if (patterns.length === 0 || patterns.includes('') || patterns.includes('.')) return everything;
  const selected = new Set<string>();
  const matchers = patterns.map((pattern) => ({
    pattern,
    // Strict: "d/**" is not the file or link "d".
    matches: picomatch(checkGlob(pattern), { dot: true, strictSlashes: true }),
    found: false,
    link: undefined as string | undefined,
  }));
  for (const matcher of matchers) {
    const { pattern } = matcher;
    const { paths, link } = await findLive(disk, root, pattern);
    for (const path of paths) selected.add(path.replace(/\/$/, ''));
    matcher.found = paths.length > 0;
    matcher.link = link;
  }
  for await (const path of tracked()) {
    for (const matcher of matchers) {
      if (path !== matcher.pattern && !matcher.matches(path)) continue;
      matcher.found = true;
      selected.add(path.replace(/\/$/, ''));
    }
  }
  const missing = matchers.find((matcher) => !matcher.found);
  if (missing !== undefined) throw nothingFound(missing.pattern, missing.link);
  return fromPaths(selected);
}

function nothingFound(pattern: string, link: string | undefined): SnapError {
  const [why, hint] =
    link === undefined
      ? [
          ', neither in the folder nor in the last snapshot',
          'Patterns are relative to the current folder; quote them so that the shell does not expand them.',
        ]
      : [
          `: "${link}" is a link, and nothing behind it is part of a snapshot`,
          'Name the place that it leads to, if that is in the workspace, or the link itself.',
        ];
  return new SnapError('not-found', `"${pattern}" matches nothing${why}`, { hint });
}

interface Found {
  readonly paths: string[];
  /** A link on the way to where the pattern leads: no scan goes through it. */
  readonly link: string | undefined;
}

async function findLive(disk: Disk, root: string, pattern: string): Promise<Found> {
  // Also behind a brace: "{..,a}/b".
  if (/(?:^|[{,])\//.test(pattern)) throw unusableGlob(pattern, 'it is not relative to the workspace');
  if (/(?:^|[/{,])\.\.(?:[/},]|$)/.test(pattern)) throw unusableGlob(pattern, 'it leads out of the workspace');
  const { default: glob } = await import('fast-glob');
  const literal = glob.escapePath(pattern) === pattern;
  const wanted = literal ? [pattern, `${pattern}/`] : [pattern];
  const live = utf8Path(disk, root, 'self');
  const options = {
    cwd: live.path,
    dot: true,
    followSymbolicLinks: false,
    onlyFiles: false,
    unique: true,
    ignore: ['**/.snap/**'],
  };
  const paths: string[] = [];
  let link: string | undefined;
  try {
    const tasks = glob.generateTasks(wanted, options);
    // What it makes of braces and quotes may begin elsewhere: '"/{a,b}' with "/", the whole file system.
    for (const { base, positive } of tasks)
      if ([base, ...positive].some(leadsOut)) throw unusableGlob(pattern, 'it leads out of the workspace');
    for (const { base, positive, negative, dynamic } of tasks) {
      // One by one, since what is on the way to one says nothing of the others.
      const searches = dynamic ? [{ base, patterns: positive }] : positive.map(withFolder);
      for (const search of searches) {
        try {
          const way = wayTo(disk, root, search.base);
          if (way.isThere) paths.push(...(await glob(search.patterns, { ...options, ignore: negative })));
          link ??= way.link;
        } catch (error) {
          if (!isNowhere(error)) throw error;
        }
      }
    }
    return { paths, link };
  } catch (error) {
    if (error instanceof SnapError) throw error;
    if (errnoOf(error)?.startsWith('E') === true && !(error instanceof TypeError))
      throw fromSystemError(error, 'looking for', pattern);
    throw unusableGlob(pattern, 'its brackets or braces do not fit', error);
  } finally {
    live.close();
  }
}

/** Longer than any name, or no folder any more: nothing is there. */
function isNowhere(error: unknown): boolean {
  return errnoOf(error) === 'ENAMETOOLONG' || errnoOf(error) === 'ENOTDIR';
}

function withFolder(path: string): { readonly base: string; readonly patterns: string[] } {
  return { base: posix.dirname(path), patterns: [path] };
}

/** Whether `folder` is there, reached through folders alone; else the link on the way, if it is one. */
function wayTo(disk: Disk, root: string, folder: string): { readonly isThere: boolean; readonly link?: string } {
  const names = folder.split('/').filter((name) => name !== '' && name !== '.');
  for (let depth = 1; depth <= names.length; depth++) {
    const path = names.slice(0, depth).join('/');
    const stat = disk.lstat(`${root}/${path}`);
    if (stat?.isSymbolicLink() === true) return { isThere: false, link: path };
    if (stat?.isDirectory() !== true) return { isThere: false };
  }
  return { isThere: true };
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
