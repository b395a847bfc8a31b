/** `snap cat` */
import { Command } from 'commander';
import { SnapError } from '../../errors.ts';
import type { DefineCommand } from '../commands.ts';
import { writeOut } from '../output.ts';
import { fromHere } from '../revision-arguments.ts';

export const catCommand: DefineCommand = (action) =>
  new Command('cat')
    .summary('write a file of a snapshot to stdout')
    .description('Writes the bytes of a file in a snapshot to stdout, verified; of a link, its target.')
    .argument('<rev:path>', 'the file, for example HEAD:notes.txt or v1.2.0:models/weights.bin')
    .addHelpText(
      'after',
      '\nExamples:\n  snap cat HEAD:notes.txt\n  snap cat v1.2.0:dump.sql | psql\n  snap cat HEAD~1:./config.json > old.json',
    )
    .action(
      action('cat', (face, [text]: [string], _options: object) =>
        face.withWorkspace(async (workspace) => {
          if (face.json)
            throw new SnapError('usage', 'the bytes of a file are not JSON', {
              hint: 'Leave out --json; `snap show --json` tells what is recorded of it.',
            });
          const { readFile } = await import('../../api/diff.ts');
          const { content } = await readFile(workspace, await fromHere(face, workspace, text));
          for await (const piece of content) await writeOut(piece);
        }),
      ),
    );
