/** Style that a program can check (STYLE.md "Habits"). Each message names what to do instead. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { VERSION } from '../../src/version.ts';
import type { SourceFile } from './source-files.ts';
import { PROJECT, placesOf, sourceFile, sourceFiles } from './source-files.ts';

const FILE_LINES_MAX = 300;
const FUNCTION_LINES_MAX = 70;
const HEADER_LINES_MAX = 8;

interface Rule {
  readonly name: string;
  readonly check: (file: SourceFile) => string[];
}

const isFace = (path: string): boolean => path.startsWith('cli/') || path.startsWith('web/');
const isRoot = (path: string): boolean => path === 'environment.ts';
const found = (file: SourceFile, pattern: RegExp, instead: string): string[] =>
  placesOf(file, pattern).map((place) => `src/${place}: ${instead}`);

const RULES: readonly Rule[] = [
  {
    name: 'files are short',
    check: (file) =>
      tooLong(file.raw.trimEnd().split('\n').length, FILE_LINES_MAX, `src/${file.path}`, 'split it by concept'),
  },
  { name: 'functions are short', check: (file) => longFunctions(file) },
  { name: 'files say what they are for', check: headerFault },
  {
    name: 'console belongs to nobody',
    check: (file) => found(file, /\bconsole\s*\./g, 'print through Face in cli/; below it, return data'),
  },
  { name: 'the process belongs to faces', check: processFaults },
  {
    name: 'clock and chance belong to the composition root',
    check: (file) =>
      isFace(file.path) || isRoot(file.path)
        ? []
        : found(
            file,
            /\bDate\s*\.\s*now\b|\bnew Date\s*(?:\(\s*\)|;)|\bMath\s*\.\s*random\b|\bperformance\s*\.\s*now\b|\brandomBytes\b|\brandomUUID\b/g,
            'use environment.now(), elapsed() or uniqueName()',
          ),
  },
  {
    name: 'the file system belongs to disk/',
    check: (file) =>
      file.path.startsWith('disk/')
        ? []
        : file.imports
            .filter(({ from }) => /^(?:node:)?fs(?:\/|$)/.test(from))
            .map(({ line, from }) => `src/${file.path}:${line}: ${from}: use a Disk (src/disk/disk.ts)`),
  },
  { name: 'no default exports', check: (file) => found(file, /^export default\b/gm, 'export it under its name') },
  {
    name: 'no barrels',
    check: (file) =>
      file.path === 'api.ts'
        ? []
        : found(file, /^export (?:type )?(?:\*|\{[^}]*\}) from\b/gm, 'import it from the file that defines it'),
  },
  {
    name: 'nothing is left to do',
    check: (file) =>
      [...file.raw.matchAll(/\b(?:TODO|FIXME|XXX|HACK)\b/g)].map(
        ({ 0: word }) => `src/${file.path}: ${word}: do it, or write an issue`,
      ),
  },
  { name: 'files have names of things', check: nameFault },
];

describe('src/', () => {
  const files = sourceFiles();
  test.each(RULES)('$name', ({ check }) => {
    expect(files.flatMap(check)).toEqual([]);
  });
});

test('version.ts and package.json agree', () => {
  const manifest: { version?: unknown } = JSON.parse(readFileSync(`${PROJECT}package.json`, 'utf8'));
  expect(VERSION).toBe(manifest.version);
});

function tooLong(lines: number, max: number, what: string, instead: string): string[] {
  return lines > max ? [`${what} has ${lines} lines, more than ${max}: ${instead}`] : [];
}

/**
 * Top-level declarations and members of classes, by the indentation that the formatter gives: each goes on until the
 * next line that is indented as little and does not close it.
 */
function longFunctions(file: SourceFile): string[] {
  const lines = file.code.split('\n');
  return lines.flatMap((line, i) => {
    const indent = /^ {2}(?! )/.test(line) && isInClass(lines, i) ? '  ' : '';
    const isStart =
      indent === ''
        ? /^(?:export )?(?:(?:async )?function\b|const \w+.*=>|const \w+: DefineCommand\b)/.test(line)
        : /^ {2}(?:static |async |get |set |\*)*#?\w+\s*(?:<.*>)?\(/.test(line) ||
          /^ {2}(?:readonly )?#?\w+ = .*=>/.test(line);
    if (!isStart) return [];
    const next = indent === '' ? /^[^\s})\]]/ : /^(?: {2}[^\s})\]]|\S)/;
    let end = i + 1;
    while (end < lines.length && !next.test(lines[end] ?? '')) end++;
    let last = end - 1;
    while ((lines[last] ?? '').trim() === '') last--;
    return tooLong(
      last - i + 1,
      FUNCTION_LINES_MAX,
      `src/${file.path}:${i + 1}: ${line.trim().slice(0, 50)}`,
      'give its steps names',
    );
  });
}

function isInClass(lines: readonly string[], at: number): boolean {
  for (let i = at - 1; i >= 0; i--)
    if (/^\S/.test(lines[i] ?? '') && !/^[})]/.test(lines[i] ?? ''))
      return /^(?:export )?(?:abstract )?class\b/.test(lines[i] ?? '');
  return false;
}

