import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { commit } from '../../src/api/commit.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { gitInfo } from '../../src/repo/git-info.ts';
import { FailingDisk, newRoots, openAt } from './failing-disk.ts';

const roots = newRoots();
let root: string;
const git = (...args: string[]): string =>
  execFileSync('git', ['-C', root, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    env: {
      ...process.env,
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_CONFIG_SYSTEM: '/dev/null',
      GIT_AUTHOR_NAME: 'ada',
      GIT_AUTHOR_EMAIL: 'ada@example.org',
      GIT_COMMITTER_NAME: 'ada',
      GIT_COMMITTER_EMAIL: 'ada@example.org',
    },
  }).trim();
const info = (folder = root): ReturnType<typeof gitInfo> => gitInfo(realDisk, folder);

beforeEach(() => {
  root = join(roots.root, 'work');
  mkdirSync(root, { recursive: true });
});

describe('of what Git itself made', () => {
  let id: string;
  beforeEach(() => {
    git('init', '-q', '-b', 'main');
    expect(info(), 'a branch without commits').toBeNull();
    git('commit', '-q', '--allow-empty', '-m', 'one');
    id = git('rev-parse', 'HEAD');
  });

  test('commit and branch, loose and packed, as Git names them', () => {
    expect(info()).toEqual({ commit: id, branch: 'main' });
    git('checkout', '-q', '-b', 'topic/deep');
    expect(info()).toEqual({ commit: id, branch: 'topic/deep' });
    git('pack-refs', '--all');
    expect(info()).toEqual({ commit: id, branch: 'topic/deep' });
    git('commit', '-q', '--allow-empty', '-m', 'two');
    expect(info(), 'the loose ref is newer than the packed one').toEqual({
      commit: git('rev-parse', 'HEAD'),
      branch: 'topic/deep',
    });
  });

  test('a commit without a branch', () => {
    git('checkout', '-q', '--detach');
    expect(info()).toEqual({ commit: id, branch: null });
  });

  test('a second work tree has its own HEAD and the refs of the first', () => {
    git('worktree', 'add', '-q', '-b', 'side', '../side');
    const side = join(roots.root, 'side');
    expect(info(side)).toEqual({ commit: id, branch: 'side' });
    git('pack-refs', '--all');
    expect(info(side)).toEqual({ commit: id, branch: 'side' });
    expect(info()).toEqual({ commit: id, branch: 'main' });
  });

  test('a snapshot says at which commit its folder was; without Git it says nothing', async () => {
    await roots.init();
    writeFileSync(join(root, 'f'), '1');
    const workspace = await openAt(root);
    const snapshotGit = async (): Promise<unknown> => {
      const made = await commit(workspace, { allowEmpty: true });
      return (await workspace.repository.trees.snapshot(made.id ?? ('' as never))).git;
    };
    expect(await snapshotGit()).toEqual({ commit: id, branch: 'main' });
    rmSync(join(root, '.git'), { recursive: true });
    expect(await snapshotGit()).toBeNull();
    await workspace.close();
  });
});

describe('of files by hand', () => {
  const ID = 'a1'.repeat(20);
  const write = (path: string, text: string): void => {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
  };

  test('a submodule names its folder by a relative path, and may name the shared one by an absolute one', () => {
    write('.git', 'gitdir: ../modules/work\n');
    write('../modules/work/HEAD', 'ref: refs/heads/main\n');
    write('../modules/work/commondir', `${join(roots.root, 'shared')}\n`);
    write('../shared/refs/heads/main', `${ID}\n`);
    expect(info()).toEqual({ commit: ID, branch: 'main' });
  });

  test.each<[string, Record<string, string>]>([
    ['an empty .git file', { '.git': '' }],
    ['a .git file that names nothing', { '.git': 'elsewhere\n' }],
    ['a .git file that names a folder that is gone', { '.git': 'gitdir: /nowhere/at/all\n' }],
    ['no HEAD', { '.git/config': '' }],
    ['a HEAD that is half written', { '.git/HEAD': 'ref: ref' }],
    ['a HEAD of other digits', { '.git/HEAD': 'a1'.repeat(10) }],
    ['a HEAD with something before it', { '.git/HEAD': `x${ID}\n` }],
    ['a HEAD with something behind it', { '.git/HEAD': `${ID}x\n` }],
    ['a branch with something before it', { '.git/HEAD': 'xref: refs/heads/m\n', '.git/refs/heads/m': ID }],
    ['a branch with a NUL', { '.git/HEAD': 'ref: refs/heads/m\0\n', '.git/refs/heads/m': ID }],
    [
      'a branch with something behind its commit',
      { '.git/HEAD': 'ref: refs/heads/m\n', '.git/refs/heads/m': `${ID} x` },
    ],
    ['a branch that no file names', { '.git/HEAD': 'ref: refs/heads/main\n', '.git/packed-refs': '# none\n' }],
    ['a branch whose file is torn', { '.git/HEAD': 'ref: refs/heads/main\n', '.git/refs/heads/main': ID.slice(9) }],
  ])('%s is no Git checkout', (_, files) => {
    for (const [path, text] of Object.entries(files)) write(path, text);
    expect(info()).toBeNull();
  });

  test('SHA-256 ids are ids', () => {
    write('.git/HEAD', `${'0f'.repeat(32)}\n`);
    expect(info()).toEqual({ commit: '0f'.repeat(32), branch: null });
  });

  test('a .git that is a link is not followed', () => {
    write('../other/.git/HEAD', `${ID}\n`);
    symlinkSync('../other/.git', join(root, '.git'));
    expect(info()).toBeNull();
  });

  test('files that cannot be read are none; an error of our own is not swallowed', () => {
    write('.git/HEAD', `${ID}\n`);
    const failing = new FailingDisk((call, path) => (call === 'open' && path.endsWith('HEAD') ? 'EACCES' : undefined));
    expect(gitInfo(failing.disk, root)).toBeNull();
    failing.hook = () => {
      throw new TypeError('ours');
    };
    expect(() => gitInfo(failing.disk, root)).toThrow(TypeError);
  });
});
