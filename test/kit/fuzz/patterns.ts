/** Fuzz targets: the patterns of ignore files, and globs. */
import { writeFileSync } from 'node:fs';
import { realDisk } from '../../../src/disk/disk.ts';
import { pathFilter } from '../../../src/history/path-filter.ts';
import { rootRules } from '../../../src/scan/ignore-rules.ts';
import { selectPaths } from '../../../src/scan/selection.ts';
import type { Target } from './engine.ts';

import { ARGUMENT_BYTES_MAX, of } from './typed.ts';

const PATHS = [
  'a',
  'src/deep/file.txt',
  'x'.repeat(255),
  'a'.repeat(255),
  `${'a/'.repeat(100)}b`,
  'node_modules/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.js',
  'ünï/☃ [x]{y}(z)!',
  '\udcff\udcfe',
];

/** `.snapignore` is read from disk, as a scan does, and asked about ordinary and odd paths. */
export function ignoreTarget(folder: string): Target {
  return {
    name: 'ignore',
    seeds: of(
      '# logs\n*.log\n!keep.log\n/build/\n**/node_modules\ndoc/**/*.pdf\n',
      'a[0-9]\n[!x]y\n\\#x\n\\!y\nx\\ \n???\n{a,b}\n',
      '\ufeff*.tmp\r\n/x/**\r\n!/x/keep\r\n',
    ),
    words: [
      '*',
      '**',
      '*a',
      '?',
      '[',
      ']',
      '[^',
      '!',
      '/',
      '\\',
      '/**/',
      '{',
      '(',
      '+',
      '|',
      '$',
      '\n',
      '\r\n',
      'a',
      ' ',
      '[z-a]',
      '[[:alpha:]]',
      '\0',
    ],
    codes: ['usage'],
    inputBytesMax: 64 * 1024,
    run: (input) => {
      writeFileSync(`${folder}/.snapignore`, input);
      const found = rootRules(realDisk, folder, []);
      for (const path of PATHS)
        for (const isFolder of [true, false])
          if (found.ignores(path, isFolder) !== found.explain(path, isFolder).ignored)
            throw new Error(`two answers for ${path}`);
      return undefined;
    },
  };
}

/** Globs of commit (looked up in a folder), of log and diff (matched against paths). */
export function globTarget(folder: string): Target {
  return {
    name: 'glob',
    seeds: of('src/**/*.ts', '*.{js,ts}', '[a-z]?', '!(a|b)', '**/x', '@(a|b)+(c)', 'a/../b', '{1..9}'),
    words: [
      '*',
      '**',
      '*a',
      '+(a',
      '!(',
      '@(',
      ')',
      '|',
      '{',
      '}',
      ',',
      '{1..9}',
      '..',
      '[',
      ']',
      '[^',
      '\\',
      '/',
      '?',
      '(?=',
      '\0',
      '*',
    ],
    codes: ['usage', 'not-found'],
    inputBytesMax: ARGUMENT_BYTES_MAX,
    run: async (input) => {
      const glob = input.toString('utf8');
      const filter = pathFilter([glob]);
      for (const path of PATHS) filter.has(path);
      filter.reaches('src');
      await selectPaths(realDisk, folder, [glob], async function* () {
        yield* PATHS;
      });
      return undefined;
    },
  };
}