function headerFault(file: SourceFile): string[] {
  const header = /^\/\*\*[\s\S]*?\*\//.exec(file.raw)?.[0];
  if (header === undefined)
    return [`src/${file.path} has no header: begin with /** what it is for, what always holds */`];
  return tooLong(
    header.split('\n').length - 2,
    HEADER_LINES_MAX,
    `the header of src/${file.path}`,
    'move what is more to SPEC.md',
  );
}

/** A signal to another process, the path of this runtime, and a program of its own have no other way in. */
const PROCESS_ALLOWED: Readonly<Record<string, readonly string[]>> = {
  'disk/lock-file.ts': ['kill'],
  'index/check-apart.ts': ['execPath'],
  'index/index-check.ts': ['argv', 'exit', 'stdin', 'stdout', 'kill', 'pid'],
};

function processFaults(file: SourceFile): string[] {
  if (isFace(file.path) || isRoot(file.path)) return [];
  const allowed = PROCESS_ALLOWED[file.path] ?? [];
  const imports = file.imports
    .filter(({ from }) => /^(?:node:)?process$/.test(from))
    .map(({ line }) => `src/${file.path}:${line}: node:process: take an Environment`);
  return [
    ...imports,
    ...found(file, /(?<![.\w])process\s*\.\s*\w+/g, 'take an Environment (src/repo/environment.ts)').filter(
      (place) => !allowed.some((name) => place.includes(`process.${name}:`)),
    ),
  ];
}

function nameFault(file: SourceFile): string[] {
  const faults: string[] = [];
  if (/(?:^|\/)(?:utils?|helpers?|common|misc|shared|lib)(?:\/|\.ts$)/.test(file.path))
    faults.push(
      `src/${file.path}: name it after what it is about; what is used once belongs into the file that uses it`,
    );
  if (/(?:^|\/)index\.ts$/.test(file.path)) faults.push(`src/${file.path}: name it after its concept, and import that`);
  if (!/^(?:[a-z0-9]+(?:-[a-z0-9]+)*\/)*[a-z0-9]+(?:-[a-z0-9]+)*\.ts$/.test(file.path))
    faults.push(`src/${file.path}: write file names in kebab-case`);
  return faults;
}

describe('the checks themselves', () => {
  const rule = (name: string, path: string, text: string): string[] =>
    RULES.find((candidate) => candidate.name === name)?.check(sourceFile(path, text)) ?? ['there is no such rule'];
  const body = (count: number, indent: string): string => `${indent}x();\n`.repeat(count);

  test.each([
    ['files are short', 'repo/x.ts', 'x\n'.repeat(301)],
    ['functions are short', 'repo/x.ts', `export async function f(): Promise<void> {\n${body(69, '  ')}}\n`],
    ['functions are short', 'repo/x.ts', `const f = (): void => {\n${body(69, '  ')}};\n`],
    ['functions are short', 'repo/x.ts', `export function f(\n  a: number,\n): void {\n${body(67, '  ')}}\n`],
    [
      'functions are short',
      'repo/x.ts',
      `export class C {\n  readonly x = 1;\n\n  async #f(): Promise<void> {\n${body(69, '    ')}  }\n\n  g(): void {}\n}\n`,
    ],
    ['console belongs to nobody', 'cli/x.ts', `console.log('x');`],
    ['the process belongs to faces', 'repo/x.ts', ['const x = `$', '{process.env.HOME}`;'].join('')],
    ['the process belongs to faces', 'disk/lock-file.ts', 'process.exit(1);'],
    ['clock and chance belong to the composition root', 'repo/x.ts', 'const now = new Date();'],
    ['clock and chance belong to the composition root', 'repo/x.ts', 'const now = Date.now();'],
    ['clock and chance belong to the composition root', 'repo/x.ts', 'const x = Math.random();'],
    ['the file system belongs to disk/', 'repo/x.ts', `import { readFile } from 'node:fs/promises';`],
    ['no default exports', 'repo/x.ts', 'export default 1;'],
    ['no barrels', 'repo/x.ts', `export { a } from './a.ts';`],
    ['nothing is left to do', 'repo/x.ts', ['// TO', 'DO later'].join('')],
    ['files have names of things', 'repo/utils.ts', ''],
    ['files have names of things', 'repo/index.ts', ''],
    ['files have names of things', 'repo/camelCase.ts', ''],
    ['files say what they are for', 'repo/x.ts', 'const x = 1;'],
  ])('%s: finds a fault in %s', (name, path, text) => {
    expect(rule(name, path, text)).toHaveLength(1);
  });

  test.each([
    [
      'functions are short',
      'repo/x.ts',
      `export async function f(): Promise<void> {\n${body(68, '  ')}}\n\nfunction g(): void {\n${body(68, '  ')}}\n`,
    ],
    [
      'functions are short',
      'repo/x.ts',
      `export class C {\n  f(): void {\n${body(68, '    ')}  }\n\n  g(): void {\n${body(68, '    ')}  }\n}\n`,
    ],
    ['console belongs to nobody', 'repo/x.ts', `/* console.log */ const x = 'console.log'; // console.log`],
    ['the process belongs to faces', 'disk/lock-file.ts', 'process.kill(1, 0);'],
    ['clock and chance belong to the composition root', 'repo/x.ts', 'const d = new Date(text);'],
    ['no default exports', 'repo/x.ts', 'const x = `\nexport default 1;\n`;'],
  ])('%s: lets %s be', (name, path, text) => {
    expect(rule(name, path, text)).toEqual([]);
  });
});
