/**
 * The import table of DESIGN.md section 7, read from the real imports: a folder may import itself and earlier rows,
 * less what it must not know.
 */
import { posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { SourceFile } from './source-files.ts';
import { sourceFile, sourceFiles } from './source-files.ts';

/** Lowest first. Folders of one row do not import each other. */
const ROWS = [
  ['bytes'],
  ['async', 'disk'],
  ['object'],
  ['chunk', 'compress', 'crypto'],
  ['pack'],
  ['storage'],
  ['index'],
  ['work'],
  ['repo'],
  ['scan'],
  ['commit', 'checkout', 'history', 'gc', 'verify', 'sync'],
  ['repair'],
  ['api'],
  ['cli', 'web'],
] as const;

/** What a folder must not know though it is in an earlier row, and what to do instead. */
const UNKNOWN: Readonly<Record<string, { readonly folders: readonly string[]; readonly instead: string }>> = {
  object: { folders: ['disk', 'async'], instead: 'objects are pure values: read and write the bytes in repo/' },
  chunk: { folders: ['object', 'disk'], instead: 'take bytes and give bytes' },
  compress: { folders: ['object', 'disk'], instead: 'take bytes and give bytes' },
  crypto: { folders: ['object', 'disk'], instead: 'take bytes and give bytes' },
  storage: {
    folders: ['object', 'pack', 'chunk', 'compress', 'crypto'],
    instead: 'storage knows names and bytes; layouts are in repo/layout.ts',
  },
  index: { folders: ['storage'], instead: 'hand the index what was read' },
  cli: { folders: ['pack', 'storage', 'index', 'work', 'disk', 'chunk'], instead: 'add what is needed to api/' },
};

/** Files at the top of src/ that folders may import. */
const TOP: Readonly<Record<string, readonly string[] | 'all'>> = {
  'errors.ts': 'all',
  'version.ts': 'all',
  'environment.ts': ['api', 'cli', 'web'],
};

/** Packages that belong to one place. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  level: ['index'],
  commander: ['cli'],
  ora: ['cli'],
  'zstd-codec': ['compress'],
  'smol-toml': ['repo'],
  diff: ['history', 'api', 'cli'],
};

function violations(files: readonly SourceFile[]): string[] {
  const found: string[] = [];
  for (const file of files) {
    for (const { from, line } of file.imports) {
      const reason = fault(file.path, from);
      if (reason !== undefined) found.push(`src/${file.path}:${line} imports ${from}: ${reason}`);
    }
  }
  return found;
}

function fault(path: string, from: string): string | undefined {
  const folder = folderOf(path);
  if (!from.startsWith('.')) {
    const owners = PACKAGES[from];
    return owners === undefined || owners.includes(folder)
      ? undefined
      : `that package belongs to ${owners.join(', ')}/; use what is there`;
  }
  if (!from.endsWith('.ts')) return 'write the name of the file with its .ts';
  const target = posix.normalize(posix.join(posix.dirname(path), from));
  if (folder === '') return undefined;
  const targetFolder = folderOf(target);
  if (targetFolder === '') {
    const allowed = TOP[target];
    if (allowed === 'all' || allowed?.includes(folder) === true) return undefined;
    return `${folder}/ may not; take what it makes as an argument`;
  }
  if (targetFolder === folder) return undefined;
  const row = rowOf(folder);
  const targetRow = rowOf(targetFolder);
  if (row < 0) return `the folder ${folder}/ is not in the table: put it into a row of layers.test.ts and DESIGN.md`;
  if (targetRow < 0) return `the folder ${targetFolder}/ is not in the table`;
  if (targetRow === row)
    return `${folder}/ and ${targetFolder}/ do not import each other; join them in api/, or move what both need down`;
  if (targetRow > row) return `${targetFolder}/ is above ${folder}/; move it down, or hand it in as an argument`;
  const unknown = UNKNOWN[folder];
  return unknown?.folders.includes(targetFolder) === true
    ? `${folder}/ must not know ${targetFolder}/; ${unknown.instead}`
    : undefined;
}

function folderOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.indexOf('/')) : '';
}

function rowOf(folder: string): number {
  return ROWS.findIndex((row) => row.some((name) => name === folder));
}

test('imports go to earlier rows only', () => {
  expect(violations(sourceFiles())).toEqual([]);
});

test('no import goes in a circle', () => {
  const files = new Map(sourceFiles().map((file) => [file.path, file]));
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, way: readonly string[]): void => {
    if (way.includes(path)) circles.push([...way.slice(way.indexOf(path)), path].join(' → '));
    if (way.includes(path) || done.has(path)) return;
    const file = files.get(path);
    for (const { from } of file?.imports ?? [])
      if (from.startsWith('.') && isValueImport(file, from))
        visit(posix.normalize(posix.join(posix.dirname(path), from)), [...way, path]);
    done.add(path);
  };
  for (const path of files.keys()) visit(path, []);
  expect(circles).toEqual([]);
});

/** Types may refer to each other in a circle; modules that run may not. */
function isValueImport(file: SourceFile | undefined, from: string): boolean {
  const statement = new RegExp(`^import (?!type)[^;]*'${from.replaceAll('.', '[.]')}'`, 'm');
  return file !== undefined && statement.test(file.raw);
}

describe('the check itself', () => {
  test.each([
    ['repo/x.ts', `import { a } from '../gc/retention.ts';`, 'is above'],
    ['gc/x.ts', `import type { A } from '../commit/commit.ts';`, 'do not import each other'],
    ['storage/x.ts', `import { b } from '../object/tree.ts';`, 'must not know'],
    ['repo/x.ts', `import { processEnvironment } from '../environment.ts';`, 'take what it makes'],
    ['repo/x.ts', `const x = await import('../cli/face.ts');`, 'is above'],
    ['misc/x.ts', `import { SnapError } from '../disk/disk.ts';`, 'not in the table'],
    ['repo/x.ts', `import { Level } from 'level';`, 'belongs to index/'],
  ])('%s: %s', (path, text, reason) => {
    expect(violations([sourceFile(path, text)])).toEqual([expect.stringContaining(reason)]);
  });

  test.each([
    [
      'repo/x.ts',
      `import { SnapError } from '../errors.ts';\nimport { a } from './layout.ts';\nimport { b } from '../index/blob-index.ts';`,
    ],
    ['repo/x.ts', `// from '../cli/face.ts'\n/* import('../cli/face.ts') */`],
    ['api/x.ts', `import { processEnvironment } from '../environment.ts';\nimport { a } from '../gc/gc.ts';`],
  ])('%s is fine', (path, text) => {
    expect(violations([sourceFile(path, text)])).toEqual([]);
  });
});
