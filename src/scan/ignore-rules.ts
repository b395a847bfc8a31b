/**
 * Ignore rules: `.snapignore` files with gitignore semantics, one in any folder, deeper ones deciding over outer ones,
 * plus patterns from settings and the command line. The matching is that of the package `ignore`; one instance a file,
 * and ignored folders are not entered, as in git.
 */

import { hash } from 'node:crypto';
import type { Ignore, TestResult } from 'ignore';
import ignorePackage from 'ignore';
import type { Disk } from '../disk/disk.ts';
import { readRegular } from '../disk/files.ts';
import { SnapError } from '../errors.ts';
import { IGNORE_FILE } from '../repo/layout.ts';

/** Each pattern becomes a regular expression. Measured: 3 MB of them take 17 s, and a line of 20 MB all memory. */
const FILE_BYTES_MAX = 1024 * 1024;
/** Longer than any path that one call takes. */
const PATTERN_LENGTH_MAX = 4096;

/** Which rule decided about a path. */
export interface IgnoreDecision {
  readonly ignored: boolean;
  /** "sub/.snapignore:3: *.log", or undefined if no rule matched. */
  readonly rule: string | undefined;
}

interface RuleFile {
  /** The folder that its patterns are relative to, with a final slash, or ''. */
  readonly base: string;
  readonly source: string;
  matcher(): PathMatcher;
  readonly lines: readonly string[];
}

/**
 * What the package uses inside (its version is pinned): one path against the rules, without those above it. Its public
 * methods look at each folder above first, in the view of one file alone; but a deeper file may have taken that folder
 * in again, and who walks a tree has decided about it before.
 */
interface PathMatcher {
  test(path: string, mode: 'regex'): TestResult;
}

/** The rules that hold in one folder; those of its subfolders extend them. */
export interface IgnoreRules {
  /** Changes whenever any rule does: remembered decisions are good only under the same digest. */
  readonly digest: string;
  /** Rules for the entries of a folder below, with its own `.snapignore` if it has one. */
  enter(folderPath: string, hasIgnoreFile: boolean): IgnoreRules;
  /** As `enter`, with the bytes of the folder's `.snapignore` given; undefined if it has none. */
  enterWith(folderPath: string, bytes: Uint8Array | undefined): IgnoreRules;
  ignores(path: string, isFolder: boolean): boolean;
  explain(path: string, isFolder: boolean): IgnoreDecision;
}

/** Rules of the workspace folder itself. `extra`: patterns of settings and command line, named by their source. */
export function rootRules(
  disk: Disk,
  root: string,
  extra: readonly { readonly source: string; readonly patterns: readonly string[] }[],
): IgnoreRules {
  const read = (path: string): Buffer | undefined => readIgnoreFile(disk, `${root}/${path}`);
  return outerRules(read, extra).enter('', disk.lstat(`${root}/${IGNORE_FILE}`)?.isFile() === true);
}

/** The bytes of an ignore file, if it is a file; of one that is too large, so many that its rules are refused. */
export function readIgnoreFile(disk: Disk, path: string): Buffer | undefined {
  return readRegular(disk, path, FILE_BYTES_MAX + 1);
}

/** Throws `usage` for an ignore file that is too large to be used. */
export function checkIgnoreFileSize(source: string, bytes: number): void {
  if (bytes <= FILE_BYTES_MAX) return;
  throw new SnapError('usage', `${source} is too large for an ignore file: it may have 1 MiB`, {
    hint: 'Name folders, or use globs, instead of every file; or remove it.',
  });
}

/** The rules that come before those of any `.snapignore`, which `read` gives by its path in the workspace. */
export function outerRules(
  read: (path: string) => Buffer | undefined,
  extra: readonly { readonly source: string; readonly patterns: readonly string[] }[],
): IgnoreRules {
  const files = extra
    .filter(({ patterns }) => patterns.length > 0)
    .map(({ source, patterns }) => ruleFile('', source, patterns));
  return rules(read, files, digestOf('', files.map((file) => file.lines.join('\n')).join('\0')));
}

