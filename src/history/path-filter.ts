/**
 * Which paths a reading command is about: paths, folders with all that is in them, and globs. Unlike a commit's patterns
 * these may name what is not there any more, so nothing is looked up.
 */
import picomatch from 'picomatch';
import { checkGlob } from '../scan/glob.ts';
import type { Selection } from '../scan/selection.ts';
import { everything, fromPaths } from '../scan/selection.ts';

/** `paths` are relative to the workspace; none: everything. */
export function pathFilter(paths: readonly string[]): Selection {
  if (paths.length === 0 || paths.some((path) => path === '' || path === '.')) return everything;
  const literal = fromPaths(new Set(paths));
  const globs = paths
    .filter(isGlob)
    .map((path) => ({ base: picomatch.scan(path).base, matches: picomatch(checkGlob(path), { dot: true }) }));
  if (globs.length === 0) return literal;
  return {
    has: (path) =>
      literal.has(path) || withFoldersAbove(path).some((candidate) => globs.some((glob) => glob.matches(candidate))),
    reaches: (path) =>
      literal.reaches(path) ||
      globs.some(
        ({ base }) =>
          base === '' || path === '' || path === base || base.startsWith(`${path}/`) || path.startsWith(`${base}/`),
      ),
  };
}

export function isGlob(path: string): boolean {
  return picomatch.scan(path).isGlob;
}

function withFoldersAbove(path: string): string[] {
  const paths = [path];
  for (let i = path.lastIndexOf('/'); i > 0; i = path.lastIndexOf('/', i - 1)) paths.push(path.slice(0, i));
  return paths;
}
