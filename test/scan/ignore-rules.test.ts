/** Ignore rules decide as git does, and the explanation says what the scan does. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { realDisk } from '../../src/disk/disk.ts';
import type { IgnoreRules } from '../../src/scan/ignore-rules.ts';
import { rootRules } from '../../src/scan/ignore-rules.ts';

const FILES = ['a', 'b.log', 'build/a', 'build/x.log', 'build/sub/a', 'build/sub/deep/b.log', 'src/build/a', 'src/ä b'];

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'snap-ignore-'));
  for (const file of FILES) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), file);
  }
  spawnSync('git', ['init', '-q', root]);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const name = fc.constantFrom('a', 'b.log', 'build', 'sub', 'deep', 'src', '*', '**', '*.log', '?', 'ä b', 's*');
const pattern = fc
  .tuple(
    fc.constantFrom('', '!'),
    fc.constantFrom('', '/'),
    fc.array(name, { minLength: 1, maxLength: 3 }),
    fc.constantFrom('', '/'),
  )
  .map(([not, start, names, end]) => `${not}${start}${names.join('/')}${end}`);

/** What a scan with these rules takes; each decision is also asked for with its reason. */
function kept(folder: string, rules: IgnoreRules): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (path === '.git' || entry.name.endsWith('ignore')) return [];
    const ignored = rules.ignores(path, entry.isDirectory());
    expect(rules.explain(path, entry.isDirectory()).ignored, path).toBe(ignored);
    if (ignored) return [];
    if (!entry.isDirectory()) return [path];
    return kept(path, rules.enter(path, readdirSync(join(root, path)).includes('.snapignore')));
  });
}

function keptByGit(): string[] {
  const listed = spawnSync('git', ['-C', root, 'ls-files', '-z', '--others', '--exclude-per-directory=.snapignore']);
  return listed.stdout
    .toString('utf8')
    .split('\0')
    .filter((path) => path !== '' && !path.endsWith('ignore'));
}

test('as git, for any patterns in two files', () => {
  fc.assert(
    fc.property(fc.array(pattern, { maxLength: 5 }), fc.array(pattern, { maxLength: 2 }), (outer, inner) => {
      writeFileSync(join(root, '.snapignore'), outer.join('\n'));
      writeFileSync(join(root, 'build/.snapignore'), inner.join('\n'));
      expect(kept('', rootRules(realDisk, root, [])).sort()).toEqual(keptByGit().sort());
    }),
    { numRuns: 400 },
  );
});
