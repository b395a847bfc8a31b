/** `snap check-ignore` */
import { Command } from 'commander';
import { SnapError } from '../../errors.ts';
import type { DefineCommand } from '../commands.ts';

interface Options {
  /** Under the common name of an option that every command has. */
  readonly verbose?: boolean;
}

const NONE_IGNORED = 1;

export const checkIgnoreCommand: DefineCommand = (action) =>
  new Command('check-ignore')
    .summary('say whether a path is ignored, and why')
    .description(
      'Prints those of the paths that are left out of snapshots; with -v all of them, with the rule that decided and the file it is in. Exits with 1 if none is ignored.',
    )
    .argument('<paths...>', 'paths; they need not exist (a folder that does not ends in "/")')
    .addHelpText('after', '\nExamples:\n  snap check-ignore build/out.o\n  snap check-ignore -v node_modules .env')
    .action(
      action('check-ignore', (face, [paths]: [string[]], _options: Options) =>
        face.withWorkspace(async (workspace) => {
          const { explainIgnored } = await import('../../api/history.ts');
          const asked: string[] = [];
          for (const path of paths) {
            const inside = face.workspacePath(workspace, path);
            if (inside === '')
              throw new SnapError('usage', 'the workspace folder itself cannot be ignored', {
                hint: 'Name something in it.',
              });
            asked.push(path.endsWith('/') ? `${inside}/` : inside);
          }
          let anyIgnored = false;
          for (const [i, { path, ignored, rule, folder }] of explainIgnored(workspace, asked).entries()) {
            anyIgnored ||= ignored;
            face.data({
              schema: 1,
              type: 'ignore-decision',
              path,
              ignored,
              rule: rule ?? null,
              folder: folder ?? null,
            });
            const shown = face.safe(paths[i] ?? path);
            if (face.verbose)
              face.print(
                `${ignored ? 'ignored' : 'kept   '}  ${shown}  ${face.style('dim', `(${face.safePattern(reason(rule, folder))})`)}`,
              );
            else if (ignored) face.print(shown);
          }
          if (!anyIgnored) face.exitCode = NONE_IGNORED;
        }),
      ),
    );

function reason(rule: string | undefined, folder: string | undefined): string {
  if (rule === undefined) return 'no rule';
  return folder === undefined ? rule : `${rule}, which leaves out all of ${folder}/`;
}
