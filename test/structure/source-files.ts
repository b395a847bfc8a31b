/**
 * The source files of this project as text: raw, and with comments and the insides of strings blanked out, so that
 * patterns find code only. Line numbers stay the same.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

export interface SourceFile {
  /** Relative to src/, such as "repo/journal.ts". */
  readonly path: string;
  readonly raw: string;
  readonly code: string;
  /** What it imports, statically or not: "../errors.ts", "node:fs". */
  readonly imports: readonly { readonly from: string; readonly line: number }[];
}

/** All of src/, by path. */
export function sourceFiles(): SourceFile[] {
  const found: SourceFile[] = [];
  for (const entry of readdirSync(`${PROJECT}src`, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.ts') || entry.name.endsWith('.d.ts')) continue;
    const path = `${entry.parentPath}/${entry.name}`.slice(`${PROJECT}src/`.length);
    found.push(sourceFile(path, readFileSync(`${PROJECT}src/${path}`, 'utf8')));
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

export function sourceFile(path: string, raw: string): SourceFile {
  const withStrings = blank(raw, false);
  const pattern = /\bfrom\s*'([^']+)'|\bimport\s*\(\s*'([^']+)'\s*\)|^import\s*'([^']+)'|new URL\(\s*'([^']+\.ts)'/gm;
  const imports = [...withStrings.matchAll(pattern)].map((match) => ({
    from: match.slice(1).find((part) => part !== undefined) ?? '',
    line: lineAt(raw, match.index),
  }));
  return { path, raw, code: blank(raw, true), imports };
}

/** The line (from 1) of an offset. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

/** Every place in the code where `pattern` (global) matches, as "path:line". */
export function placesOf(file: SourceFile, pattern: RegExp): string[] {
  return [...file.code.matchAll(pattern)].map((match) => `${file.path}:${lineAt(file.code, match.index)}: ${match[0]}`);
}

/** Blanks comments, and on wish what is inside strings, templates and regular expressions. */
function blank(text: string, strings: boolean): string {
  const token =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[\s\S])*`|(?<=[(,=:[!&|?{};+\n]\s*|\breturn\s)\/(?![/*])(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/g;
  return text.replace(token, (found) => {
    const isComment = found.startsWith('//') || found.startsWith('/*');
    if (isComment) return found.replace(/[^\n]/g, ' ');
    if (!strings) return found;
    if (found.startsWith('`')) return blankTemplate(found);
    return found[0] + found.slice(1, -1).replace(/[^\n]/g, ' ') + found.slice(-1);
  });
}

/** Keeps the code in `${}`, since it is code. */
function blankTemplate(template: string): string {
  return template.replace(/(\$\{[^{}]*\})|[^\n]/g, (_found, code: string | undefined) => code ?? ' ');
}
