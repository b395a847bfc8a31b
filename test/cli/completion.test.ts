/** The bash script is run by the real bash; scripts of other shells are checked for what they must name. */
import { execFileSync } from 'node:child_process';
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { completionCommand } from '../../src/cli/commands/completion.ts';
import type { Face } from '../../src/cli/face.ts';

async function script(shell: string): Promise<string> {
  const printed: string[] = [];
  const face: Pick<Face, 'data' | 'print'> = { data: () => undefined, print: (line) => void printed.push(line) };
  const program = new Command('snap').option('--json', 'JSON').exitOverride();
  program.addCommand(
    new Command('config')
      .addCommand(new Command('set').option('-f, --force', "it's: now"))
      .addCommand(new Command('get')),
  );
  program.addCommand(
    completionCommand(
      (_name, work) =>
        (...args) =>
          work(face as Face, args.slice(0, -2) as never, {} as never),
    )
      .exitOverride()
      .configureOutput({ writeErr: () => undefined }),
  );
  await program.parseAsync(['node', 'snap', 'completion', shell]);
  return printed.join('\n');
}

test('bash completes commands, commands below them, options and choices, and nothing where paths belong', async () => {
  const text = await script('bash');
  const complete = (...words: string[]): string[] => {
    const run = `${text}\nCOMP_WORDS=(snap "$@"); COMP_CWORD=$#; _snap; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync('bash', ['-c', run, 'bash', ...words], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line !== '');
  };
  expect(complete('')).toEqual(expect.arrayContaining(['config', 'completion']));
  expect(complete('con')).toEqual(['config']);
  expect(complete('config', '')).toEqual(expect.arrayContaining(['set', 'get']));
  expect(complete('--json', 'config', 's')).toEqual(['set']);
  expect(complete('config', 'set', '--f')).toEqual(['--force']);
  expect(complete('config', 'set', 'x')).toEqual([]);
  expect(complete('completion', 'z')).toEqual(['zsh']);
  expect(complete('--js')).toEqual(['--json']);
});

test('zsh and fish know the same words, quoted', async () => {
  const zsh = await script('zsh');
  expect(zsh).toContain(`'--force:it'\\''s\\: now'`);
  expect(zsh).toContain(`' config set')`);
  const fish = await script('fish');
  expect(fish).toContain(
    `-n '__fish_seen_subcommand_from config; and __fish_seen_subcommand_from set' -s f -l force -d 'it\\'s: now'`,
  );
  expect(fish).toContain(`-n '__fish_use_subcommand' -a 'config'`);
});

test('another shell is refused', async () => {
  await expect(script('tcsh')).rejects.toMatchObject({ code: 'usage' });
});