function rules(read: (path: string) => Buffer | undefined, files: readonly RuleFile[], digest: string): IgnoreRules {
  const explain = (path: string, isFolder: boolean): IgnoreDecision => {
    for (let i = files.length - 1; i >= 0; i--) {
      const file = files[i];
      if (file === undefined || !path.startsWith(file.base)) continue;
      const relative = path.slice(file.base.length) + (isFolder ? '/' : '');
      const result = testPath(file, relative);
      if (!result.ignored && !result.unignored) continue;
      const pattern = result.rule?.pattern ?? takenBackBy(file, relative);
      const line = pattern === undefined ? -1 : file.lines.lastIndexOf(pattern);
      const rule = `${file.source}${line >= 0 ? `:${line + 1}` : ''}: ${pattern ?? ''}`;
      return { ignored: result.ignored, rule };
    }
    return { ignored: false, rule: undefined };
  };
  const enterWith = (folderPath: string, bytes: Uint8Array | undefined): IgnoreRules => {
    if (bytes === undefined) return rules(read, files, digest);
    const source = sourceIn(folderPath);
    checkIgnoreFileSize(source, bytes.length);
    const text = Buffer.from(bytes).toString('utf8');
    const file = ruleFile(
      folderPath === '' ? '' : `${folderPath}/`,
      source,
      text.replace(/^\uFEFF/, '').split(/\r?\n/),
    );
    const decides = file.lines.some((line) => line.trim() !== '' && !line.startsWith('#'));
    return rules(read, decides ? [...files, file] : files, digestOf(digest, `${source}\0${text}`));
  };
  return {
    digest,
    enter: (folderPath, hasIgnoreFile) => enterWith(folderPath, hasIgnoreFile ? read(sourceIn(folderPath)) : undefined),
    enterWith,
    ignores: (path, isFolder) => {
      for (let i = files.length - 1; i >= 0; i--) {
        const file = files[i];
        if (file === undefined || !path.startsWith(file.base)) continue;
        const result = testPath(file, path.slice(file.base.length) + (isFolder ? '/' : ''));
        if (result.ignored) return true;
        if (result.unignored) return false;
      }
      return false;
    },
    explain,
  };
}

function sourceIn(folderPath: string): string {
  return folderPath === '' ? IGNORE_FILE : `${folderPath}/${IGNORE_FILE}`;
}

function ruleFile(base: string, source: string, lines: readonly string[]): RuleFile {
  const tooLong = lines.findIndex((line) => line.length > PATTERN_LENGTH_MAX && !line.startsWith('#'));
  if (tooLong >= 0)
    throw new SnapError(
      'usage',
      `${source}:${tooLong + 1}: a pattern is longer than ${PATTERN_LENGTH_MAX} characters`,
      {
        hint: 'No path is that long; mend that line.',
      },
    );
  let matcher: PathMatcher | undefined;
  return {
    base,
    source,
    lines,
    matcher: () => {
      matcher ??= matcherOf(lines);
      return matcher;
    },
  };
}

function matcherOf(lines: readonly string[]): PathMatcher {
  const { _rules } = ignorePackage({ ignorecase: false, allowRelativePaths: true }).add([...lines]) as Ignore & {
    readonly _rules?: PathMatcher;
  };
  if (typeof _rules?.test !== 'function') throw new SnapError('internal', 'the package "ignore" is of another version');
  return _rules;
}

/** Asks a file's rules. A pattern that cannot be used is `usage`: to pass over it would store what it leaves out. */
function testPath(file: RuleFile, relative: string): TestResult {
  try {
    return file.matcher().test(relative, 'regex');
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new SnapError('usage', `${file.source}: a pattern cannot be used`, {
      hint: 'It is no pattern of gitignore; mend that line.',
      cause: error,
    });
  }
}

/** Which "!" pattern took a path back, which the package does not tell: the last one that matches by itself. */
function takenBackBy(file: RuleFile, relative: string): string | undefined {
  return file.lines.findLast(
    (line) => line.startsWith('!') && matcherOf([line.slice(1)]).test(relative, 'regex').ignored,
  );
}

function digestOf(before: string, text: string): string {
  return hash('sha256', `${before}\0${text}`, 'hex').slice(0, 16);
}
